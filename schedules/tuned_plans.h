// What the planner asks of whoever keeps plans that were measured. Before it: an implementation that the
// caller passes in PlanRequest::tuned (runtime/records/recorded_plans.h); after it: make_plan.
#pragma once

#include "schedules/plan.h"

#include <string>
#include <vector>

namespace convsmith {

/// A plan that was found fastest for a problem somewhere. The planner checks it as it checks a caller's own.
struct TunedPlan {
    std::string variant;
    std::string schedule;
    Params params;      ///< complete
    std::string source; ///< who says so, for PlanChoice::source: "tuning record of AMD EPYC (same hardware)
                        ///< in a.jsonl"
};

/// What a plan is wanted for.
struct TunedQuery {
    std::string key; ///< canonical, of the problem
    const Target &target;
    int threads = 1; ///< that the kernel will be given
    Accuracy accuracy = Accuracy::Fast;
};

struct TunedAnswer {
    std::vector<TunedPlan> plans;         ///< best first
    std::vector<std::string> passed_over; ///< what is known of the problem and not to be used, and why
};

class TunedPlans {
public:
    virtual ~TunedPlans() = default;

    /// The plans known for a problem. Thread-safe; throws nothing for what it holds, however damaged.
    virtual TunedAnswer find(const TunedQuery &query) const = 0;
};

} // namespace convsmith
