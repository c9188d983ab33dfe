// Implementation of the calling contract declared in signature.h. Before it: shape arithmetic; after it: the
// algorithms' buffers, the JIT's checks and the generated C header.
#include "generators/signature.h"

#include "generators/composite.h"
#include "generators/error.h"
#include "generators/variant.h"

#include <algorithm>

namespace convsmith {
namespace {

BufferDims make_dims(const std::vector<BufferDim> &dims) {
    BufferDims out;
    CONVSMITH_CHECK(dims.size() <= out.dims.size());
    out.count = static_cast<int>(dims.size());
    std::copy(dims.begin(), dims.end(), out.dims.begin());
    return out;
}

/// Channel and position strides of an activation with `positions` spatial elements.
struct ActivationStrides {
    int64_t channel, position, batch;
};

ActivationStrides activation_strides(Layout layout, int channels, int64_t positions) {
    const int64_t batch = channels * positions;
    if (layout == Layout::ChannelsLast)
        return {1, channels, batch};
    return {positions, 1, batch};
}

BufferDims input_dims(const ConvDesc &d) {
    const ActivationStrides strides = activation_strides(d.in_layout, d.ci, spatial_product(d.in, d.rank));
    std::vector<BufferDim> dims = {{d.ci, strides.channel}};
    int64_t stride = strides.position;
    for (int axis = d.rank - 1; axis >= 0; axis--) {
        dims.push_back({d.in[axis], stride});
        stride *= d.in[axis];
    }
    dims.push_back({d.n, strides.batch});
    return make_dims(dims);
}

BufferDims filter_dims(const ConvDesc &d, const Packing &packing) {
    const std::vector<int64_t> shape = packed_filter_shape(d, packing);
    // The innermost extents are {ci, co_i} in both orders; kernel axes reverse.
    std::vector<BufferDim> dims;
    int64_t stride = 1;
    for (auto extent = shape.rbegin(); extent != shape.rend(); ++extent) {
        dims.push_back({static_cast<int>(*extent), stride});
        stride *= *extent;
    }
    return make_dims(dims);
}

/// {channel, p..., n} of a tensor with `channels` of which the kernel sees `seen` from `begin` on.
struct PositionalTensor {
    Layout layout;
    int channels;
    int seen;
    int begin = 0;
    Spatial extents;
};

BufferDims positional_dims(const ConvDesc &d, const Packing &packing, const PositionalTensor &t) {
    const int64_t positions = spatial_product(t.extents, d.rank);
    const ActivationStrides strides = activation_strides(t.layout, t.channels, positions);
    std::vector<BufferDim> dims = {{t.seen, strides.channel}};
    if (flattens_positions(d, packing)) {
        dims.push_back({static_cast<int>(positions), strides.position});
    } else {
        int64_t stride = strides.position;
        for (int axis = d.rank - 1; axis >= 0; axis--) {
            dims.push_back({t.extents[axis], stride});
            stride *= t.extents[axis];
        }
    }
    dims.push_back({d.n, strides.batch});
    BufferDims out = make_dims(dims);
    out.begin = t.begin * strides.channel;
    return out;
}

/// `dims` of all channels as {channel of the group, ..., group}; the one image is left out.
BufferDims by_group(BufferDims dims, int groups) {
    BufferDim &channels = dims.dims[0], &images = dims.dims[dims.count - 1];
    channels.extent /= groups;
    images = {groups, channels.extent * channels.stride};
    return dims;
}

BufferDims operand_dims(const ConvDesc &d, const Packing &packing, Operand operand) {
    switch (operand_info(operand).shape) {
    case OperandShape::PerChannel:
        return packing.by_group ? make_dims({{d.co, 1}, {1, d.co}}) : make_dims({{d.co, 1}});
    case OperandShape::PerImageChannel:
        return make_dims({{d.co, 1}, {d.n, d.co}});
    case OperandShape::Full: {
        const int channels = stored_channels(d);
        return positional_dims(d, packing, {d.out_layout, channels, channels, 0, stored_extents(d)});
    }
    }
    throw Error(ErrorCode::Internal, "unknown operand shape");
}

} // namespace

bool flattens_positions(const ConvDesc &desc, const Packing &packing) {
    const bool moves_in_space = desc.rearrange != Rearrange::None && desc.rearrange != Rearrange::Shuffle;
    const bool feeds_an_op = desc.is_fused && !desc.ends_chain;
    return !packing.is_transformed() && !feeds_an_op && desc.op != Op::Deform && desc.op != Op::Deconv &&
           !moves_in_space && !is_channelwise(desc) && !is_planewise(desc);
}

std::vector<int> memory_order(Layout layout, int spatial_dims, bool by_group) {
    std::vector<int> order;
    for (int i = 1; i <= spatial_dims; i++)
        order.push_back(i);
    const bool is_last = layout == Layout::ChannelsLast;
    order.insert(is_last ? order.begin() : order.end(), 0);
    order.insert(is_last && by_group ? order.begin() + 1 : order.end(), spatial_dims + 1);
    return order;
}

bool transforms_axis(const ConvDesc &desc, int axis) {
    constexpr int kTransformedAxes = 2;
    int within = 0; // axes with several taps
    for (int a = axis + 1; a < desc.rank; a++)
        within += desc.kernel[a] > 1 ? 1 : 0;
    return desc.kernel[axis] > 1 && within < kTransformedAxes;
}

int packed_taps(const ConvDesc &desc, int axis, const Packing &packing) {
    return desc.kernel[axis] + (transforms_axis(desc, axis) ? packing.tile - 1 : 0);
}

namespace {

/// Whether weights are packed by group.
bool packs_by_group(const ConvDesc &desc) {
    constexpr int kLanes = 16;
    const int co = desc.co / desc.groups;
    const bool is_whole =
        desc.co_total == 0 && desc.rearrange == Rearrange::None && !is_composite(desc) && !desc.is_fused;
    return desc.op == Op::Conv && desc.groups > 1 && desc.n == 1 && is_whole && !desc.is_open() &&
           co > kLanes && co % kLanes != 0;
}

} // namespace

ConvDesc kernel_problem(const ConvDesc &desc) {
    return packs_by_group(desc) ? groups_as_images(desc) : desc;
}

std::string packing_name(const Packing &packing) {
    return "co" + std::to_string(packing.co_block) +
           (packing.is_transformed() ? "_f" + std::to_string(packing.tile) : "") +
           (packing.by_group ? "_by_group" : "");
}

std::vector<int64_t> packed_filter_shape(const ConvDesc &desc, const Packing &packing) {
    CONVSMITH_CHECK(packing.co_block >= 1);
    const int64_t images = packing.by_group ? int64_t{desc.n} * desc.groups : 1;
    const int64_t co = packing.by_group ? desc.co / desc.groups : desc.co;
    const int64_t blocks = images * ((co + packing.co_block - 1) / packing.co_block);
    std::vector<int64_t> shape = {blocks};
    for (int a = 0; a < desc.rank; a++)
        shape.push_back(packed_taps(desc, a, packing));
    shape.push_back(desc.ci / desc.groups);
    shape.push_back(packing.co_block);
    return shape;
}

int64_t packed_filter_elements(const ConvDesc &desc, const Packing &packing) {
    int64_t total = 1;
    for (const int64_t extent : packed_filter_shape(desc, packing))
        total *= extent;
    return total;
}

std::string tensor_name(const std::string &role, int op) {
    return op == 0 ? role : role + std::to_string(op + 1);
}

namespace {

/// What one op reads beside its input.
void add_op_specs(std::vector<TensorSpec> &specs, const ConvDesc &op, int number, const Packing &packing) {
    const auto add = [&](TensorRole role, Operand operand, const std::string &name, DType type,
                         std::vector<int64_t> shape) {
        specs.push_back({role, operand, number, tensor_name(name, number), type, std::move(shape)});
    };
    if (op.op == Op::Deform)
        add(TensorRole::Offset, Operand::None, "offset", op.in_type, offset_shape(op));
    if (op.masked)
        add(TensorRole::Mask, Operand::None, "mask", op.in_type, mask_shape(op));
    if (op_info(op.op).has_filter)
        add(TensorRole::Filter, Operand::None, "filter", op.weight_type, packed_filter_shape(op, packing));
    for (const OperandInfo &info : operand_table()) {
        if (op.has_operand(info.operand))
            add(TensorRole::Operand, info.operand, info.name, operand_type(op, info.operand),
                operand_shape(op, info.operand));
    }
}

} // namespace

std::vector<TensorSpec> tensor_specs(const ConvDesc &desc, const Packing &packing) {
    std::vector<TensorSpec> specs = {
        {TensorRole::Input, Operand::None, 0, "input", desc.in_type, input_shape(desc)}};
    int number = 0;
    for (const ConvDesc *op : ops_of(desc))
        add_op_specs(specs, *op, number++, packing);
    specs.push_back(
        {TensorRole::Output, Operand::None, number - 1, "output", desc.out_type, output_shape(desc)});
    if (desc.indices != Indices::None)
        specs.push_back({TensorRole::Indices, Operand::None, 0, "indices", DType::I64, written_shape(desc)});
    return specs;
}

bool is_filter_name(std::string_view name) {
    return name.substr(0, 6) == "filter";
}

const ConvDesc &op_of(const ConvDesc &desc, const TensorSpec &spec) {
    if (spec.role == TensorRole::Input || spec.role == TensorRole::Indices)
        return desc;
    if (spec.role == TensorRole::Output)
        return last_op(desc);
    return *ops_of(desc).at(static_cast<size_t>(spec.op));
}

BufferDims buffer_dims(const ConvDesc &desc, const Packing &packing, const TensorSpec &spec) {
    CONVSMITH_CHECK(!desc.is_open());
    const ConvDesc merged = merge_trivial_axes(op_of(desc, spec));
    const auto seen = [&](const BufferDims &dims) {
        return packing.by_group ? by_group(dims, merged.groups) : dims;
    };
    const auto channels_of = [&](Layout layout) {
        return static_cast<int>(layout == Layout::ChannelsLast ? spec.shape.back() : spec.shape[1]);
    };
    switch (spec.role) {
    case TensorRole::Input:
        return seen(input_dims(merged));
    case TensorRole::Offset:
    case TensorRole::Mask: {
        const int channels = channels_of(merged.in_layout);
        return positional_dims(merged, packing,
                               {merged.in_layout, channels, channels, 0, out_extents(merged)});
    }
    case TensorRole::Filter:
        return filter_dims(merged, packing);
    case TensorRole::Operand:
        return seen(operand_dims(merged, packing, spec.operand));
    case TensorRole::Output:
    case TensorRole::Indices:
        return seen(positional_dims(merged, packing,
                                    {merged.out_layout, channels_of(merged.out_layout),
                                     stored_channels(merged), merged.co_begin, stored_extents(merged)}));
    }
    throw Error(ErrorCode::Internal, "unknown tensor role");
}

} // namespace convsmith
