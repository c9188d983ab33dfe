// What arithmetic says of a candidate's time, for ranking only: the strategy `analytic` (strategy.h) tries
// the cheapest first, `learned` corrects it by what was measured.
#pragma once

#include "autotune/space.h"

#include <vector>

namespace convsmith::autotune {

/// Logarithms of the relative costs of the plans of a space, in their order; lower is better: the sum of
/// their effects (effects.h), each times its weight.
std::vector<double> estimate_costs(const ConvDesc &desc, const Space &space);

/// The order of these costs, the planner's own plan, which all others must beat, first.
std::vector<size_t> analytic_order(const std::vector<double> &costs);

} // namespace convsmith::autotune
