// The strategy `learned` (strategy.h): a cost model trained on what was measured, of this problem and of
// others.
#pragma once

#include "autotune/history.h"
#include "autotune/strategy.h"

#include <cstdint>
#include <memory>

namespace convsmith::autotune {

/// Corrects the order of estimate_costs by gradient-boosted trees (cost_model.h): they learn, over the plans
/// of all problems known, how far a plan's time relative to the planner's own differs from the estimate.
/// Every proposal is the favourite of one member of the ensemble in turn, one in ten any plan. Ends, once
/// enough is measured, when members expect no gain worth having. Trains anew before proposals whenever it has
/// learned something.
std::unique_ptr<Strategy> make_learned(const ConvDesc &desc, const Space &space, uint64_t seed,
                                       const History &history);

} // namespace convsmith::autotune
