// See pinned_memory.h.
#include "runtime/pinned_memory.h"

#include "runtime/cuda_library.h"

#include <map>
#include <mutex>
#include <new>

namespace convsmith {

namespace {

/// Blocks that no call has, by size. They are never given back to the driver, which may be gone when the
/// process ends; so there are as many as calls had at a time.
class Pool {
public:
    static Pool &instance() {
        static Pool pool;
        return pool;
    }

    /// A block of exactly `bytes`, new if none is free.
    void *take(size_t bytes) {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            const auto found = free_.find(bytes);
            if (found != free_.end()) {
                void *const memory = found->second;
                free_.erase(found);
                return memory;
            }
        }
        return allocate(bytes);
    }

    void give(void *memory, size_t bytes) {
        const std::lock_guard<std::mutex> lock(mutex_);
        free_.emplace(bytes, memory);
    }

private:
    static void *allocate(size_t bytes) {
        const auto host_alloc =
            CudaLibrary::instance().find<int (*)(void **, size_t, unsigned)>("cuMemHostAlloc");
        const CudaContextScope scope(nullptr); // the primary one lasts; memory ends with its context
        constexpr unsigned kPortable = 1;      // CU_MEMHOSTALLOC_PORTABLE: pinned for all contexts
        void *memory = nullptr;
        const bool ok =
            host_alloc != nullptr && scope.code() == 0 && host_alloc(&memory, bytes, kPortable) == 0;
        return ok ? memory : nullptr;
    }

    std::mutex mutex_; ///< guards free_
    std::multimap<size_t, void *> free_;
};

/// Sizes of blocks: powers of two, so that layers share them.
size_t block_bytes(size_t bytes) {
    size_t block = size_t{64} << 10;
    while (block < bytes)
        block *= 2;
    return block;
}

} // namespace

PinnedMemory::PinnedMemory(size_t bytes)
    : data_(Pool::instance().take(block_bytes(bytes))), bytes_(block_bytes(bytes)) {
    is_pinned_ = data_ != nullptr;
    if (!is_pinned_)
        data_ = ::operator new(bytes_);
}

PinnedMemory::~PinnedMemory() {
    if (is_pinned_)
        Pool::instance().give(data_, bytes_);
    else
        ::operator delete(data_);
}

} // namespace convsmith
