// Implementation of the calling contract declared in signature.h. Before it: shape arithmetic; after it: the
// algorithms' buffers, the JIT's checks and the generated C header.
#include "generators/signature.h"

#include "generators/error.h"

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

BufferDims output_dims(const ConvDesc &d) {
    const int64_t positions = spatial_product(out_extents(d), d.rank);
    const ActivationStrides strides = activation_strides(d.out_layout, d.co, positions);
    return make_dims(
        {{d.co, strides.channel}, {static_cast<int>(positions), strides.position}, {d.n, strides.batch}});
}

} // namespace

std::vector<int> memory_order(Layout layout, int spatial_dims) {
    std::vector<int> order;
    for (int i = 1; i <= spatial_dims; i++)
        order.push_back(i);
    order.insert(layout == Layout::ChannelsLast ? order.begin() : order.end(), 0);
    order.push_back(spatial_dims + 1);
    return order;
}

std::vector<int64_t> packed_filter_shape(const ConvDesc &desc, const Packing &packing) {
    CONVSMITH_CHECK(packing.co_block >= 1 && packing.co_block <= kMaxChannelBlock);
    const int64_t blocks = (int64_t(desc.co) + packing.co_block - 1) / packing.co_block;
    std::vector<int64_t> shape = {blocks};
    shape.insert(shape.end(), desc.kernel.begin(), desc.kernel.begin() + desc.rank);
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

std::vector<TensorSpec> tensor_specs(const ConvDesc &desc, const Packing &packing) {
    std::vector<TensorSpec> specs = {
        {TensorRole::Input, "input", desc.in_type, input_shape(desc)},
        {TensorRole::Filter, "filter", desc.weight_type, packed_filter_shape(desc, packing)},
    };
    const struct {
        Operand operand;
        TensorRole role;
        const char *name;
    } seconds[] = {{Operand::Bias, TensorRole::Bias, "bias"},
                   {Operand::Residual, TensorRole::Residual, "residual"}};
    for (const auto &second : seconds) {
        if (desc.has_operand(second.operand))
            specs.push_back({second.role, second.name, operand_type(desc, second.operand),
                             operand_shape(desc, second.operand)});
    }
    specs.push_back({TensorRole::Output, "output", desc.out_type, output_shape(desc)});
    return specs;
}

BufferDims buffer_dims(const ConvDesc &desc, const Packing &packing, TensorRole role) {
    CONVSMITH_CHECK(!desc.is_open());
    const ConvDesc merged = merge_trivial_axes(desc);
    switch (role) {
    case TensorRole::Input:
        return input_dims(merged);
    case TensorRole::Filter:
        return filter_dims(merged, packing);
    case TensorRole::Bias:
        return make_dims({{merged.co, 1}});
    case TensorRole::Residual:
    case TensorRole::Output:
        return output_dims(merged);
    }
    detail::check_failed("role is a TensorRole", __FILE__, __LINE__);
}

} // namespace convsmith
