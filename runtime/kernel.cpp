// The Kernel of a convolution (see kernel.h): packs weights and calls code with checked tensors. Before it:
// call_check.h and object_store.h; after it: jit.cpp.
#include "runtime/call_check.h"
#include "runtime/conv_kernel.h"

#include <array>
#include <atomic>
#include <utility>

namespace convsmith {

namespace {

/// Memory position of the axes {co, ci, k...} of user weights, outermost first, by layout.
struct FilterAxes {
    std::vector<std::string> names;
    std::vector<int64_t> shape;
    int co = 0;
    int ci = 0;
    int k = 0; ///< first kernel axis
};

FilterAxes filter_axes(const ConvDesc &desc, FilterLayout layout) {
    const std::vector<int64_t> oihw = filter_shape(desc);
    FilterAxes axes;
    axes.names = kernel_axis_names(desc.rank);
    axes.shape.assign(oihw.begin() + 2, oihw.end());
    const auto put = [&](int at, const char *name, int64_t extent) {
        axes.names.insert(axes.names.begin() + at, name);
        axes.shape.insert(axes.shape.begin() + at, extent);
        return at;
    };
    switch (layout) {
    case FilterLayout::Oihw:
        axes.ci = put(0, "ci", oihw[1]) + 1;
        axes.co = put(0, "co", oihw[0]);
        axes.k = 2;
        break;
    case FilterLayout::Hwio:
        axes.ci = put(desc.rank, "ci", oihw[1]);
        axes.co = put(desc.rank + 1, "co", oihw[0]);
        axes.k = 0;
        break;
    case FilterLayout::Ohwi:
        axes.ci = put(desc.rank, "ci", oihw[1]) + 1;
        axes.co = put(0, "co", oihw[0]);
        axes.k = 1;
        break;
    }
    return axes;
}

/// Strides in elements of a dense tensor in C order.
std::vector<int64_t> dense_strides(const std::vector<int64_t> &shape) {
    std::vector<int64_t> strides(shape.size(), 1);
    for (size_t i = shape.size(); i-- > 1;)
        strides[i - 1] = strides[i] * shape[i];
    return strides;
}

/// The axes `order` of a dense tensor as buffer dimensions, innermost first; -1 stands for an axis it lacks.
void set_dims(TensorCheck &check, const std::vector<int> &order) {
    const std::vector<int64_t> shape = check.want.shape_vector();
    const std::vector<int64_t> strides = dense_strides(shape);
    for (const int axis : order) {
        check.dims[check.dimensions++] =
            axis < 0 ? halide_dimension_t(0, 1, static_cast<int32_t>(check.want.elements()))
                     : halide_dimension_t(0, static_cast<int32_t>(shape[axis]),
                                          static_cast<int32_t>(strides[axis]));
    }
}

/// Kernel axes innermost first as the packing code takes them: {kx, ky, kz}, -1 where rank is smaller.
std::array<int, kMaxSpatialRank> kernel_axis_order(int rank, int first) {
    std::array<int, kMaxSpatialRank> order = {-1, -1, -1};
    for (int i = 0; i < rank; i++)
        order[i] = first + rank - 1 - i;
    return order;
}

TensorCheck user_filter_check(const ConvDesc &desc, FilterLayout layout) {
    const FilterAxes axes = filter_axes(desc, layout);
    TensorCheck check;
    check.name = "filter";
    check.axes = axes.names;
    check.want = TensorView(nullptr, desc.weight_type, axes.shape);
    check.element_bytes = dtype_bytes(desc.weight_type);
    check.bytes = static_cast<size_t>(check.want.elements()) * check.element_bytes;
    const auto k = kernel_axis_order(desc.rank, axes.k);
    set_dims(check, {axes.co, axes.ci, k[0], k[1], k[2]});
    return check;
}

/// {co_i, ci, kx, ky, kz, co_o} of a tensor [co_o][k...][ci][co_i].
TensorCheck packed_filter_check(const ConvDesc &desc, const Tensor &packed) {
    TensorCheck check;
    check.name = "packed filter";
    check.want = TensorView(nullptr, packed.dtype(), packed.shape());
    const auto k = kernel_axis_order(desc.rank, 1);
    set_dims(check, {desc.rank + 2, desc.rank + 1, k[0], k[1], k[2], 0});
    return check;
}

[[noreturn]] void unexpected(const char *name) {
    throw Error(ErrorCode::BadArgument,
                std::string(name) + ": given, but the descriptor's epilogue has no stage that reads it");
}

class ConvKernel : public Kernel {
public:
    explicit ConvKernel(KernelParts parts);

    const ConvDesc &desc() const override { return parts_.desc; }
    const PlanChoice &choice() const override { return parts_.choice; }
    PackedFilter pack(const TensorView &filter, FilterLayout layout) const override;
    void run(const ConvTensors &tensors, const PackedFilter &filter) const override;

private:
    void run_checked(const CallCheck &call, const ConvTensors &tensors, const PackedFilter &filter) const;
    std::shared_ptr<const CallCheck> check_for(const TensorView &input) const;
    const TensorView &view_of(TensorRole role, const ConvTensors &tensors, const PackedFilter &filter) const;

    const KernelParts parts_;
    const Packing packing_;
    const bool is_open_;
    const bool has_bias_;
    const bool has_residual_;
    /// The one check of a closed descriptor, the last one used of an open one (std::atomic_load and _store).
    mutable std::shared_ptr<const CallCheck> check_;
};

ConvKernel::ConvKernel(KernelParts parts)
    : parts_(std::move(parts)), packing_(parts_.choice.plan.packing(parts_.desc)),
      is_open_(parts_.desc.is_open()), has_bias_(parts_.desc.has_operand(Operand::Bias)),
      has_residual_(parts_.desc.has_operand(Operand::Residual)) {
    if (!is_open_)
        check_ = std::make_shared<const CallCheck>(make_call_check(parts_.desc, packing_));
}

PackedFilter ConvKernel::pack(const TensorView &filter, FilterLayout layout) const {
    const ConvDesc &desc = parts_.desc;
    const TensorCheck source = user_filter_check(desc, layout);
    source.check(filter);
    Tensor packed(desc.weight_type, packed_filter_shape(desc, packing_));
    const TensorCheck target = packed_filter_check(desc, packed);
    const auto code = parts_.store->pack_code(desc.weight_type, packing_, parts_.choice.plan.target);
    halide_buffer_t from = source.buffer(filter);
    halide_buffer_t to = target.buffer(packed.view());
    std::array<void *, 2> buffers = {&from, &to};
    code->call(buffers.data());
    return PackedFilter(std::move(packed), packing_);
}

const TensorView &ConvKernel::view_of(TensorRole role, const ConvTensors &tensors,
                                      const PackedFilter &filter) const {
    switch (role) {
    case TensorRole::Input:
        return tensors.input;
    case TensorRole::Filter:
        return filter.tensor().view();
    case TensorRole::Bias:
        return tensors.bias;
    case TensorRole::Residual:
        return tensors.residual;
    default:
        return tensors.output;
    }
}

std::shared_ptr<const CallCheck> ConvKernel::check_for(const TensorView &input) const {
    const Sizes sizes = sizes_of_input(parts_.desc, input);
    std::shared_ptr<const CallCheck> last = std::atomic_load(&check_);
    if (last && last->sizes.n == sizes.n && last->sizes.in == sizes.in)
        return last;
    auto made = std::make_shared<CallCheck>(make_call_check(with_sizes(parts_.desc, sizes), packing_));
    made->sizes = sizes;
    std::atomic_store(&check_, std::shared_ptr<const CallCheck>(made));
    return made;
}

void ConvKernel::run(const ConvTensors &tensors, const PackedFilter &filter) const {
    if (!has_bias_ && tensors.bias.data)
        unexpected("bias");
    if (!has_residual_ && tensors.residual.data)
        unexpected("residual");
    if (!(filter.packing() == packing_)) {
        throw Error(ErrorCode::BadArgument,
                    "filter: packed in blocks of " + std::to_string(filter.packing().co_block) +
                        " output channels, this kernel reads blocks of " + std::to_string(packing_.co_block));
    }
    if (is_open_)
        run_checked(*check_for(tensors.input), tensors, filter);
    else
        run_checked(*check_, tensors, filter);
}

void ConvKernel::run_checked(const CallCheck &call, const ConvTensors &tensors,
                             const PackedFilter &filter) const {
    std::array<halide_buffer_t, kMaxCallTensors> buffers;
    std::array<void *, kMaxCallTensors> arguments = {};
    const size_t count = call.tensors.size();
    for (size_t i = 0; i < count; i++) {
        const TensorView &view = view_of(call.roles[i], tensors, filter);
        call.tensors[i].check(view);
        buffers[i] = call.tensors[i].buffer(view);
        arguments[i] = &buffers[i];
    }
    const size_t output = count - 1; // the last TensorRole
    for (size_t i = 0; i < output; i++) {
        check_disjoint(call.tensors[output], tensors.output, call.tensors[i],
                       view_of(call.roles[i], tensors, filter));
    }
    parts_.code->call(arguments.data());
}

} // namespace

std::shared_ptr<const Kernel> make_conv_kernel(KernelParts parts) {
    return std::make_shared<const ConvKernel>(std::move(parts));
}

} // namespace convsmith
