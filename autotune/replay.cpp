// See replay.h.
#include "autotune/replay.h"

#include "autotune/strategy.h"
#include "generators/error.h"
#include "runtime/records/curate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>

namespace convsmith::autotune {

namespace {

constexpr size_t kFewestPlans = 10; ///< fewer leave nothing to search

/// What is known of a plan.
struct Known {
    std::optional<double> cost;
    bool is_sure = false; ///< can be what a search ends with
};

/// The plans of a problem that were timed, as if they were all that is legal.
struct Measured {
    ConvDesc desc;
    Space space; ///< the planner's own plan first, with or without a cost
    std::vector<Known> known;

    double best() const {
        double least = std::numeric_limits<double>::infinity();
        for (const Known &plan : known)
            least = plan.is_sure ? std::min(least, *plan.cost) : least;
        return least;
    }
};

Measured read_measured(const std::vector<const Record *> &records) {
    Measured measured;
    measured.desc = ConvDesc::parse(records.front()->key);
    const Target target = parse_target(records.front()->target);
    measured.space.plans = {make_plan(measured.desc, target).plan};
    measured.known = {Known()};
    const std::map<const Record *, double> costs = steady_costs(records);
    for (const Record *record : records) {
        const Known known = {costs.at(record), record->is_sure()};
        try {
            const Plan plan = make_plan(measured.desc, target, record->request()).plan;
            if (plan.text() == measured.space.plans.front().text()) {
                measured.known.front() = known;
                continue;
            }
            measured.space.plans.push_back(plan);
            measured.known.push_back(known);
        } catch (const Error &) { // no plan any more: the search cannot ask for it
            continue;
        }
    }
    return measured;
}

Replay search(const Measured &measured, const History &history, const ReplayOptions &options) {
    const std::unique_ptr<Strategy> strategy =
        make_strategy(options.strategy, measured.desc, measured.space, options.seed, history, options.batch);
    const double best_of_all = measured.best();
    double best = std::numeric_limits<double>::infinity();
    Replay result;
    result.key = measured.desc.key();
    const std::optional<double> own = measured.known.front().cost;
    result.plans = measured.space.plans.size() - (own ? 0 : 1);
    result.own_ratio = own.value_or(0) / best_of_all;
    std::set<size_t> tried;
    for (std::vector<size_t> batch = {0}; result.measured < options.most; batch.clear()) {
        fill_batch(batch, options.batch, tried, *strategy);
        if (batch.empty())
            break;
        for (const size_t i : batch) {
            const Known &plan = measured.known[i];
            tried.insert(i);
            strategy->learn(i, plan.cost);
            result.measured += plan.cost ? 1 : 0;
            best = plan.is_sure ? std::min(best, *plan.cost) : best;
            if (result.until_near == 0 && best <= (1 + options.near) * best_of_all)
                result.until_near = result.measured;
        }
    }
    result.ratio = best / best_of_all;
    return result;
}

} // namespace

std::vector<Replay> replay(const std::vector<Contents> &layers, const ReplayOptions &options) {
    std::vector<Replay> replays;
    for (const auto &[problem, records] : timed_by_problem(layers)) {
        const Measured measured = read_measured(records);
        if (measured.space.plans.size() < kFewestPlans || std::isinf(measured.best()))
            continue;
        const Record &any = *records.front();
        const History history =
            options.is_warm
                ? read_history(layers, measured.desc, parse_target(any.target), any.threads, any.hardware)
                : History();
        replays.push_back(search(measured, history, options));
    }
    if (replays.empty())
        throw Error(
            ErrorCode::BadArgument,
            fmt::format("replay: no problem with at least {} plans that this build timed", kFewestPlans));
    return replays;
}

} // namespace convsmith::autotune
