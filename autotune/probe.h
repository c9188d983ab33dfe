// Fixed work that says what a core gives just now: a loop of independent multiply-adds that never leaves the
// registers. The tuner's races (race.h) and bench time it beside kernels.
#pragma once

#include "runtime/records/hardware.h"

#include <cstdint>
#include <functional>

namespace convsmith::autotune {

/// A loop of multiply-adds: `flops` operations per iteration; the result only keeps the work from being
/// dropped.
struct FmaLoop {
    const char *vector_unit; ///< "avx512f", "avx2" or "generic"
    double flops;
    float (*run)(int64_t iterations);
};

/// The loop for the widest vectors of this machine.
FmaLoop best_fma_loop();

/// A call that only multiplies and adds, for one thread. Timed in the same rounds as a kernel, it says what
/// the clock allowed just then: the peak moves with the temperature and with what other cores do.
struct FmaProbe {
    std::function<void()> call;
    double flops = 0; ///< f32 operations of a call
};
FmaProbe fma_probe();

/// The best of several short runs, some 0.2 s in all: a roof is what the machine can do, not what it does
/// while disturbed. Throws Error(Io) if no threads or memory can be had.
Roofs measure_roofs(int threads);

} // namespace convsmith::autotune
