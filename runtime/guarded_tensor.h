// Tensors that lie against inaccessible pages: a kernel that touches memory outside its caller's tensors
// crashes instead of going unnoticed. Used by the native runner and its tests.
#pragma once

#include "runtime/tensor.h"

#include <cstddef>

namespace convsmith {

/// Which end of the tensor touches an inaccessible page (the other end is at most a page away from one).
enum class Flush {
    Begin, ///< the byte before the first element traps
    End,   ///< the byte after the last element traps
};

/// Owns memory with the alignment of one element and no more, which is all that a kernel may assume.
class GuardedTensor {
public:
    /// Every byte is 0xff, a NaN in each floating-point type. Throws Error(Io) if memory cannot be mapped.
    GuardedTensor(DType dtype, const std::vector<int64_t> &shape, Flush flush);
    ~GuardedTensor();
    GuardedTensor(const GuardedTensor &) = delete;
    GuardedTensor &operator=(const GuardedTensor &) = delete;

    const TensorView &view() const { return view_; }

    /// Copies `source` (same type and shape) in, then makes the pages read-only: a kernel's write traps.
    void load_read_only(const TensorView &source);

private:
    void *mapping_ = nullptr; ///< guard page, pages of the tensor, guard page
    size_t mapping_bytes_ = 0;
    size_t page_bytes_ = 0;
    TensorView view_;
};

} // namespace convsmith
