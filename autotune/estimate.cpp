// See estimate.h.
#include "autotune/estimate.h"

#include "generators/conv_shape.h"
#include "schedules/cpu/winograd_choice.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace convsmith::autotune {

namespace {

/// The first of these numbers that the plan has, or 1.
int number(const Plan &plan, std::initializer_list<const char *> names) {
    for (const char *name : names) {
        const auto found = plan.params.find(name);
        if (found != plan.params.end() && found->second > 0)
            return found->second;
    }
    return 1;
}

double waste(int64_t work, int64_t tile) {
    const int64_t computed = (work + tile - 1) / tile * tile;
    return static_cast<double>(computed) / static_cast<double>(std::max<int64_t>(1, work));
}

/// FMAs and loads of a step of the reduction, in cycles, over its FMAs: 2 FMAs and 2 loads a cycle, results
/// after 4 cycles, and a loop overhead of about 2 cycles a step.
double cycles_per_fma(int vectors, int positions, int unroll) {
    const double fmas = static_cast<double>(vectors) * positions;
    const double loads = vectors + positions;
    const double latency = 4.0;
    return std::max({fmas / 2, loads / 2, latency}) / fmas + 0.25 / (fmas * unroll);
}

/// Cost of the register tile for one problem.
double tile_cost(const ConvDesc &desc, const Plan &plan) {
    constexpr double kUntuned = 8; // what vectors without a register tile lose, about
    if (plan.schedule == "generic")
        return kUntuned;
    const int lanes = vector_lanes(plan.target, desc.acc_type);
    const int vectors = number(plan, {"co_vectors"});
    const int along = number(plan, {"tile_p", "tile_t", "tile_x"}), across = number(plan, {"tile_y"});
    const Spatial out = out_extents(desc);
    int64_t block = 1; // positions that a tile divides: of a row, or of a block of rows
    for (int a = 0; a < desc.rank; a++)
        block *= out[a];
    if (plan.params.count("tile_p") != 0 && plan.params.count("rows") != 0)
        block = block / std::max(1, out[0]) * std::min(out[0], number(plan, {"rows"}));
    if (plan.params.count("tile_x") != 0)
        block = out[desc.rank - 1];
    double cost = cycles_per_fma(vectors, along * across, number(plan, {"unroll_ci"})) * waste(block, along) *
                  waste(desc.co, int64_t{vectors} * lanes) * waste(out[0], across);
    if (plan.variant == "winograd") {
        constexpr double kTransforms = 1.2;
        cost *= kTransforms / std::max(0.1, cpu::winograd_gain(desc, number(plan, {"tile"})));
    }
    return cost;
}

/// 3 % for every factor of two between a number of no register tile and the derived one.
double distance_cost(const Plan &plan, const Plan &derived) {
    constexpr double kPerDoubling = 0.03;
    double cost = 1;
    for (const char *name : {"rows", "chunk", "co_blocks", "co_block", "unroll_ci"}) {
        const auto mine = plan.params.find(name), theirs = derived.params.find(name);
        if (mine != plan.params.end() && theirs != derived.params.end() && mine->second > 0 &&
            theirs->second > 0)
            cost += kPerDoubling * std::fabs(std::log2(static_cast<double>(mine->second) / theirs->second));
    }
    return cost;
}

} // namespace

std::vector<double> estimate_costs(const ConvDesc &desc, const Space &space) {
    std::map<std::string, const Plan *> derived; // the first plan of a pair is the one with derived numbers
    std::vector<double> costs;
    for (const Plan &plan : space.plans) {
        const Plan *&own = derived[plan.variant + "/" + plan.schedule];
        if (own == nullptr)
            own = &plan;
        costs.push_back(tile_cost(desc, plan) * distance_cost(plan, *own));
    }
    if (!costs.empty())
        costs.front() = 0; // the planner's own choice is what all others must beat
    return costs;
}

} // namespace convsmith::autotune
