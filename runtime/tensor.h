// Views of caller-owned tensors and owned, aligned tensors. Public, free of Halide.
#pragma once

#include "generators/dtype.h"
#include "generators/error.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace convsmith {

/// Most dimensions a tensor has: batch, channel, three spatial axes, one more for packed blocks.
constexpr int kMaxTensorRank = 6;

/// A dense tensor in C order (outermost dimension first) that the caller owns. No allocation, cheap to copy.
struct TensorView {
    void *data = nullptr;
    DType dtype = DType::F32;
    int rank = 0;
    std::array<int64_t, kMaxTensorRank> shape = {};
    /// `data` is an address of the device's (a CUdeviceptr, a cl_mem); only for kernels of a GPU's target.
    bool is_on_device = false;

    TensorView() = default;
    TensorView(void *data_, DType dtype_, const std::vector<int64_t> &shape_);

    int64_t elements() const;
    std::vector<int64_t> shape_vector() const { return {shape.begin(), shape.begin() + rank}; }
};

/// Text like "f32 [1][56][56][64]" for messages.
std::string describe(const TensorView &view);
std::string shape_text(const std::vector<int64_t> &shape);

/// Owns zero-initialised memory aligned to kTensorAlignment.
class Tensor {
public:
    Tensor() = default;
    Tensor(DType dtype, const std::vector<int64_t> &shape);

    /// The same on huge pages where the system has them to give and the tensor fills some: for what is read
    /// from beginning to end, as packed weights are.
    static Tensor on_huge_pages(DType dtype, const std::vector<int64_t> &shape);

    const TensorView &view() const { return view_; }
    DType dtype() const { return view_.dtype; }
    std::vector<int64_t> shape() const { return view_.shape_vector(); }
    int64_t elements() const { return view_.elements(); }
    size_t bytes() const { return static_cast<size_t>(elements()) * dtype_bytes(dtype()); }
    void *data() const { return view_.data; }

    template<typename T>
    T *as() const {
        return static_cast<T *>(view_.data);
    }

    /// Element i in memory order as a double, and back (rounded to the tensor's type). Not for F16 and BF16.
    double get(int64_t i) const;
    void set(int64_t i, double value);

private:
    Tensor(DType dtype, const std::vector<int64_t> &shape, bool on_huge_pages);

    struct Free {
        void operator()(void *p) const { std::free(p); }
    };
    std::unique_ptr<void, Free> memory_;
    TensorView view_;
};

/// Element i of a view in memory order. Not for F16 and BF16.
double element(const TensorView &view, int64_t i);

/// The tensors of a call by name, in any order.
class NamedTensors {
public:
    NamedTensors() = default;
    NamedTensors(std::initializer_list<std::pair<std::string_view, TensorView>> tensors);

    /// The tensor called `name`; a new empty one if there is none.
    TensorView &operator[](std::string_view name);

    /// The tensor called `name`; an empty one (data == nullptr) if there is none.
    const TensorView &get(std::string_view name) const;

    auto begin() const { return tensors_.begin(); }
    auto end() const { return tensors_.end(); }

private:
    std::vector<std::pair<std::string, TensorView>> tensors_;
};

} // namespace convsmith
