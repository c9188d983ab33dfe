// Shape arithmetic: the one home of output extents, parameter, MAC and byte counts, and receptive fields.
// Formulas: spec of the descriptor in conv_desc.h; receptive field of a stack: Araujo et al., Distill 2019,
// "Computing Receptive Fields of Convolutional Neural Networks".
#pragma once

#include "generators/conv_desc.h"

#include <cstdint>
#include <vector>

namespace convsmith {

/// Cells a dilated kernel covers along one axis: d * (k - 1) + 1; saturates at the largest int, which no
/// valid descriptor reaches.
int effective_kernel(int kernel, int dilation);

/// Output extent along one axis: floor((in + pad_begin + pad_end - effective_kernel) / stride) + 1; <= 0 if
/// it does not fit.
int64_t conv_out_extent(int64_t in, int kernel, int stride, int dilation, int pad_begin, int pad_end);

/// Output extent of the descriptor's op along one axis, which must be closed, before rearrangement:
///   conv, deform, pools   conv_out_extent; with ceil mode rounded up, unless the last window would start in
///   the
///                         end padding
///   deconv                (in - 1) * stride + effective_kernel - pad_begin - pad_end + out_pad
///   identity              in + pad_begin + pad_end
/// <= 0 if it does not fit.
int64_t window_out_extent(const ConvDesc &desc, int axis);

/// Sets the padding that makes every output extent ceil(in / stride), as ONNX's auto_pad SAME_UPPER (an odd
/// cell goes to the end) and SAME_LOWER (to the begin) demand. The descriptor must be closed.
void set_same_padding(ConvDesc &desc, bool odd_at_end);

/// Batch and spatial extents of one call: those of the descriptor, or the caller's where it leaves them open.
struct Sizes {
    int n = 0;       ///< 0: the descriptor's
    Spatial in = {}; ///< 0: the descriptor's
};

/// The descriptor's own sizes; `open` replaces each that is open. Throws Error(BadArgument) naming the axis
/// if `open` gives no positive extent for an open axis or contradicts a closed one.
Sizes resolve_sizes(const ConvDesc &desc, const Sizes &open = Sizes());

/// The descriptor with its open extents replaced, validated.
ConvDesc with_sizes(const ConvDesc &desc, const Sizes &sizes);

/// Output extents before rearrangement, 0 where the descriptor leaves the axis open; entries beyond its rank
/// are 1.
Spatial out_extents(const ConvDesc &desc);

/// Channels and extents after rearrangement: what is stored. Extents are 0 where open.
int stored_channels(const ConvDesc &desc);
Spatial stored_extents(const ConvDesc &desc);

/// Product of the first `rank` entries.
int64_t spatial_product(const Spatial &extents, int rank);

/// Output positions of one index of the outermost axis: a row of an image. The descriptor must be closed.
int row_positions(const ConvDesc &desc);

/// Part of the products whose tap lies in the padding along one of the first `axes`: those of whole slices,
/// or rows. The descriptor must be closed.
double padded_share(const ConvDesc &desc, int axes);

/// Whether products of whole rows, or of whole slices along the outermost axis, are worth leaving out, and
/// add nothing.
bool leaves_out_rows(const ConvDesc &desc);
bool leaves_out_slices(const ConvDesc &desc);

/// Shape of a tensor in the memory order the user sees, outermost dimension first; 0 = open.
std::vector<int64_t> input_shape(const ConvDesc &desc);
/// What one op of a composite gives, in the composite's layout; for a simple descriptor written_shape.
std::vector<int64_t> stored_shape(const ConvDesc &op);
/// The whole tensor written, of co_total channels if the descriptor says so.
std::vector<int64_t> output_shape(const ConvDesc &desc);
/// The part of it that is written.
std::vector<int64_t> written_shape(const ConvDesc &desc);
/// The order of PyTorch and ONNX: [co, ci / groups, kernel...]; deconv [ci, co / groups, kernel...]. Empty if
/// the op has no filter.
std::vector<int64_t> filter_shape(const ConvDesc &desc);
/// Deform: channels offset_groups * prod(kernel) * rank (of each tap, the outermost axis first), respectively
/// without rank, at the output's positions; in the input's layout.
std::vector<int64_t> offset_shape(const ConvDesc &desc);
std::vector<int64_t> mask_shape(const ConvDesc &desc);

/// Element type of a stage's second tensor: the accumulator's for one number per channel, else the output's.
DType operand_type(const ConvDesc &desc, Operand operand);
/// Its shape: [co], [n, co], or written_shape. Operand::None has none.
std::vector<int64_t> operand_shape(const ConvDesc &desc, Operand operand);

/// Trained numbers, of all ops: co * (ci / groups) * prod(kernel), plus co if the chain has a bias.
int64_t parameter_count(const ConvDesc &desc);

/// Multiply-accumulates, of all ops: n * co * prod(out) * (ci / groups) * prod(kernel), padding taps
/// included; deconv counts input cells instead of outputs. 0 for ops without a filter. Throws
/// Error(BadArgument) naming the axis if an extent is open; so does byte_count.
int64_t mac_count(const ConvDesc &desc);

/// Bytes that must be moved once: input + weights + second tensors + output.
int64_t byte_count(const ConvDesc &desc);

/// The groups that blocks of `co_block` neighbouring output channels span.
struct JoinedGroups {
    int most = 1;        ///< of any block
    bool differ = false; ///< some block spans fewer
    int64_t total = 0;   ///< of all blocks
};
JoinedGroups joined_groups(const ConvDesc &desc, int co_block);

/// What one output of a stack of layers sees of the stack's input, along one axis.
struct ReceptiveField {
    int64_t extent = 1;        ///< cells from the first to the last seen
    int64_t stride = 1;        ///< input cells between neighbouring outputs
    std::vector<bool> covered; ///< per cell of the extent: seen by at least one path
    int64_t holes() const;     ///< cells never seen ("gridding")
};

/// Kernel, stride and dilation of one layer along one axis.
struct AxisWindow {
    int kernel = 1;
    int stride = 1;
    int dilation = 1;
};

/// rf_l = rf_(l-1) + (k_l - 1) * d_l * prod(strides before l), first layer of the stack first. Throws
/// Error(BadArgument) naming the layer if a number is not positive or the extent reaches 2^31.
ReceptiveField receptive_field(const std::vector<AxisWindow> &stack);

/// The same problem on as few spatial axes as possible: neighbouring axes whose windows are trivial (kernel
/// 1, stride 1, no padding) are one axis in memory, so a 1x1 convolution becomes one-dimensional. Kernels are
/// compiled for this form; outputs are unchanged. What has no effect takes its default: the dilation of a
/// one-tap kernel, the padding mode without padding. Depends on the windows only, never on extents, so a
/// kernel compiled for open extents and the sizes of a call merge alike.
ConvDesc merge_trivial_axes(const ConvDesc &desc);

/// The same problem of one image with each group as an image of its own, of the group's channels; itself
/// where there is one group. Every image has weights and operands of its own.
ConvDesc groups_as_images(const ConvDesc &desc);

} // namespace convsmith
