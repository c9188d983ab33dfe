// Views of caller-owned tensors and owned, aligned tensors (see tensor.h). Before it: element types; after
// it: the oracle, the JIT's checked calls and every program that holds data.
#include "runtime/tensor.h"

#include "generators/signature.h"

#include <cstring>
#include <limits>
#include <new>
#include <sys/mman.h>

namespace convsmith {

namespace {

/// Of x86-64 and arm-64 with pages of 4 KiB.
constexpr size_t kHugePage = size_t{2} * 1024 * 1024;

void check_shape(const std::vector<int64_t> &shape) {
    if (shape.size() > kMaxTensorRank) {
        throw Error(ErrorCode::BadArgument, "tensor: has " + std::to_string(shape.size()) +
                                                " dimensions, want at most " +
                                                std::to_string(kMaxTensorRank));
    }
    for (size_t i = 0; i < shape.size(); i++) {
        if (shape[i] < 0) {
            throw Error(ErrorCode::BadArgument, "tensor: axis " + std::to_string(i) + " is " +
                                                    std::to_string(shape[i]) + ", want 0 or more");
        }
    }
}

/// Bytes of a tensor to allocate, rounded up to the alignment, at least one unit.
size_t allocation_bytes(DType dtype, const std::vector<int64_t> &shape) {
    const auto limit = static_cast<size_t>(std::numeric_limits<int64_t>::max()) - kTensorAlignment;
    size_t bytes = dtype_bytes(dtype);
    for (const int64_t extent : shape) {
        const auto e = static_cast<size_t>(extent);
        if (e != 0 && bytes > limit / e)
            throw Error(ErrorCode::BadArgument, "tensor: " + shape_text(shape) + " does not fit in memory");
        bytes *= e;
    }
    return (bytes / kTensorAlignment + 1) * kTensorAlignment;
}

[[noreturn]] void no_double_access(DType dtype) {
    throw Error(ErrorCode::Unsupported,
                "tensor: elements of " + dtype_name(dtype) + " cannot be read as numbers yet");
}

} // namespace

TensorView::TensorView(void *data_, DType dtype_, const std::vector<int64_t> &shape_)
    : data(data_), dtype(dtype_), rank(static_cast<int>(shape_.size())) {
    check_shape(shape_);
    for (int i = 0; i < rank; i++)
        shape[i] = shape_[i];
}

int64_t TensorView::elements() const {
    int64_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= shape[i];
    return count;
}

std::string shape_text(const std::vector<int64_t> &shape) {
    std::string text;
    for (const int64_t extent : shape)
        text += "[" + std::to_string(extent) + "]";
    return text;
}

std::string describe(const TensorView &view) {
    return dtype_name(view.dtype) + " " + shape_text(view.shape_vector());
}

Tensor::Tensor(DType dtype, const std::vector<int64_t> &shape) : Tensor(dtype, shape, false) {}

Tensor Tensor::on_huge_pages(DType dtype, const std::vector<int64_t> &shape) {
    return Tensor(dtype, shape, true);
}

Tensor::Tensor(DType dtype, const std::vector<int64_t> &shape, bool on_huge_pages) {
    check_shape(shape);
    size_t bytes = allocation_bytes(dtype, shape);
    const bool is_huge = on_huge_pages && bytes >= kHugePage;
    const size_t alignment = is_huge ? kHugePage : kTensorAlignment;
    bytes = (bytes + alignment - 1) / alignment * alignment;
    memory_.reset(std::aligned_alloc(alignment, bytes));
    if (!memory_)
        throw std::bad_alloc();
    if (is_huge)
        madvise(memory_.get(), bytes, MADV_HUGEPAGE); // a wish: without them the tensor is as good
    std::memset(memory_.get(), 0, bytes);
    view_ = TensorView(memory_.get(), dtype, shape);
}

namespace {

/// Calls `visit` with a pointer to the tensor's elements in their C++ type.
template<typename Visit>
auto visit_elements(const TensorView &view, const Visit &visit) {
    switch (view.dtype) {
    case DType::F32:
        return visit(static_cast<float *>(view.data));
    case DType::F64:
        return visit(static_cast<double *>(view.data));
    case DType::I8:
        return visit(static_cast<int8_t *>(view.data));
    case DType::U8:
    case DType::Bool:
        return visit(static_cast<uint8_t *>(view.data));
    case DType::I16:
        return visit(static_cast<int16_t *>(view.data));
    case DType::U16:
        return visit(static_cast<uint16_t *>(view.data));
    case DType::I32:
        return visit(static_cast<int32_t *>(view.data));
    case DType::U32:
        return visit(static_cast<uint32_t *>(view.data));
    case DType::I64:
        return visit(static_cast<int64_t *>(view.data));
    case DType::U64:
        return visit(static_cast<uint64_t *>(view.data));
    case DType::F16:
    case DType::BF16:
        break;
    }
    no_double_access(view.dtype);
}

} // namespace

double element(const TensorView &view, int64_t i) {
    return visit_elements(view, [&](const auto *data) { return static_cast<double>(data[i]); });
}

double Tensor::get(int64_t i) const {
    return element(view_, i);
}

void Tensor::set(int64_t i, double value) {
    visit_elements(view_, [&](auto *data) { data[i] = static_cast<std::decay_t<decltype(*data)>>(value); });
}

NamedTensors::NamedTensors(std::initializer_list<std::pair<std::string_view, TensorView>> tensors) {
    for (const auto &[name, view] : tensors)
        tensors_.emplace_back(name, view);
}

TensorView &NamedTensors::operator[](std::string_view name) {
    for (auto &[known, view] : tensors_) {
        if (known == name)
            return view;
    }
    return tensors_.emplace_back(name, TensorView()).second;
}

const TensorView &NamedTensors::get(std::string_view name) const {
    static const TensorView none;
    for (const auto &[known, view] : tensors_) {
        if (known == name)
            return view;
    }
    return none;
}

} // namespace convsmith
