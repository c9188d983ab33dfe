// Which machine this is, as far as the speed of a kernel depends on it. Part of every tuning record
// (record.h); decides which records fit (lookup.h).
#pragma once

#include "schedules/target.h"

#include <array>
#include <cstdint>
#include <string>

namespace convsmith::autotune {

struct Hardware {
    std::string cpu;               ///< model name as the system reports it, e.g. "AMD EPYC 7763"
    std::string microarchitecture; ///< LLVM's name, e.g. "znver3"; without one vendor, family and model
    int cores = 0;                 ///< that the system has, not those that this process may use
    int64_t l1_bytes = 0;          ///< data caches as one core sees them; 0: not known
    int64_t l2_bytes = 0;
    int64_t l3_bytes = 0;

    bool operator==(const Hardware &o) const;
    bool operator!=(const Hardware &o) const { return !(*this == o); }
};

/// What a machine can do at most: the roofs that speeds are compared with (measure_roofs, autotune/probe.h).
struct Roofs {
    double peak_gflops = 0; ///< f32 multiply-adds from registers, all threads together, 2 operations each
    /// memcpy of blocks larger than the caches, bytes read + bytes written, all threads together.
    double copy_gb_per_s = 0;
};

/// What a machine says of itself, as text.
struct HardwareFacts {
    std::string cpuinfo; ///< the first processor's part of /proc/cpuinfo
    std::string core; ///< what GCC or LLVM call the core, if a program has asked it; "" or "unknown" if not
    int cores = 0;
    std::array<std::string, 3> cache_sizes; ///< of levels 1 to 3, as sysfs writes them: "512K"
};
Hardware hardware_of(const HardwareFacts &facts);

/// Its instruction set extensions as Linux calls them, between spaces: "fpu vme ... avx2".
std::string cpu_flags(const std::string &cpuinfo);

/// The machine this process runs on.
const Hardware &host_hardware();

/// What kernels of the target run on here: of a CUDA target the first device, its multiprocessors for cores;
/// else the machine.
Hardware hardware_for(const Target &target);

} // namespace convsmith::autotune
