// See measure.h. Depends on the clock only, so that tests can drive it with a made-up one.
#include "bench/measure.h"

#include "generators/error.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <random>
#include <thread>

namespace convsmith::bench {

namespace {

using Clock = std::function<double()>;

double steady_now_ns() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double, std::nano>(now).count();
}

double time_calls(const Contestant &contestant, int64_t calls, const Clock &now) {
    if (contestant.block)
        return contestant.block(calls);
    const double start = now();
    for (int64_t i = 0; i < calls; i++)
        contestant.call();
    return now() - start;
}

/// Calls per block: doubled until a block is long enough, then scaled down to what was asked for.
int64_t calls_per_block(const Contestant &contestant, double block_ns, const Clock &now) {
    constexpr int64_t kMostCalls = int64_t(1) << 24;
    contestant.call();
    for (int64_t calls = 1;; calls *= 2) {
        const double took = time_calls(contestant, calls, now);
        if (took >= block_ns || calls >= kMostCalls)
            return std::clamp<int64_t>(std::llround(std::ceil(calls * block_ns / std::max(took, 1.0))), 1,
                                       calls);
    }
}

void idle(double idle_ns) {
    if (idle_ns > 0)
        std::this_thread::sleep_for(std::chrono::duration<double, std::nano>(idle_ns));
}

/// Untimed calls: bring the contestant's data back into the caches, and cores and threads out of their sleep.
void settle(const Contestant &contestant, double settle_ns, const Clock &now) {
    const double start = now();
    do
        contestant.call();
    while (now() - start < settle_ns);
}

} // namespace

double median(std::vector<double> values) {
    if (values.empty())
        return 0;
    std::sort(values.begin(), values.end());
    const size_t half = values.size() / 2;
    return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double quartile_spread(std::vector<double> values) {
    if (values.empty())
        return 0;
    std::sort(values.begin(), values.end());
    const auto at = [&](double part) {
        const double place = part * static_cast<double>(values.size() - 1);
        const auto below = static_cast<size_t>(place);
        const size_t above = std::min(below + 1, values.size() - 1);
        return values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
    };
    return 100 * (at(0.75) - at(0.25)) / at(0.5);
}

double geometric_mean(const std::vector<double> &values) {
    if (values.empty())
        return 0;
    double sum = 0;
    for (double value : values)
        sum += std::log(value);
    return std::exp(sum / static_cast<double>(values.size()));
}

std::vector<Measured> measure(const std::vector<Contestant> &contestants, const MeasureOptions &options) {
    if (contestants.empty())
        throw Error(ErrorCode::BadArgument, "measure: no contestant");
    if (options.rounds < 1)
        throw Error(ErrorCode::BadArgument,
                    "measure: rounds is " + std::to_string(options.rounds) + ", want at least 1");
    const Clock now = options.now_ns ? options.now_ns : Clock(steady_now_ns);

    std::vector<int64_t> calls;
    for (const Contestant &contestant : contestants) {
        idle(options.idle_ns);
        calls.push_back(calls_per_block(contestant, options.block_ns, now));
    }

    std::mt19937_64 random(options.seed);
    std::vector<size_t> order(contestants.size());
    std::iota(order.begin(), order.end(), size_t(0));
    std::vector<std::vector<double>> times(contestants.size());
    for (int round = 0; round < options.rounds; round++) {
        std::shuffle(order.begin(), order.end(), random);
        for (size_t i : order) {
            idle(options.idle_ns);
            settle(contestants[i], options.settle_ns, now);
            times[i].push_back(time_calls(contestants[i], calls[i], now) / static_cast<double>(calls[i]));
        }
    }

    std::vector<Measured> results;
    for (size_t i = 0; i < contestants.size(); i++) {
        std::vector<double> ratios;
        for (int round = 0; round < options.rounds; round++)
            ratios.push_back(times[i][round] / times[0][round]);
        const double fastest = *std::min_element(times[i].begin(), times[i].end());
        const Timing timing = {fastest, median(times[i]), options.rounds, quartile_spread(times[i])};
        results.push_back({contestants[i].name, timing, median(ratios)});
    }
    return results;
}

} // namespace convsmith::bench
