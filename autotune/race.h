// Racing: many candidates are timed a little, the better ones more often. Rounds in which the machine was
// disturbed do not count. Knows nothing of kernels: whoever races says how a block of each contestant is
// timed.
#pragma once

#include "runtime/records/statistics.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace convsmith::autotune {

struct RaceOptions {
    /// Rounds after which the slower half of those still in the race drops out.
    std::vector<int> stages = {1, 3, 9, 27};
    /// A round counts if the probe took at most this many times its best.
    double disturbed = 1.03;
    uint64_t seed = 1;             ///< of the order within each round
    std::function<bool()> is_over; ///< asked before each round; null: never
};

/// What the race found of one contestant.
struct Racer {
    bool has_failed = false; ///< could not be timed; not by losing
    std::vector<double> ns;  ///< a call, by round
    /// Median over its rounds of its time / the first contestant's time in the same round.
    double ratio = 1;
    /// The chance to win as many rounds against the first one if both were equally fast (sign test).
    double p_value = 1;
};

struct RaceResult {
    std::vector<Racer> racers; ///< as many as contestants, in their order
    double probe_ns = 0;       ///< median over the rounds that count
    int rounds = 0;            ///< that count
    int disturbed = 0;         ///< that do not

    /// The contestant with the lowest ratio if it is faster than the first beyond doubt (by `least_gain` and
    /// with p < 0.05), else the first.
    size_t winner(double least_gain = 0.01) const;
};

/// Races contestants 0, 1, ..., count - 1. Contestant 0 is the one to beat and never drops out. `time`
/// returns the nanoseconds of a call in a block of contestant i, or nothing if that cannot be had any more;
/// `probe` those of fixed work that says what the machine gives just then, timed at either end of a round. If
/// most rounds are disturbed, they count after all: a busy machine must not stop the race.
RaceResult race(size_t count, const std::function<std::optional<double>(size_t i)> &time,
                const std::function<double()> &probe, const RaceOptions &options = RaceOptions());

} // namespace convsmith::autotune
