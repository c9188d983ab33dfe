// See workspace.h.
#include "runtime/workspace.h"

#include "runtime/orc_linker.h"

#include <HalideRuntime.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>

namespace convsmith {

namespace {

constexpr size_t kHeader = 128; // holds the size and keeps the alignment that Halide's own malloc has

std::atomic<int64_t> live_bytes{0}, peak_bytes{0};

void *counting_malloc(void *, size_t bytes) {
    void *block = nullptr;
    if (posix_memalign(&block, kHeader, bytes + kHeader) != 0)
        return nullptr;
    *static_cast<size_t *>(block) = bytes;
    const int64_t live = live_bytes += static_cast<int64_t>(bytes);
    int64_t peak = peak_bytes;
    while (peak < live && !peak_bytes.compare_exchange_weak(peak, live)) {
    }
    return static_cast<char *>(block) + kHeader;
}

void counting_free(void *, void *memory) {
    if (memory == nullptr)
        return;
    char *const block = static_cast<char *>(memory) - kHeader;
    live_bytes -= static_cast<int64_t>(*reinterpret_cast<size_t *>(block));
    std::free(block);
}

/// Counts as long as it lives.
class CountingAllocator {
public:
    CountingAllocator() : old_malloc_(set_malloc()(counting_malloc)), old_free_(set_free()(counting_free)) {
        live_bytes = peak_bytes = 0;
    }
    ~CountingAllocator() {
        set_malloc()(old_malloc_);
        set_free()(old_free_);
    }
    CountingAllocator(const CountingAllocator &) = delete;
    CountingAllocator &operator=(const CountingAllocator &) = delete;

private:
    using SetMalloc = halide_malloc_t (*)(halide_malloc_t);
    using SetFree = halide_free_t (*)(halide_free_t);

    static SetMalloc set_malloc() {
        return reinterpret_cast<SetMalloc>(runtime_function("halide_set_custom_malloc"));
    }
    static SetFree set_free() {
        return reinterpret_cast<SetFree>(runtime_function("halide_set_custom_free"));
    }

    halide_malloc_t old_malloc_;
    halide_free_t old_free_;
};

} // namespace

WorkspaceUse measure_workspace(const std::function<void()> &work) {
    const CountingAllocator counting;
    work();
    return {peak_bytes, live_bytes};
}

} // namespace convsmith
