// See estimate.h.
#include "autotune/estimate.h"

#include "autotune/effects.h"

#include <algorithm>
#include <numeric>

namespace convsmith::autotune {

std::vector<double> estimate_costs(const ConvDesc &desc, const Space &space) {
    std::vector<double> costs;
    if (space.plans.empty())
        return costs;
    PlanAnalysis analysis(desc, space.plans.front().target);
    for (const Plan &plan : space.plans)
        costs.push_back(weighted_sum(analysis.effects(plan)));
    return costs;
}

std::vector<size_t> analytic_order(const std::vector<double> &costs) {
    std::vector<size_t> order(costs.size());
    std::iota(order.begin(), order.end(), size_t{0});
    if (!order.empty())
        std::stable_sort(order.begin() + 1, order.end(),
                         [&](size_t a, size_t b) { return costs[a] < costs[b]; });
    return order;
}

} // namespace convsmith::autotune
