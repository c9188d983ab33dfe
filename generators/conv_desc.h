// ConvDesc: the problem (what to compute), free of any decision about how. Everything else takes one:
// shape arithmetic (conv_shape.h), algorithms, plans, the oracle. Its canonical key is test name, file name,
// C symbol, cache key and database key at once. What is computed of a window is the descriptor's op (op.h).
#pragma once

#include "generators/dtype.h"
#include "generators/epilogue.h"
#include "generators/op.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace convsmith {

/// Most spatial dimensions a descriptor can have (depth, height, width).
constexpr int kMaxSpatialRank = 3;

/// One number per spatial axis, outermost axis first (1D: {w}, 2D: {h, w}, 3D: {d, h, w}); entries at and
/// beyond the descriptor's rank are ignored.
using Spatial = std::array<int, kMaxSpatialRank>;

/// Value of taps outside the input.
enum class PadMode {
    Zeros,
    Constant,  ///< ConvDesc::pad_value
    Reflect,   ///< mirror without repeating the edge: index -1 reads 1
    Replicate, ///< the nearest edge element
    Circular,  ///< wraps around
    Symmetric, ///< mirror that repeats the edge: index -1 reads 0
    Ignore,    ///< pools only, their default: the tap takes no part (an average divides by the others)
};

/// Memory order of an activation tensor.
enum class Layout {
    ChannelsLast,  ///< n, spatial..., c: "nwc", "nhwc", "ndhwc"
    ChannelsFirst, ///< n, c, spatial...: "ncw", "nchw", "ncdhw"
};

/// Where an output element is stored: an index map that costs no copy. Block and group numbers are
/// ConvDesc::rearrange_factor; b stands for it.
enum class Rearrange {
    None,
    Shuffle,      ///< ShuffleNet: channel c of b groups goes to (c % (co / b)) * b + c / (co / b)
    DepthToSpace, ///< ONNX mode DCR: channel (offset * co / b^rank + c) goes to pixel offset of a block of
                  ///< b^rank
    PixelShuffle, ///< ONNX mode CRD, PyTorch: channel (c * b^rank + offset) does
    SpaceToDepth, ///< the inverse of DepthToSpace: the pixels of a block become channels
};

/// MaxPool's second output: the flat index, over batch, channels and space in channels-first order, of each
/// maximum.
enum class Indices {
    None,
    RowMajor,    ///< space counted with its last axis fastest
    ColumnMajor, ///< with its first axis fastest (ONNX storage_order 1)
};

/// A window operation (op.h has the formula of each op) followed by element-wise stages and stored through an
/// index map. Every field has the default that a key may leave out, except channels, kernel and spatial
/// extents; a field that the op does not have stays at its default.
struct ConvDesc {
    Op op = Op::Conv;
    int rank = 2;    ///< spatial dimensions: 1, 2 or 3
    int n = 1;       ///< batch; 0 = open: any size at the call
    int ci = 0;      ///< input channels, all groups together
    int co = 0;      ///< output channels, all groups together; equals ci where the op keeps channels apart
    int groups = 1;  ///< divides ci and co
    Spatial in = {}; ///< input extents; 0 = open: any size at the call
    Spatial kernel = {1, 1, 1};
    Spatial stride = {1, 1, 1};
    Spatial dilation = {1, 1, 1};
    Spatial pad_begin = {}; ///< cells added before the first element of an axis; Identity: negative crops
    Spatial pad_end = {};   ///< cells added after the last
    Spatial out_pad = {};   ///< Deconv: cells added after the last output of an axis
    PadMode pad_mode = PadMode::Zeros; ///< in a key, pools have Ignore for default
    double pad_value = 0;              ///< used by PadMode::Constant
    int offset_groups = 1;             ///< Deform: groups of input channels that share offsets
    bool masked = false;               ///< Deform: each tap is scaled by a mask (version 2)
    Indices indices = Indices::None;   ///< MaxPool
    bool ceil_mode = false;            ///< pools: a last window may overhang the padding
    int norm = 2;                      ///< LpPool: p
    DType in_type = DType::F32;
    DType weight_type = DType::F32;
    DType acc_type = DType::F32;
    DType out_type = DType::F32;
    Layout in_layout = Layout::ChannelsLast;
    Layout out_layout = Layout::ChannelsLast;
    Rearrange rearrange = Rearrange::None;
    int rearrange_factor = 1;
    int co_total = 0;                    ///< channels of the tensor written; 0: this op's own
    int co_begin = 0;                    ///< first of them that this op writes; it leaves the others alone
    std::vector<EpilogueStage> epilogue; ///< applied in order
    std::vector<ConvDesc> branches;      ///< Concat, Excite: computed from the same input (composite.h)
    std::vector<ConvDesc> then;     ///< ops that follow, each on the result of the one before (composite.h)
    bool groups_are_images = false; ///< groups_as_images of another: each image has weights of its own
    bool is_fused = false;          ///< one of several ops of a composite; follows from the two above
    bool ends_chain = false;        ///< the last op of a chain that is no branch; so does this

    bool operator==(const ConvDesc &o) const;
    bool operator!=(const ConvDesc &o) const { return !(*this == o); }

    /// True if batch or a spatial extent is open.
    bool is_open() const;

    /// True if the chain has a stage that reads `operand`.
    bool has_operand(Operand operand) const;

    /// The canonical key, only [a-z0-9_], every number of the op spelled out, e.g.
    /// conv_n1_ci64_i56x56_co64_k3x3_s1x1_p1x1x1x1_d1x1_g1_f32_nhwc_zeros_bias_relu
    /// maxpool_n1_ci64_i112x112_k3x3_s2x2_p1x1x1x1_d1x1_f32_nhwc_ignore
    /// A composite's ops are joined by words; they leave out what follows from the first:
    /// conv_n1_ci8_i9x9_co8_k3x3_..._g8_f32_nhwc_zeros_relu_then_conv_co16_k1x1_...
    /// concat_n1_ci8_i9x9_f32_nhwc_zeros_of_conv_co4_k1x1_..._and_maxpool_k3x3_..._then_conv_co4_k1x1_...
    /// excite_n1_ci8_i9x9_f32_nhwc_zeros_of_avgpool_k9x9_..._then_conv_co8_k1x1_..._sigmoid_next_conv_co16_k1x1_...
    ///   p: begin of every axis, then end of every axis; 'm' before a number is minus. Words for what is off
    ///   by default (mask, indices, ceil, shuffle3, depthtospace2, into256x64: channels [64, 64 + co) of 256)
    ///   stand before the types, only where they apply. Types: one name if all four agree, else
    ///   in, weights, accumulator, output joined by 'x' (f32xf32xf64xf32). Layout: one name, or input2output
    ///   (nchw2nhwc). Numbers that belong to the token before them: 'v' and the number with 'p' for the point
    ///   and 'm' for minus (constant_vm1p5, leaky_relu_v0p01).
    std::string key() const;

    /// Inverse of key(); also accepts fields left out at their defaults, one number for all axes (k3, p1; the
    /// rank is the number of extents of i), fields in any order as long as the epilogue comes last, and
    /// stages without their numbers (defaults). Throws Error(BadArgument) naming the token that is wrong. The
    /// result is validated.
    static ConvDesc parse(std::string_view key);

    /// Throws Error naming field, got and want if no convolution is described (BadArgument) or there is no
    /// kernel for its types (Unsupported): positive extents, groups divide channels, the effective kernel
    /// fits in the padded input, every tensor has fewer than 2^31 elements, padding modes can reach their
    /// source (reflect: pad < extent; circular and symmetric: pad <= extent), the epilogue's stages exist.
    void validate() const;
};

/// "nhwc", "ncw", ... for a layout and a spatial rank.
std::string layout_name(Layout layout, int rank);

/// "d", "h" or "w": the name of a spatial axis in messages and layouts; the last axis of any rank is "w".
char axis_name(int axis, int rank);

/// "zeros", "constant", ...
const std::string &pad_mode_name(PadMode mode);

/// Spells a number with [a-z0-9] only, shortest text that reads back to the same double: -1.5 -> "m1p5",
/// 1e-5 -> "1em5", infinity -> "inf". Negative zero is spelled as zero.
std::string number_token(double value);

/// Inverse of number_token; nothing if `text` is not such a number (NaN and numbers beyond double are not).
std::optional<double> parse_number_token(std::string_view text);

} // namespace convsmith
