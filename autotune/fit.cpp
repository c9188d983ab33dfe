// See fit.h.
#include "autotune/fit.h"

#include "autotune/effects.h"
#include "generators/error.h"
#include "runtime/records/curate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

namespace convsmith::autotune {

namespace {

constexpr size_t kFewestPlans = 10;
constexpr size_t kFirst = 30;  ///< measurements that a run of a minute makes, about
constexpr double kKeeping = 2; ///< squares that pull a weight to what it was, in plans that show the effect
constexpr int kPasses = 200;   ///< of coordinate descent

struct Sample {
    Effects effects;
    double log_cost;
    double weight; ///< the fastest plan's time / its own
};

using Weights = std::vector<double>;

struct Group {
    std::string key;
    std::vector<Sample> samples;
};

std::vector<Group> read_groups(const std::vector<Contents> &layers) {
    std::vector<Group> groups;
    for (const auto &[problem, records] : timed_by_problem(layers)) {
        if (records.size() < kFewestPlans)
            continue;
        const ConvDesc desc = ConvDesc::parse(records.front()->key);
        const Target target = parse_target(records.front()->target);
        PlanAnalysis analysis(desc, target);
        Group group{records.front()->key, {}};
        const std::map<const Record *, double> costs = steady_costs(records);
        double least = std::numeric_limits<double>::infinity();
        for (const auto &[record, cost] : costs)
            least = std::min(least, cost);
        for (const Record *record : records) { // whose order does not change from run to run
            const Plan plan = make_plan(desc, target, record->request()).plan;
            const double cost = costs.at(record);
            group.samples.push_back({analysis.effects(plan), std::log(cost), least / cost});
        }
        groups.push_back(std::move(group));
    }
    return groups;
}

double estimate(const Effects &effects, const Weights &weights) {
    return std::inner_product(effects.begin(), effects.end(), weights.begin(), 0.0);
}

/// Subtracts each problem's weighted mean from its effects and logarithms: the level of a problem is its own.
void centre(Group &group) {
    double total = 0, mean = 0;
    Effects means = {};
    for (const Sample &s : group.samples) {
        total += s.weight;
        mean += s.weight * s.log_cost;
        for (size_t e = 0; e < means.size(); e++)
            means[e] += s.weight * s.effects[e];
    }
    for (Sample &s : group.samples) {
        s.log_cost -= mean / total;
        for (size_t e = 0; e < means.size(); e++)
            s.effects[e] -= means[e] / total;
    }
}

/// Least squares with a pull to `weights` by coordinate descent.
Weights fitted(std::vector<Group> groups, const Weights &weights) {
    for (Group &group : groups)
        centre(group);
    Weights now = weights;
    for (int pass = 0; pass < kPasses; pass++) {
        for (size_t e = 0; e < now.size(); e++) {
            double along = 0, square = 0;
            for (const Group &group : groups) {
                for (const Sample &s : group.samples) {
                    const double rest = s.log_cost - estimate(s.effects, now) + now[e] * s.effects[e];
                    along += s.weight * s.effects[e] * rest;
                    square += s.weight * s.effects[e] * s.effects[e];
                }
            }
            const double keeping = square > 0 ? kKeeping : 1;
            now[e] = (along + keeping * weights[e]) / (square + keeping);
        }
    }
    return now;
}

std::vector<double> ranks(const std::vector<double> &values) {
    std::vector<size_t> order(values.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
    std::vector<double> rank(values.size());
    for (size_t begin = 0; begin < order.size();) {
        size_t end = begin;
        while (end < order.size() && values[order[end]] == values[order[begin]])
            end++;
        for (size_t i = begin; i < end; i++) // equal ones share the mean of their places
            rank[order[i]] = (static_cast<double>(begin) + static_cast<double>(end) - 1) / 2;
        begin = end;
    }
    return rank;
}

double best_of_first(const std::vector<double> &estimates, const std::vector<double> &log_costs) {
    std::vector<size_t> order(estimates.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return estimates[a] < estimates[b]; });
    double best = log_costs[order[0]];
    for (size_t i = 0; i < std::min(kFirst, order.size()); i++)
        best = std::min(best, log_costs[order[i]]);
    return std::exp(best - *std::min_element(log_costs.begin(), log_costs.end()));
}

FitProblem judge(const Group &group, const Weights &before, const Weights &after) {
    std::vector<double> costs, old_estimates, new_estimates;
    for (const Sample &s : group.samples) {
        costs.push_back(s.log_cost);
        old_estimates.push_back(estimate(s.effects, before));
        new_estimates.push_back(estimate(s.effects, after));
    }
    return {group.key,
            costs.size(),
            rank_correlation(old_estimates, costs),
            rank_correlation(new_estimates, costs),
            best_of_first(old_estimates, costs),
            best_of_first(new_estimates, costs)};
}

} // namespace

double rank_correlation(const std::vector<double> &a, const std::vector<double> &b) {
    const std::vector<double> x = ranks(a), y = ranks(b);
    const double mean = (static_cast<double>(a.size()) - 1) / 2;
    double xy = 0, xx = 0, yy = 0;
    for (size_t i = 0; i < x.size(); i++) {
        xy += (x[i] - mean) * (y[i] - mean);
        xx += (x[i] - mean) * (x[i] - mean);
        yy += (y[i] - mean) * (y[i] - mean);
    }
    return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
}

Fit fit_effects(const std::vector<Contents> &layers) {
    const std::vector<Group> groups = read_groups(layers);
    if (groups.empty())
        throw Error(ErrorCode::BadArgument, "fit: no problem with at least " + std::to_string(kFewestPlans) +
                                                " measured plans of this version");
    Weights before;
    for (const EffectInfo &row : effect_table())
        before.push_back(row.weight);
    Fit fit;
    fit.weights = fitted(groups, before);
    for (const Group &group : groups)
        fit.problems.push_back(judge(group, before, fit.weights));
    return fit;
}

} // namespace convsmith::autotune
