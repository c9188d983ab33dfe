// ConvPipeline: what every algorithm hands to its schedule. An algorithm (direct.cpp, pool.cpp, ...) says how
// the accumulator follows from the padded input; the rest (buffers, padding, epilogue, store) is the same for
// all and lives here. A schedule (schedules/*) is a free function over ConvPipeline.
#pragma once

#include "generators/conv_desc.h"
#include "generators/signature.h"

#include <Halide.h>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace convsmith {

/// What the algorithm winograd has beside the parts of every pipeline. Tiles are numbered in row-major order,
/// t = tile_x + tiles_x * tile_y; a... counts the elements of a transform per axis, {ax, [ay, [az]]}, and
/// u... the outputs of a tile.
struct WinogradParts {
    Halide::Func products;            ///< {co, t, a..., n}: acc, kept for the outputs of its tiles
    std::vector<Halide::Func> input;  ///< {ci, t, a..., n}: the tile's input transformed along one more axis;
                                      ///< the last is what acc reads
    std::vector<Halide::Func> output; ///< {co, t, u or a..., n}: products transformed back along one more
                                      ///< axis; the last is `value`
    Halide::Var t;
    std::vector<Halide::Var> a;
    std::vector<int> tile, size; ///< outputs and elements of a tile, innermost axis first
    std::vector<int> tiles;      ///< number of tiles, innermost axis first
    /// The axis whose taps are summed as they are, if there is one (always the outermost): its variable in
    /// `a` is the position along it, of the padded input in `input` and of the output elsewhere, and t does
    /// not count it.
    std::optional<size_t> direct;

    /// The outermost axis that tiles lie along.
    size_t strip_axis() const { return a.size() - (direct ? 2 : 1); }
};

/// What the algorithm transposed has beside the parts of every pipeline. The outputs x = q * stride + f of
/// one phase f are an ordinary convolution; acc is {co, q..., f..., n}, q named as in `at`.
struct PhaseParts {
    Halide::Func sums;          ///< acc, kept for the outputs of all phases
    std::vector<Halide::Var> f; ///< innermost axis first
};

/// Named parts of a pipeline. Buffers have the dimensions of buffer_dims (signature.h): a layout is only
/// strides. Positions p... are {p} or {x, [y, [z]]}, see flattens_positions.
struct ConvPipeline {
    ConvDesc desc; ///< after merge_trivial_axes
    Packing packing;
    bool copies_rows = false;     ///< `padded` reads `rows`
    bool masks_columns = false;   ///< `padded` reads the input in place, lanes of a row beyond it masked out
    int row_tile = 0;             ///< OpInput::row_tile, 0 where positions are not flattened
    bool leaves_out_taps = false; ///< OpInput::leaves_out_taps, where there are such tiles
    bool copies_windows = false;  ///< `element` reads `windows`
    bool is_inlined = false;      ///< OpInput::is_inlined: `acc` has no update, `element` is undefined
    /// Positions along the first dimension of acc beyond the channels where `element` may be asked for
    /// positions beyond them, and is then that of the last; undefined where it is not.
    Halide::Expr last_element;

    Halide::Func source;       ///< of an op of a composite, instead of `input`
    Halide::ImageParam input;  ///< {ci, x, [y, [z,]] n}
    Halide::ImageParam filter; ///< {co_i, ci, kx, [ky, [kz,]] co_o}; undefined without a filter
    Halide::ImageParam offset; ///< {channel, p..., n}; deform only
    Halide::ImageParam mask;   ///< {channel, p..., n}; deform only
    std::map<Operand, Halide::ImageParam> operands; ///< those that the epilogue reads

    Halide::Func rows;    ///< `padded`, made of whole rows of the input, x counted from its first column.
                          ///< Channels last: {x * channels + ci, [y, [z,]] n}. Channels first: {x, [y, [z,]]
                          ///< ci, n}, or, where row_phases > 1, x / phases and x % phases instead of x, so
                          ///< that what windows read lies side by side. Undefined unless copies_rows
    Halide::Func whole;   ///< {x, [y, [z,]] ci, n}: the input as rows in phases copy it, to be split in
                          ///< registers: of every second element of a tensor, Halide reads vectors that begin
                          ///< before it
    Halide::Func joined;  ///< joined only, {co_i, ci, group of the block, kx, [ky, [kz,]] co_o}: the filter,
                          ///< zero across groups
    Halide::Func weights; ///< depthwise only, {co, kx, [ky, [kz]]}: the filter, channels side by side
    Halide::Func padded;  ///< {ci, x, [y, [z,]] n}, x from the start of the padding
    Halide::Func windows; ///< {ci, cell x, [cell y, [cell z,]] tile, n}: the cells of `padded` that the
                          ///< windows of a tile of row_tile positions cover; undefined unless copies_windows
    Halide::Func gathered; ///< pointwise only, {ci, p..., n}: the input at the output's positions
    Halide::Func place;    ///< deform only, {offset group, tap, p..., n}: for each axis, innermost first, the
                           ///< two cells that a tap reads and their weights
    Halide::Func sampled;  ///< deform only, {ci, tap, p..., n}: the input at a tap's moved position
    Halide::Func element;  ///< {group, [ci of the group,] taps..., p..., n}, those of acc: what a weight
                           ///< multiplies, if the op has weights
    Halide::Func acc;      ///< {co, p..., n}: the reduction over the window, before rearrangement
    Halide::Func value;    ///< {co, p..., n}: what the epilogue takes, follows from acc
    Halide::Func output;   ///< {co, p..., n}: the value at the position rearranged, after the epilogue

    Halide::Var co, n;
    Halide::Var group;           ///< of element
    std::vector<Halide::Var> at; ///< p... innermost first
    Halide::Var ci;              ///< of padded
    Halide::Var row, phase;      ///< of rows
    /// Of the updates of rows: the border if there is one, then what is copied, with its phase if there are.
    std::optional<Halide::RVar> r_border, r_row, r_phase;
    std::vector<Halide::Var> axes;    ///< of padded, innermost (x) first
    std::optional<Halide::RVar> r_ci; ///< reduction over the group's input channels, if there is one
    std::vector<Halide::RVar> r_k; ///< reduction over taps, innermost axis first; empty for identity; joined:
                                   ///< before them that over the groups of a block; winograd: those of
                                   ///< WinogradParts::direct

    std::optional<WinogradParts> winograd;
    std::optional<PhaseParts> phases;

    std::vector<Halide::Expr>
        out_extents; ///< before rearrangement, innermost axis first; constants where closed

    std::vector<ConvPipeline> parts; ///< a composite's ops in the order of ops_of; `output` is the last
                                     ///< one's, or theirs side by side

    std::vector<Halide::RVar>
        branch_channels; ///< concat only: channels of each branch, in the output's updates

    /// What the schedule has done to the lowered code.
    std::vector<std::shared_ptr<Halide::Internal::IRMutator>> passes;

    /// The tensors in call order, outputs excepted.
    std::vector<Halide::Argument> arguments() const;

    /// {co, p..., n}.
    std::vector<Halide::Var> output_args() const;

    /// True if the window reaches beyond the input on some axis, so that `padded` is more than the input.
    bool is_padded() const;
};

/// What an op of a composite takes.
struct OpInput {
    Halide::Func source;      ///< {ci, x, [y, [z,]] n}: what it slides over; undefined: a tensor of the call
    int number = 0;           ///< of ops_of: names its tensors
    bool copies_rows = false; ///< the schedule keeps padded rows (ConvPipeline::rows) where can_copy_rows
    bool masks_columns = false;   ///< it reads them in place, as a planewise sum with padding of zeros may
    bool leaves_out_taps = false; ///< of tiles of row_tile positions it leaves out taps that lie in the
                                  ///< padding for all of them
    bool fills_tiles = false; ///< it computes whole tiles of positions, those beyond the last too, which it
                              ///< does not store (ConvPipeline::last_element)
    bool copies_windows = false; ///< it keeps what the windows of such a tile cover (ConvPipeline::windows)
    bool inlines_ops = false;    ///< of a chain: each op that another follows is computed where that reads it
    bool is_inlined = false;     ///< such an op: its sum over taps is one expression, without a reduction
    int row_tile = 0; ///< positions that it computes together, where rows are a multiple of them: flattened
                      ///< positions are taken apart so that those of a tile are seen to be neighbours; 0: as
                      ///< they come, each is anywhere
};

/// A pipeline with variables, buffers and extents, but no Func defined. `desc` is merged here; what follows
/// it is left out.
ConvPipeline begin_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input);

/// The axis of the descriptor, which lists them outermost first, for an axis counted from the innermost, as
/// buffers list them; and back.
int axis_of(const ConvDesc &desc, int dim);

/// The element of the input, or of what the op before gives, at {ci, x, [y, [z,]] n}.
Halide::Expr read_input(const ConvPipeline &conv, const std::vector<Halide::Expr> &at);

/// Phases that rows of planes are split into: the stride along x.
int row_phases(const ConvDesc &merged);

/// Whether a row of the padded input has one piece of the input between its borders: channels lie innermost,
/// or each has a plane of its own (is_planewise). False where nothing is padded and no stride splits rows.
bool can_copy_rows(const ConvPipeline &conv);

/// Input extent of the axis `dim`, counted from the innermost: constant where the descriptor is closed.
Halide::Expr input_extent(const ConvPipeline &conv, int dim);

/// Defines `padded` for a window that starts `pad_begin` cells before the input. `ignored` is the value of
/// taps that take no part.
void define_padded(ConvPipeline &conv, const Halide::Expr &ignored);

/// Defines `padded` for the reduction `r` over r_k: where leaves_out_padding (variant.h), taps beyond the
/// input are left out of `r`, and `padded` is the input itself, shifted; else as above.
void define_padded(ConvPipeline &conv, Halide::RDom r, const Halide::Expr &ignored);

/// Window coordinates of the position args, innermost axis first.
std::vector<Halide::Expr> window_position(const ConvPipeline &conv);

/// The domain {ci / groups, kx, [ky, [kz]]}, or without its first part; sets r_ci and r_k.
Halide::RDom channel_and_tap_domain(ConvPipeline &conv);
Halide::RDom tap_domain(ConvPipeline &conv);

/// First input channel of conv.group.
Halide::Expr group_begin(const ConvPipeline &conv);

/// Arguments of the packed filter for channel `co`, input channel `ci` of the group, taps `k`.
std::vector<Halide::Expr> filter_args(const ConvPipeline &conv, const Halide::Expr &ci,
                                      const std::vector<Halide::Expr> &k);

/// Arguments of `padded` for `channel` and the tap r_k of the window at the position args.
std::vector<Halide::Expr> window_args(const ConvPipeline &conv, const Halide::Expr &channel);

/// The element of the padded input at `channel` and the tap r_k of the window at the position args; of
/// `windows`, which it defines, where these are copied.
Halide::Expr window_element(ConvPipeline &conv, const Halide::Expr &channel);

/// Defines `acc`, and `element`, as the sum of weight * element over the reduction domain r_ci and r_k, both
/// in the accumulator's type. `args` are those of acc; `element` is of conv.group, not of `co`, whose group
/// is `group` (undefined: co / (channels of a group)).
void define_sum(ConvPipeline &conv, const std::vector<Halide::Var> &args, const Halide::Expr &weight,
                const Halide::Expr &element, const Halide::Expr &group = Halide::Expr());

/// Defines `acc` so, `value` as that sum, and `output`.
void define_weighted_sum(ConvPipeline &conv, const Halide::Expr &weight, const Halide::Expr &element,
                         const Halide::Expr &group = Halide::Expr());

/// Zero in the input's type.
Halide::Expr input_zero(const ConvPipeline &conv);

/// Defines `output` from `value`: index map, epilogue, output type.
void define_output(ConvPipeline &conv);

} // namespace convsmith
