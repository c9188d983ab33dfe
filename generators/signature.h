// The calling contract of a compiled kernel: its tensors in order and how each lies in memory. The algorithm
// declares its buffers from it, the JIT checks calls against it, the library writer prints it as a C header.
#pragma once

#include "generators/conv_desc.h"
#include "generators/conv_shape.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace convsmith {

/// How a plan lays out weights for its kernel:
///   packed[co_o][k...][ci][co_i], co = co_o * co_block + co_i, ci = input channel within the group,
/// channels beyond co are zero; by group: blocks of each group in turn, co counted within it. Contiguous, so
/// a block of output channels streams through the reduction. With a tile above 1 the taps are transformed
/// along the axes of transforms_axis: k counts the tile + kernel - 1 elements of g * filter
/// (winograd_transform.h), computed in f64.
struct Packing {
    int co_block = 1;      ///< output channels side by side (the innermost, vectorised extent)
    int tile = 1;          ///< outputs of a Winograd tile along a transformed axis; 1: weights as they are
    bool by_group = false; ///< no block spans groups, and the kernel sees each as an image (groups_as_images)

    bool is_transformed() const { return tile > 1; }
    bool operator==(const Packing &o) const {
        return co_block == o.co_block && tile == o.tile && by_group == o.by_group;
    }
    bool operator!=(const Packing &o) const { return !(*this == o); }
};

/// Whether transformed weights are so along `axis`: the two innermost axes that have several taps are, so
/// that a third costs no accuracy; its taps stay as they are.
bool transforms_axis(const ConvDesc &desc, int axis);

/// Elements of the packed filter along `axis`.
int packed_taps(const ConvDesc &desc, int axis, const Packing &packing);

/// "co16", "co16_f4_by_group": tells packings apart in names of code.
std::string packing_name(const Packing &packing);

/// What algorithms and schedules take: groups_as_images where groups of one image have more output channels
/// than the longest vector of f32 has lanes, but no whole vectors of them; else the problem itself. Of what
/// it returns, it is that again.
ConvDesc kernel_problem(const ConvDesc &desc);

/// No schedule pads channels to a larger block; ConvDesc::validate bounds the packed filter with it.
constexpr int kMaxChannelBlock = 128;

/// Alignment in bytes that packed filters and workspaces have.
constexpr size_t kTensorAlignment = 64;

/// Extents of the packed filter, outermost first: {co_o, k..., ci / groups, co_block}.
std::vector<int64_t> packed_filter_shape(const ConvDesc &desc, const Packing &packing);
int64_t packed_filter_elements(const ConvDesc &desc, const Packing &packing);

/// Role of a tensor in the call; the order of a kernel's tensors is the order of this list.
enum class TensorRole { Input, Offset, Mask, Filter, Operand, Output, Indices };

/// One tensor of a call.
struct TensorSpec {
    TensorRole role;
    Operand operand;  ///< of TensorRole::Operand
    int op;           ///< which of ops_of(desc) it belongs to
    std::string name; ///< "input", "filter", "bias", "residual", "output", ...
    DType dtype;
    std::vector<int64_t> shape; ///< as the caller sees it, outermost first; 0 = open. Filter: packed shape.
};

/// "filter", "filter2", ...: the name of a tensor of ops_of(desc)[op].
std::string tensor_name(const std::string &role, int op);

/// True for the names of filters: "filter", "filter2", ...
bool is_filter_name(std::string_view name);

/// The op that a tensor belongs to.
const ConvDesc &op_of(const ConvDesc &desc, const TensorSpec &spec);

/// The tensors that the kernel of `desc` takes, in call order.
std::vector<TensorSpec> tensor_specs(const ConvDesc &desc, const Packing &packing);

/// Order of a layout's dimensions in memory, innermost first, as indices into {c, spatial innermost first...,
/// n}. By group, n counts groups, each of which has a part of the channels.
std::vector<int> memory_order(Layout layout, int spatial_dims, bool by_group = false);

/// One dimension of a kernel buffer in elements.
struct BufferDim {
    int extent;
    int64_t stride;
};

/// How the compiled kernel sees a tensor: dimensions in Halide order, the same for every layout (a layout is
/// only strides): Input {ci, x, [y, [z,]] n}, Filter {co_i, ci, kx, [ky, [kz,]] co_o}, operands {co}, {co, n}
/// or as the output; Output and Indices {co, p..., n}, Offset and Mask {channel, p..., n}, where p... is {p},
/// all positions in row-major order, if flattens_positions, else {x, [y, [z]]}. The kernel's problem is
/// merge_trivial_axes(desc), and groups_as_images of it if weights are packed by group, where operands {co}
/// are {co, n}. `desc` must be closed (with_sizes); dims beyond `count` are unused.
struct BufferDims {
    int count = 0;
    std::array<BufferDim, 6> dims = {};
    int64_t begin = 0; ///< elements before the first that the kernel sees: channels of a larger output
};
BufferDims buffer_dims(const ConvDesc &desc, const Packing &packing, const TensorSpec &spec);

/// Whether kernels see output positions as one dimension: tiles of positions then run on over row ends. False
/// where coordinates count: deconv, deform, rearranging in space, Winograd tiles, ops of a composite that
/// others follow, and where whole rows are tiles: ops that slide over each channel apart (is_channelwise,
/// is_planewise).
bool flattens_positions(const ConvDesc &desc, const Packing &packing = Packing());

} // namespace convsmith
