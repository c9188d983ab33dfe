// What was measured of other problems on a target, for searches that begin with what is known: plans of
// similar problems to try first, and times for a cost model to learn from.
#pragma once

#include "autotune/space.h"
#include "runtime/records/database.h"

#include <string>
#include <vector>

namespace convsmith::autotune {

/// A plan of a past problem and what it took (Record::cost).
struct PastPlan {
    Plan plan;
    double cost = 0;
};

/// A problem that was tuned, on one kind of core.
struct PastProblem {
    ConvDesc desc;
    /// From the problem at hand: 0 for the same shape, 1 for twice as many channels.
    double distance = 0;
    std::vector<PastPlan> plans; ///< best first (goes_before)
    /// What the planner's own plan took; the median of all if that was not measured.
    double own_cost = 0;
};

/// Problems in the order of their distance from another.
using History = std::vector<PastProblem>;

/// What `layers` hold of problems other than `desc`, of its op and types, with the same target and number of
/// threads: Ok records, also of other versions and machines, of plans that were never wrong and that are
/// still legal. What other cores than that of `hardware` measured is further away.
History read_history(const std::vector<Contents> &layers, const ConvDesc &desc, const Target &target,
                     int threads, const Hardware &hardware = host_hardware());

/// How unlike two problems are: root of the sum of squares of the differences of shape_features.
double shape_distance(const ConvDesc &a, const ConvDesc &b);

/// The best plans of the nearest past problems as candidates of a space, at most `most`, each once, nearest
/// problems first: numbers that were the schedule's own stay so, others go to the nearest that is legal.
std::vector<size_t> plans_to_begin_with(const ConvDesc &desc, const Space &space, const History &history,
                                        size_t most);

} // namespace convsmith::autotune
