// How a search strategy would have done on problems that were measured already, as if it had asked for the
// recorded times: many searches in seconds, to choose and to tune strategies by. Behind `convsmith db
// replay`. Before it: a database in which a problem has many plans (`tune --strategy random`); after it:
// people.
#pragma once

#include "runtime/records/database.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace convsmith::autotune {

struct ReplayOptions {
    std::string strategy;
    uint64_t seed = 1;
    size_t batch = 8;     ///< plans that a run measures together (TuneOptions::batch)
    size_t most = 1000;   ///< measurements after which a search that goes on is ended, after a whole batch
    double near = 0.05;   ///< what counts as found: so much slower than the best of all
    bool is_warm = false; ///< the search knows the records of the other problems
};

/// A search of one problem.
struct Replay {
    std::string key;
    size_t plans = 0;      ///< with a time: what the search chooses from
    size_t measured = 0;   ///< that it asked for
    size_t until_near = 0; ///< that it asked for before one was near the best; 0: none was
    double own_ratio = 1;  ///< time of the planner's own plan / of the best of all; 0: it has no time
    double ratio = 1;      ///< time of the best that it asked for / of the best of all
};

/// One search for each problem with a sure record (Record::is_sure; others do not count as the best), and at
/// least 10 current Ok records that are legal plans. The planner's own plan is asked for first, as in a run.
/// Throws Error(BadArgument) if there is no such problem or strategy.
std::vector<Replay> replay(const std::vector<Contents> &layers, const ReplayOptions &options);

} // namespace convsmith::autotune
