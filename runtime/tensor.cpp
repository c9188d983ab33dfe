// Views of caller-owned tensors and owned, aligned tensors (see tensor.h). Before it: element types; after
// it: the oracle, the JIT's checked calls and every program that holds data.
#include "runtime/tensor.h"

#include "generators/signature.h"

#include <cstring>
#include <limits>
#include <new>

namespace convsmith {

namespace {

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

Tensor::Tensor(DType dtype, const std::vector<int64_t> &shape) {
    check_shape(shape);
    const size_t bytes = allocation_bytes(dtype, shape);
    memory_.reset(std::aligned_alloc(kTensorAlignment, bytes));
    if (!memory_)
        throw std::bad_alloc();
    std::memset(memory_.get(), 0, bytes);
    view_ = TensorView(memory_.get(), dtype, shape);
}

double element(const TensorView &view, int64_t i) {
    switch (view.dtype) {
    case DType::F32:
        return static_cast<const float *>(view.data)[i];
    case DType::F64:
        return static_cast<const double *>(view.data)[i];
    default:
        no_double_access(view.dtype);
    }
}

double Tensor::get(int64_t i) const {
    return element(view_, i);
}

void Tensor::set(int64_t i, double value) {
    switch (view_.dtype) {
    case DType::F32:
        as<float>()[i] = static_cast<float>(value);
        return;
    case DType::F64:
        as<double>()[i] = value;
        return;
    default:
        no_double_access(view_.dtype);
    }
}

} // namespace convsmith
