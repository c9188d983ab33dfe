// The memory that kernels take while they run: the Halide runtime's malloc is replaced by one that counts.
// Used by the tuner, which records it, and by tests. Before it: orc_linker.h.
#pragma once

#include <cstdint>
#include <functional>

namespace convsmith {

/// Bytes of heap that kernels held.
struct WorkspaceUse {
    int64_t peak = 0; ///< most at a time
    int64_t left = 0; ///< not given back at the end: 0 unless a kernel keeps memory
};

/// What the kernels that `work` calls take, on whatever threads. Stacks are not counted. No other kernel may
/// run in the process meanwhile. Throws Error(Internal) if no kernel has been linked yet, and what `work`
/// throws.
WorkspaceUse measure_workspace(const std::function<void()> &work);

} // namespace convsmith
