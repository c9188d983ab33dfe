// How well the analytic ranking (estimate.h) orders what was measured, and the weights of effects.inc that
// would order it best. Behind `convsmith db fit`.
#pragma once

#include "runtime/records/database.h"

#include <string>
#include <vector>

namespace convsmith::autotune {

/// One problem on one machine.
struct FitProblem {
    std::string key;
    size_t plans = 0;
    double rank_before = 0; ///< Spearman's rank correlation of estimate and time: 1 for the same order
    double rank_after = 0;  ///< with the fitted weights
    /// Time of the fastest of the 30 plans that the estimate likes best / time of the fastest of all.
    double best_of_30_before = 1;
    double best_of_30_after = 1;
};

struct Fit {
    std::vector<double> weights; ///< one a row of effects.inc
    std::vector<FitProblem> problems;
};

/// Least squares over the logarithms of times, each problem's own level left open, slow plans counting less
/// and effects that no record shows staying as they are. Takes Ok, current records of problems with at least
/// 10 plans. Throws Error(BadArgument) if there are none.
Fit fit_effects(const std::vector<Contents> &layers);

/// Spearman's rank correlation of two lists of one length; 0 for lists of fewer than two different numbers.
double rank_correlation(const std::vector<double> &a, const std::vector<double> &b);

} // namespace convsmith::autotune
