// How long the threads of a process waited for a core: what other work, or threads of the same process on one
// core, takes from a measurement. From Linux's scheduler statistics; before it: nothing of ours, after it:
// measure.h.
#pragma once

#include <optional>
#include <sys/types.h>

namespace convsmith::autotune {

/// Nanoseconds that the living threads of `process` (0: this one) have been ready to run but waited, summed
/// over threads; a thread's wait counts when it ends. Nothing where the system does not say.
std::optional<double> run_delay_ns(pid_t process = 0);

} // namespace convsmith::autotune
