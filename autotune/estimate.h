// What arithmetic says of a candidate's time, for ranking only: the strategy `analytic` (strategy.h) tries
// the cheapest first.
#pragma once

#include "autotune/space.h"

#include <vector>

namespace convsmith::autotune {

/// Relative costs of the plans of a space, in their order; lower is better. Multiplications of the algorithm,
/// those that tiles compute in vain included, over what the register tile lets the FMA units reach; numbers
/// that decide what stays in which cache cost by their distance from those that the schedule derives.
std::vector<double> estimate_costs(const ConvDesc &desc, const Space &space);

} // namespace convsmith::autotune
