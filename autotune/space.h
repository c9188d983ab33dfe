// The candidates of a tuning run: every plan that the planner takes for a problem and that fits caches and
// problem (capacity.h), decided without compiling anything. Before it: the planner (schedules/plan.h); after
// it: search strategies.
#pragma once

#include "schedules/plan.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace convsmith::autotune {

/// Reasons, and how often each was given.
using RejectionCounts = std::map<std::string, int64_t>;

/// All reasons together.
int64_t total(const RejectionCounts &rejected);

struct Space {
    /// No two alike, in an order that depends on nothing but the arguments: the plan that the planner chooses
    /// by itself, the defaults of every other pair of variant and schedule, then all numbers of the first
    /// pair, of the second, ...
    std::vector<Plan> plans;
    /// Why combinations are none, numbers replaced by N, and how often:
    /// {"x86_avx2 direct: co_vectors x tile_p needs N registers, the target has N", 3128}.
    RejectionCounts rejected;
};

/// All legal combinations of each schedule's numbers (ParamSpec::legal, and what the schedule derives itself)
/// for each variant that takes `desc`. What `fixed` names stays as it is. Throws as make_plan does if not
/// even one plan is left.
Space enumerate_space(const ConvDesc &desc, const Target &target, const PlanRequest &fixed = PlanRequest());

} // namespace convsmith::autotune
