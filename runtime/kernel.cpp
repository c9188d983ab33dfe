// The Kernel of a convolution (see kernel.h): packs weights and calls code with checked tensors. Before it:
// call_check.h and object_store.h; after it: jit.cpp.
#include "generators/composite.h"
#include "runtime/call_check.h"
#include "runtime/conv_kernel.h"
#include "runtime/device_call.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <set>
#include <utility>

namespace convsmith {

namespace {

/// User weights: names, extents and strides of their axes in memory, and the dimensions of the packing code.
struct FilterAxes {
    std::vector<std::string> names; ///< outermost first
    std::vector<int64_t> shape;
    BufferDim co, groups, ci; ///< of a group, the groups, of a group
    std::array<BufferDim, kMaxSpatialRank> k;
};

/// An axis in memory, outermost first: what it counts and how far.
struct Axis {
    std::string name;
    int64_t extent;
};

FilterAxes filter_axes(const ConvDesc &desc, FilterLayout layout) {
    const bool swapped = desc.op == Op::Deconv && layout != FilterLayout::Ohwi;
    const int ci = desc.ci / desc.groups, co = desc.co / desc.groups;
    // The axis that counts all groups, and the one within a group.
    const Axis whole = swapped ? Axis{"ci", desc.ci} : Axis{"co", desc.co};
    const Axis part = swapped ? Axis{"co", co} : Axis{"ci", ci};
    std::vector<Axis> kernel;
    const std::vector<std::string> names = kernel_axis_names(desc.rank);
    for (int a = 0; a < desc.rank; a++)
        kernel.push_back({names[a], desc.kernel[a]});
    std::vector<Axis> axes;
    const auto append = [&](const std::vector<Axis> &more) {
        axes.insert(axes.end(), more.begin(), more.end());
    };
    switch (layout) {
    case FilterLayout::Oihw:
        append({whole, part});
        append(kernel);
        break;
    case FilterLayout::Hwio:
        append(kernel);
        append({part, whole});
        break;
    case FilterLayout::Ohwi:
        append({whole});
        append(kernel);
        append({part});
        break;
    }
    FilterAxes result;
    result.k.fill({1, 1});
    int64_t stride = 1;
    for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
        result.names.insert(result.names.begin(), axis->name);
        result.shape.insert(result.shape.begin(), axis->extent);
        const auto spatial = std::find(names.begin(), names.end(), axis->name);
        if (spatial != names.end()) {
            const auto from_inner = static_cast<size_t>(names.end() - spatial) - 1;
            result.k[from_inner] = {static_cast<int>(axis->extent), stride};
        } else {
            const bool is_whole = axis->name == whole.name;
            if (axis->name == "co")
                result.co = {co, stride};
            else
                result.ci = {ci, stride};
            if (is_whole)
                result.groups = {desc.groups, stride * (swapped ? ci : co)};
        }
        stride *= axis->extent;
    }
    return result;
}

void add_dim(TensorCheck &check, const BufferDim &dim) {
    check.dims[check.dimensions++] = halide_dimension_t(0, dim.extent, static_cast<int32_t>(dim.stride));
}

TensorCheck user_filter_check(const ConvDesc &desc, FilterLayout layout) {
    const FilterAxes axes = filter_axes(desc, layout);
    TensorCheck check;
    check.name = "filter";
    check.axes = axes.names;
    check.want = TensorView(nullptr, desc.weight_type, axes.shape);
    check.element_bytes = dtype_bytes(desc.weight_type);
    check.bytes = static_cast<size_t>(check.want.elements()) * check.element_bytes;
    for (const BufferDim &dim : {axes.co, axes.groups, axes.ci, axes.k[0], axes.k[1], axes.k[2]})
        add_dim(check, dim);
    return check;
}

/// {co_i, ci, kx, ky, kz, co_o} of a tensor [co_o][k...][ci][co_i].
TensorCheck packed_filter_check(const ConvDesc &desc, const Tensor &packed) {
    TensorCheck check;
    check.name = "packed filter";
    check.want = TensorView(nullptr, packed.dtype(), packed.shape());
    const std::vector<int64_t> shape = packed.shape();
    int64_t stride = 1;
    for (size_t i = shape.size(); i-- > 0;) {
        if (i == 0) { // kernel axes that the rank lacks
            for (int a = desc.rank; a < kMaxSpatialRank; a++)
                add_dim(check, {1, stride});
        }
        add_dim(check, {static_cast<int>(shape[i]), stride});
        stride *= shape[i];
    }
    return check;
}

/// "in blocks of 16 output channels, transformed for tiles of 4"
std::string packing_text(const Packing &packing) {
    return "in blocks of " + std::to_string(packing.co_block) + " output channels" +
           (packing.by_group ? " of each group" : "") +
           (packing.is_transformed() ? ", transformed for tiles of " + std::to_string(packing.tile) : "");
}

/// What the code takes: pointers to buffers.
struct Arguments {
    std::array<halide_buffer_t, kMaxCallTensors> buffers;
    std::array<void *, kMaxCallTensors> pointers = {};
    std::vector<DeviceArgument> on_device; ///< of a GPU's kernel
};

/// Throws Error unless the tensors are those that `call` wants; then fills the arguments.
void check_tensors(const CallCheck &call, const NamedTensors &tensors, const PackedFilter &filter,
                   bool is_for_gpu, Arguments &arguments) {
    std::array<const TensorView *, kMaxCallTensors> views = {};
    const size_t count = call.tensors.size();
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const bool is_filter = call.roles[i] == TensorRole::Filter;
        views[i] =
            is_filter ? &filter.tensor(call.tensors[i].name).view() : &tensors.get(call.tensors[i].name);
        used += !is_filter && views[i]->data != nullptr ? 1 : 0;
        call.tensors[i].check(*views[i]);
        arguments.buffers[i] = call.tensors[i].buffer(*views[i]);
        arguments.pointers[i] = &arguments.buffers[i];
        if (is_for_gpu)
            arguments.on_device.push_back({&arguments.buffers[i], views[i]->is_on_device, call.is_written(i),
                                           is_filter ? filter.device_copy(call.tensors[i].name) : nullptr});
        else if (views[i]->is_on_device)
            throw Error(ErrorCode::BadArgument,
                        call.tensors[i].name + ": lies on a device, the kernel is a CPU's");
    }
    check_no_others(call, tensors, used);
    for (size_t out = 0; out < count; out++) {
        for (size_t i = 0; call.is_written(out) && i < count; i++) {
            if (i < out || (i > out && !call.is_written(i)))
                check_disjoint(call.tensors[out], *views[out], call.tensors[i], *views[i]);
        }
    }
}

class ConvKernel : public Kernel {
public:
    explicit ConvKernel(KernelParts parts);

    const ConvDesc &desc() const override { return parts_.desc; }
    const PlanChoice &choice() const override { return parts_.choice; }
    PackedFilter pack(const NamedTensors &filters, FilterLayout layout) const override;
    void run(const NamedTensors &tensors, const PackedFilter &filter) const override;
    std::function<void()> bind(const NamedTensors &tensors, const PackedFilter &filter) const override;

private:
    Tensor pack_one(const ConvDesc &op, const std::string &name, const TensorView &filter,
                    FilterLayout layout) const;
    void check(const NamedTensors &tensors, const PackedFilter &filter, Arguments &arguments) const;
    void call(Arguments &arguments) const;
    std::shared_ptr<const CallCheck> check_for(const TensorView &input) const;

    const KernelParts parts_;
    const Packing packing_;
    const bool is_open_;
    const bool has_filter_;
    const bool is_for_gpu_;
    /// The one check of a closed descriptor, the last one used of an open one (std::atomic_load and _store).
    mutable std::shared_ptr<const CallCheck> check_;
};

ConvKernel::ConvKernel(KernelParts parts)
    : parts_(std::move(parts)), packing_(parts_.choice.plan.packing(parts_.desc)),
      is_open_(parts_.desc.is_open()), has_filter_(reads_filter(parts_.desc)),
      is_for_gpu_(is_gpu(parts_.choice.plan.target)) {
    if (!is_open_)
        check_ = std::make_shared<const CallCheck>(make_call_check(parts_.desc, packing_));
}

PackedFilter ConvKernel::pack(const NamedTensors &filters, FilterLayout layout) const {
    PackedFilter result(packing_);
    std::set<std::string> known;
    for (const TensorSpec &spec : tensor_specs(parts_.desc, packing_)) {
        if (spec.role != TensorRole::Filter)
            continue;
        known.insert(spec.name);
        const ConvDesc &op = op_of(parts_.desc, spec);
        Tensor packed = pack_one(op, spec.name, filters.get(spec.name), layout);
        std::shared_ptr<const DeviceCopy> copy;
        if (is_for_gpu_) {
            const TensorCheck shape = packed_filter_check(op, packed);
            copy = std::make_shared<const DeviceCopy>(shape.buffer(packed.view()));
        }
        result.add(spec.name, std::move(packed), std::move(copy));
    }
    for (const auto &[name, view] : filters) {
        if (view.data != nullptr && known.count(name) == 0)
            throw Error(ErrorCode::BadArgument,
                        name + ": " + op_info(whole_op(parts_.desc)).name + " has no filter of that name");
    }
    return result;
}

Tensor ConvKernel::pack_one(const ConvDesc &op, const std::string &name, const TensorView &filter,
                            FilterLayout layout) const {
    TensorCheck source = user_filter_check(op, layout);
    source.name = name;
    source.check(filter);
    Tensor packed = Tensor::on_huge_pages(op.weight_type, packed_filter_shape(op, packing_));
    const TensorCheck target = packed_filter_check(op, packed);
    const auto code = parts_.store->pack_code(op.weight_type, packing_, cpu_part(parts_.choice.plan.target));
    halide_buffer_t from = source.buffer(filter);
    halide_buffer_t to = target.buffer(packed.view());
    std::array<void *, 2> buffers = {&from, &to};
    code->call(buffers.data());
    return packed;
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

void ConvKernel::check(const NamedTensors &tensors, const PackedFilter &filter, Arguments &arguments) const {
    if (has_filter_ && filter.packing() != packing_) {
        throw Error(ErrorCode::BadArgument, "filter: packed " + packing_text(filter.packing()) +
                                                ", this kernel reads " + packing_text(packing_));
    }
    if (is_open_)
        check_tensors(*check_for(tensors.get("input")), tensors, filter, is_for_gpu_, arguments);
    else
        check_tensors(*check_, tensors, filter, is_for_gpu_, arguments);
}

void ConvKernel::call(Arguments &arguments) const {
    if (!is_for_gpu_)
        parts_.code->call(arguments.pointers.data());
    else
        call_on_device(*parts_.code, arguments.on_device);
}

void ConvKernel::run(const NamedTensors &tensors, const PackedFilter &filter) const {
    Arguments arguments;
    check(tensors, filter, arguments);
    call(arguments);
}

std::function<void()> ConvKernel::bind(const NamedTensors &tensors, const PackedFilter &filter) const {
    const auto arguments = std::make_shared<Arguments>();
    check(tensors, filter, *arguments);
    if (!is_for_gpu_)
        return [code = parts_.code, arguments] { code->call(arguments->pointers.data()); };
    return [code = parts_.code, arguments] { call_on_device(*code, arguments->on_device); };
}

} // namespace

const Tensor &PackedFilter::tensor(std::string_view name) const {
    static const Tensor none;
    const Part *part = find(name);
    return part == nullptr ? none : part->tensor;
}

const DeviceCopy *PackedFilter::device_copy(std::string_view name) const {
    const Part *part = find(name);
    return part == nullptr ? nullptr : part->on_device.get();
}

const PackedFilter::Part *PackedFilter::find(std::string_view name) const {
    const auto part =
        std::find_if(parts_.begin(), parts_.end(), [&](const Part &p) { return p.name == name; });
    return part == parts_.end() ? nullptr : &*part;
}

std::shared_ptr<const Kernel> make_conv_kernel(KernelParts parts) {
    return std::make_shared<const ConvKernel>(std::move(parts));
}

} // namespace convsmith
