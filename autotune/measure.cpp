// See measure.h. Depends on the clock and the run delay only, so that tests can drive it with made-up ones.
#include "autotune/measure.h"

#include "autotune/run_delay.h"
#include "generators/error.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <random>
#include <thread>
#include <utility>

namespace convsmith::autotune {

namespace {

double steady_now_ns() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double, std::nano>(now).count();
}

void idle(double idle_ns) {
    if (idle_ns > 0)
        std::this_thread::sleep_for(std::chrono::duration<double, std::nano>(idle_ns));
}

/// The block, taken again while its threads waited for cores; the one that waited least.
double undisturbed_ns(Block &block, double settle_ns) {
    constexpr double kLittle = 0.02;
    constexpr int kMostTries = 8;
    double ns = block.ns_per_call(settle_ns), least = block.waiting();
    for (int tries = 1; tries < kMostTries && least > kLittle; tries++) {
        const double again = block.ns_per_call(settle_ns);
        if (block.waiting() < least)
            ns = again, least = block.waiting();
    }
    return ns;
}

} // namespace

Block::Block(Contestant contestant, double block_ns, NanosecondClock now, DelayClock run_delay)
    : contestant_(std::move(contestant)), now_(now ? std::move(now) : NanosecondClock(steady_now_ns)),
      run_delay_(run_delay ? std::move(run_delay) : DelayClock(run_delay_ns)) {
    constexpr int64_t kMostCalls = int64_t(1) << 24;
    contestant_.call();
    for (int64_t calls = 1;;
         calls *= 2) { // until a block is long enough, then scaled down to what was asked for
        const double took = time_calls(calls);
        if (took >= block_ns || calls >= kMostCalls) {
            calls_ = std::clamp<int64_t>(std::llround(std::ceil(calls * block_ns / std::max(took, 1.0))), 1,
                                         calls);
            return;
        }
    }
}

double Block::ns_per_call(double settle_ns) {
    const double start = now_();
    do
        contestant_.call();
    while (now_() - start < settle_ns);
    const std::optional<double> before = run_delay_(contestant_.process);
    const double took = time_calls(calls_);
    const std::optional<double> after = run_delay_(contestant_.process);
    waiting_ = before && after && took > 0 ? (*after - *before) / took : 0;
    return took / static_cast<double>(calls_);
}

double Block::time_calls(int64_t calls) const {
    if (contestant_.block)
        return contestant_.block(calls);
    const double start = now_();
    for (int64_t i = 0; i < calls; i++)
        contestant_.call();
    return now_() - start;
}

std::vector<Measured> measure(const std::vector<Contestant> &contestants, const MeasureOptions &options) {
    if (contestants.empty())
        throw Error(ErrorCode::BadArgument, "measure: no contestant");
    if (options.rounds < 1)
        throw Error(ErrorCode::BadArgument,
                    "measure: rounds is " + std::to_string(options.rounds) + ", want at least 1");
    std::vector<Block> blocks;
    for (const Contestant &contestant : contestants) {
        idle(options.idle_ns);
        blocks.emplace_back(contestant, options.block_ns, options.now_ns, options.run_delay_ns);
    }

    std::mt19937_64 random(options.seed);
    std::vector<size_t> order(contestants.size());
    std::iota(order.begin(), order.end(), size_t(0));
    std::vector<std::vector<double>> times(contestants.size());
    for (int round = 0; round < options.rounds; round++) {
        std::shuffle(order.begin(), order.end(), random);
        for (size_t i : order) {
            idle(options.idle_ns);
            times[i].push_back(undisturbed_ns(blocks[i], options.settle_ns));
        }
    }

    std::vector<Measured> results;
    for (size_t i = 0; i < contestants.size(); i++) {
        std::vector<double> ratios;
        for (int round = 0; round < options.rounds; round++)
            ratios.push_back(times[i][round] / times[0][round]);
        results.push_back({contestants[i].name, timing_of(times[i]), median(ratios)});
    }
    return results;
}

} // namespace convsmith::autotune
