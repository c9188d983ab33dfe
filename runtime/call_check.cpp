// Checks of the tensors of a call (see call_check.h).
#include "runtime/call_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace convsmith {

namespace {

[[noreturn]] void bad_argument(const std::string &message) {
    throw Error(ErrorCode::BadArgument, message);
}

std::vector<std::string> spatial_names(int rank) {
    std::vector<std::string> names;
    for (int axis = 0; axis < rank; axis++)
        names.emplace_back(1, axis_name(axis, rank));
    return names;
}

TensorCheck make_check(const ConvDesc &closed, const Packing &packing, const TensorSpec &spec) {
    TensorCheck check;
    check.name = spec.name;
    check.axes = axis_names(op_of(closed, spec), spec);
    check.want = TensorView(nullptr, spec.dtype, spec.shape);
    check.element_bytes = dtype_bytes(spec.dtype);
    check.bytes = static_cast<size_t>(check.want.elements()) * check.element_bytes;
    const BufferDims dims = buffer_dims(closed, packing, spec);
    check.begin_bytes = static_cast<size_t>(dims.begin) * check.element_bytes;
    check.dimensions = dims.count;
    for (int i = 0; i < dims.count; i++)
        check.dims[i] = halide_dimension_t(0, dims.dims[i].extent, static_cast<int32_t>(dims.dims[i].stride));
    return check;
}

} // namespace

halide_type_t runtime_type(DType type) {
    const auto bits = static_cast<uint8_t>(8 * dtype_bytes(type));
    switch (type) {
    case DType::F16:
    case DType::F32:
    case DType::F64:
        return halide_type_t(halide_type_float, bits);
    case DType::BF16:
        return halide_type_t(halide_type_bfloat, bits);
    case DType::I8:
    case DType::I16:
    case DType::I32:
    case DType::I64:
        return halide_type_t(halide_type_int, bits);
    case DType::Bool:
        return halide_type_t(halide_type_uint, 1);
    default:
        return halide_type_t(halide_type_uint, bits);
    }
}

std::vector<std::string> kernel_axis_names(int rank) {
    std::vector<std::string> names = spatial_names(rank);
    for (std::string &name : names)
        name = "k" + name;
    return names;
}

std::vector<std::string> axis_names(const ConvDesc &desc, const TensorSpec &spec) {
    const TensorRole role = spec.role;
    if (role == TensorRole::Operand && operand_info(spec.operand).shape == OperandShape::PerChannel)
        return {"co"};
    if (role == TensorRole::Operand && operand_info(spec.operand).shape == OperandShape::PerImageChannel)
        return {"n", "co"};
    std::vector<std::string> names;
    if (role == TensorRole::Filter) {
        names = kernel_axis_names(desc.rank);
        names.insert(names.begin(), "co_o");
        names.insert(names.end(), {"ci", "co_i"});
        return names;
    }
    names = spatial_names(desc.rank);
    const bool like_input =
        role == TensorRole::Input || role == TensorRole::Offset || role == TensorRole::Mask;
    const Layout layout = like_input ? desc.in_layout : desc.out_layout;
    names.insert(layout == Layout::ChannelsLast ? names.end() : names.begin(), "c");
    names.insert(names.begin(), "n");
    return names;
}

bool TensorCheck::matches(const TensorView &got) const {
    if (got.data == nullptr || got.dtype != want.dtype || got.rank != want.rank)
        return false;
    for (int i = 0; i < want.rank; i++) {
        if (got.shape[i] != want.shape[i])
            return false;
    }
    return reinterpret_cast<uintptr_t>(got.data) % element_bytes == 0;
}

void TensorCheck::fail(const TensorView &got) const {
    const std::string wanted = describe(want);
    if (got.data == nullptr)
        bad_argument(fmt::format("{}: has no data, want {}", name, wanted));
    if (got.dtype != want.dtype)
        bad_argument(
            fmt::format("{}: type is {}, want {}", name, dtype_name(got.dtype), dtype_name(want.dtype)));
    if (got.rank != want.rank)
        bad_argument(fmt::format("{}: has {} dimensions, want {}: {}", name, got.rank, want.rank, wanted));
    for (int i = 0; i < want.rank; i++) {
        if (got.shape[i] != want.shape[i]) {
            bad_argument(fmt::format("{}: axis {} ({}) is {}, want {}: got {}, want {}", name, i, axes[i],
                                     got.shape[i], want.shape[i], describe(got), wanted));
        }
    }
    bad_argument(fmt::format("{}: data is not aligned to its {} byte elements", name, element_bytes));
}

halide_buffer_t TensorCheck::buffer(const TensorView &view) const {
    halide_buffer_t buffer = {};
    buffer.host = static_cast<uint8_t *>(view.data) + begin_bytes;
    buffer.type = runtime_type(view.dtype);
    buffer.dimensions = dimensions;
    // A kernel writes dims only in a bounds query, that is if host is null; check() excludes it.
    buffer.dim = const_cast<halide_dimension_t *>(dims.data());
    return buffer;
}

CallCheck make_call_check(const ConvDesc &closed, const Packing &packing) {
    CallCheck call;
    for (const TensorSpec &spec : tensor_specs(closed, packing)) {
        call.roles.push_back(spec.role);
        call.tensors.push_back(make_check(closed, packing, spec));
    }
    if (call.tensors.size() > kMaxCallTensors)
        throw Error(ErrorCode::Unsupported, fmt::format("{}: takes {} tensors, want at most {}", closed.key(),
                                                        call.tensors.size(), kMaxCallTensors));
    return call;
}

Sizes sizes_of_input(const ConvDesc &desc, const TensorView &input) {
    if (input.data == nullptr)
        bad_argument(fmt::format("input: has no data, want {}", dtype_name(desc.in_type)));
    if (input.rank != desc.rank + 2) {
        bad_argument(fmt::format("input: has {} dimensions, want {}: {}", input.rank, desc.rank + 2,
                                 layout_name(desc.in_layout, desc.rank)));
    }
    const auto open_extent = [&](int axis, int fixed) {
        if (fixed != 0)
            return fixed; // whether the input agrees is checked with every other axis
        const int64_t extent = input.shape[axis];
        if (extent < 1 || extent > std::numeric_limits<int>::max()) {
            bad_argument(fmt::format("input: axis {} ({}) is {}, want 1 to {}", axis,
                                     axis_names(desc, tensor_specs(desc, Packing())[0])[axis], extent,
                                     std::numeric_limits<int>::max()));
        }
        return static_cast<int>(extent);
    };
    Sizes sizes;
    sizes.n = open_extent(0, desc.n);
    const int first = desc.in_layout == Layout::ChannelsLast ? 1 : 2;
    for (int a = 0; a < desc.rank; a++)
        sizes.in[a] = open_extent(first + a, desc.in[a]);
    return sizes;
}

void check_no_others(const CallCheck &call, const NamedTensors &tensors, size_t used) {
    size_t given = 0;
    for (const auto &[name, view] : tensors)
        given += view.data != nullptr ? 1 : 0;
    if (given == used)
        return;
    std::string takes;
    for (size_t i = 0; i < call.tensors.size(); i++) {
        if (call.roles[i] != TensorRole::Filter)
            takes += (takes.empty() ? "" : ", ") + call.tensors[i].name;
    }
    for (const auto &[name, view] : tensors) {
        const auto is_it = [&name = name](const TensorCheck &check) { return check.name == name; };
        if (view.data != nullptr && std::none_of(call.tensors.begin(), call.tensors.end(), is_it))
            bad_argument(fmt::format("{}: given, but the kernel takes {}", name, takes));
    }
    bad_argument("filter: given as a tensor, want it packed by Kernel::pack");
}

void check_disjoint(const TensorCheck &a, const TensorView &a_view, const TensorCheck &b,
                    const TensorView &b_view) {
    const auto a_begin = reinterpret_cast<uintptr_t>(a_view.data);
    const auto b_begin = reinterpret_cast<uintptr_t>(b_view.data);
    if (a_begin < b_begin + b.bytes && b_begin < a_begin + a.bytes)
        bad_argument(fmt::format("{}: overlaps {} in memory, want separate tensors", a.name, b.name));
}

} // namespace convsmith
