// The measuring protocol: calls repeated to blocks that a clock can time, and several ways to compute one
// thing timed side by side in interleaved rounds. Used for our kernels against their peers (bench/compare.h)
// and, with the same rules, by anything else that claims a time.
#pragma once

#include "runtime/records/statistics.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace convsmith::autotune {

/// One way to do the work.
struct Contestant {
    std::string name;
    std::function<void()> call;
    /// Where the work is done elsewhere: makes that many calls and returns the nanoseconds they took on the
    /// clock over there. Null: `call` is timed here.
    std::function<double(int64_t calls)> block = nullptr;
    pid_t process = 0; ///< where the work is done, on this machine; 0: here
};

/// A clock in nanoseconds; empty: the steady clock.
using NanosecondClock = std::function<double()>;

/// run_delay_ns of a process; empty: that of run_delay.h.
using DelayClock = std::function<std::optional<double>(pid_t process)>;

/// A contestant's call, repeated until a clock can time it.
class Block {
public:
    /// Calls the contestant until its time is known, which also warms it up. A block takes about `block_ns`.
    Block(Contestant contestant, double block_ns, NanosecondClock now = nullptr,
          DelayClock run_delay = nullptr);

    /// Untimed calls first, for `settle_ns` and at least one: they bring the contestant's data back into the
    /// caches, and cores and threads out of their sleep. Then nanoseconds of a call, over a block.
    double ns_per_call(double settle_ns = 0);

    /// Part of the last block's time that threads of the contestant's process waited for a core, in all; 0
    /// where the system does not say.
    double waiting() const { return waiting_; }

private:
    double time_calls(int64_t calls) const;

    Contestant contestant_;
    NanosecondClock now_;
    DelayClock run_delay_;
    double waiting_ = 0;
    int64_t calls_ = 1; ///< of a block
};

struct MeasureOptions {
    int rounds = 15;
    double block_ns = 4e6; ///< a block repeats the call until it takes at least this long
    /// Nothing runs for this long before a contestant does: threads that the last one left spinning for more
    /// work go to sleep, instead of taking a core from the next.
    double idle_ns = 0;
    /// Untimed calls before each block take at least this long, and at least one is made.
    double settle_ns = 0;
    uint64_t seed = 1; ///< of the order of the contestants within each round
    NanosecondClock now_ns;
    DelayClock run_delay_ns;
};

/// What a contestant took, and how it compares with the first.
struct Measured {
    std::string name;
    Timing ns;
    double ratio = 1; ///< median over rounds of (this one's time / the first one's time in the same round)
};

/// Times every contestant: each is called until a block's length is known (that is its warm-up); then every
/// round runs one block of each contestant in random order, so that a disturbance hits all of them alike and
/// the per-round ratio cancels slow drifts of the clock. A block whose threads waited for cores is taken
/// again a few times, for one that waited less: others were at work, or the system ran two of its threads on
/// one core, as it may for several milliseconds after a rest. Results are in the order given. Throws
/// Error(BadArgument) for no contestant or fewer than one round.
std::vector<Measured> measure(const std::vector<Contestant> &contestants, const MeasureOptions &options);

} // namespace convsmith::autotune
