// Numbers of the warp's dense tile (warp_tile.h), free of Halide: what planning sides and schedules must
// agree on.
#pragma once

#include "generators/conv_desc.h"
#include "schedules/plan.h"

#include <optional>
#include <string>

namespace convsmith::gpu {

constexpr int kWarp = 32; ///< threads of a warp, and of a block of the dense tile

/// Threads of a block where a schedule does not say otherwise: four warps.
constexpr int kBlockThreads = 128;

/// Why no schedule takes a problem on the target: doubles through OpenCL, whose constants Halide 14 writes as
/// floats. Nothing if one may; what fallbacks ask.
std::optional<std::string> reject_doubles(const ConvDesc &desc, const Target &target);

/// The same of schedules of tiles: sizes must be fixed, outputs stored as they lie.
std::optional<std::string> reject_tiles(const ConvDesc &desc, const Target &target);

/// The same of what keeps one type throughout, as tiles of weighted sums do.
std::optional<std::string> reject_mixed_types(const ConvDesc &desc);

/// The packing of complete numbers of the dense tile: a block of channels for a warp.
Packing packing_of_warps(const ConvDesc &desc, const Target &target, const Params &params);

/// Positions that tiles run along: all of them where they are one dimension, else those of a row, of a phase
/// of a transposed convolution.
int tiled_positions(const ConvDesc &merged);

/// Taps of an output; of a transposed convolution at most.
int64_t taps_of_output(const ConvDesc &merged);

/// Whether the positions of a tile lie in one row, so that they share the cells of their windows: rows are
/// whole tiles, and there are several taps.
bool shares_windows(const ConvDesc &merged, int tile_p);

/// Groups whose output channels a warp computes: several where a group has fewer than lanes x co_vector. It
/// then copies all input channels of all of them at a time.
int groups_of_tile(const ConvDesc &merged, int co_vector);

/// Why no tile suits the problem's groups: their output channels are to fill warps, or warps whole groups.
/// Nothing if one does.
std::optional<std::string> reject_groups(const ConvDesc &merged);

/// The products of Winograd's algorithm as the pointwise convolution that they are: tiles for positions,
/// elements of the transform for images.
ConvDesc product_of_winograd(const ConvDesc &merged, int tile);

/// The numbers co_vector, tile_p and chunk_ci that the model (roofline.h) finds best, where `params` leaves
/// them open (0 or absent). Elements of the input are sums of `staged_taps` cells, 0: cells that are copied.
/// Throws Error(BadArgument) naming `schedule` if none are legal.
Params complete_warp_tile(const std::string &schedule, const ConvDesc &merged, const Params &params,
                          int co_block, int staged_taps = 0);

/// Cells along the axis `dim`, counted from the innermost, that the windows of a tile of a row cover.
int window_cells(const ConvDesc &merged, int dim, int tile_p);

/// Cells of an input channel that are copied to shared memory at a time: of all taps where windows are
/// shared, else of one.
int64_t staged_cells(const ConvDesc &merged, int tile_p);

} // namespace convsmith::gpu
