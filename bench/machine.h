// What the machine can do, measured here and now: the roof that percentages of peak refer to. Consumed by
// bench, gbench and the demo.
#pragma once

#include "autotune/probe.h"

#include <cstddef>
#include <string>

namespace convsmith::bench {

struct Machine : autotune::Roofs {
    std::string cpu;         ///< model name as the system reports it
    int cores = 1;           ///< that this process may run on
    int threads = 1;         ///< used for the two measured numbers
    std::string vector_unit; ///< "avx512f", "avx2", "generic": what the FMA loop used
    double busy_cores = 0;   ///< cores at work for others just before the measurement
};

/// Measures for about a second.
Machine measure_machine(int threads);

/// Peak for elements of `bytes` bytes: registers hold half as many f64 as f32.
double peak_gflops(const Machine &machine, size_t bytes);

/// Why times taken now would be doubtful ("other processes keep 1.00 cores busy"); empty if nothing is.
std::string load_warning(const Machine &machine);

} // namespace convsmith::bench
