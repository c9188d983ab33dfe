// The measuring protocol: several ways to compute one thing, timed side by side in interleaved rounds. Used
// for our kernels against their peers (compare.h) and, with the same rules, by anything else that claims a
// time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace convsmith::bench {

/// Time of one call in nanoseconds, over the rounds of a measurement.
struct Timing {
    double min = 0;
    double median = 0;
    int rounds = 0;
    double spread = 0; ///< half of all rounds lie within this many percent of the median: quartile distance
};

/// One way to do the work.
struct Contestant {
    std::string name;
    std::function<void()> call;
    /// Where the work is done elsewhere: makes that many calls and returns the nanoseconds they took on the
    /// clock over there. Null: `call` is timed here.
    std::function<double(int64_t calls)> block = nullptr;
};

struct MeasureOptions {
    int rounds = 15;
    double block_ns = 4e6; ///< a block repeats the call until it takes at least this long
    /// Nothing runs for this long before a contestant does: threads that the last one left spinning for more
    /// work go to sleep, instead of taking a core from the next.
    double idle_ns = 0;
    /// Untimed calls before each block take at least this long, and at least one is made.
    double settle_ns = 0;
    uint64_t seed = 1;              ///< of the order of the contestants within each round
    std::function<double()> now_ns; ///< clock; empty: the steady clock
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

/// Middle element, or the mean of the middle two; 0 for none.
double median(std::vector<double> values);

/// (upper quartile - lower quartile) / median in percent, quartiles by linear interpolation; 0 for none.
double quartile_spread(std::vector<double> values);

/// exp(mean(log(values))); 0 for none.
double geometric_mean(const std::vector<double> &values);

} // namespace convsmith::bench
