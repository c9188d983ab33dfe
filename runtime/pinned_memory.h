// Memory of the host's that devices read and write by themselves, at the full speed of the bus and beside the
// CPU's work; what is copied from other memory, the driver copies twice. Internal to runtime. Before it:
// cuda_library.h; after it: device_call.cpp, which lets tensors of the host's pass through.
#pragma once

#include <cstddef>

namespace convsmith {

/// A block of page-locked memory, of a pool that the process keeps: locking pages takes longer than copying
/// them.
class PinnedMemory {
public:
    /// At least `bytes`, for every context.
    explicit PinnedMemory(size_t bytes);
    ~PinnedMemory();
    PinnedMemory(const PinnedMemory &) = delete;
    PinnedMemory &operator=(const PinnedMemory &) = delete;

    /// Memory like any other if the driver has no such left: slower, and right.
    void *data() const { return data_; }

private:
    void *data_ = nullptr;
    size_t bytes_ = 0; ///< of the block
    bool is_pinned_ = true;
};

} // namespace convsmith
