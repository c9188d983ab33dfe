// The measuring protocol: calls repeated to blocks that a clock can time, and several ways to compute one
// thing timed side by side in interleaved rounds. Used for our kernels against their peers (bench/compare.h)
// and, with the same rules, by anything else that claims a time.
#pragma once

#include "runtime/records/statistics.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace convsmith::autotune {

/// One way to do the work.
struct Contestant {
    std::string name;
    std::function<void()> call;
    /// Where the work is done elsewhere: makes that many calls and returns the nanoseconds they took on the
    /// clock over there. Null: `call` is timed here.
    std::function<double(int64_t calls)> block = nullptr;
};

/// A clock in nanoseconds; empty: the steady clock.
using NanosecondClock = std::function<double()>;

/// A contestant's call, repeated until a clock can time it.
class Block {
public:
    /// Calls the contestant until its time is known, which also warms it up. A block takes about `block_ns`.
    Block(Contestant contestant, double block_ns, NanosecondClock now = nullptr);

    /// Untimed calls first, for `settle_ns` and at least one: they bring the contestant's data back into the
    /// caches, and cores and threads out of their sleep. Then nanoseconds of a call, over a block.
    double ns_per_call(double settle_ns = 0);

private:
    double time_calls(int64_t calls) const;

    Contestant contestant_;
    NanosecondClock now_;
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
};

/// What a contestant took, and how it compares with the first.
struct Measured {
    std::string name;
    Timing ns;
    double ratio = 1; ///< median over rounds of (this one's time / the first one's time in the same round)
};

/// Times every contestant: each is called until a block's length is known (that is its warm-up); then every
/// round runs one block of each contestant in random order, so that a disturbance hits all of them alike and
/// the per-round ratio cancels slow drifts of the clock. Results are in the order given. Throws
/// Error(BadArgument) for no contestant or fewer than one round.
std::vector<Measured> measure(const std::vector<Contestant> &contestants, const MeasureOptions &options);

} // namespace convsmith::autotune
