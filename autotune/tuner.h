// A tuning run for one problem: candidates of the space in a strategy's order, compiled and judged in worker
// processes, those that are right raced against the best so far, everything recorded. Before it: space.h,
// strategy.h, candidate.h, race.h; after it: `convsmith tune`.
#pragma once

#include "autotune/place.h"
#include "autotune/strategy.h"
#include "autotune/worker.h"
#include "runtime/records/database.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace convsmith::autotune {

/// Where a run stands.
struct TuneProgress {
    int64_t tried = 0;     ///< candidates judged in this run
    int64_t known = 0;     ///< candidates that the database had already: not tried again
    int64_t failed = 0;    ///< of those tried
    int64_t total = 0;     ///< candidates of the space
    double seconds = 0;    ///< since the start
    double best_ratio = 1; ///< time of the best so far / time of the planner's own plan
};

struct TuneOptions {
    double budget_seconds = 60;
    PlanRequest fixed; ///< what the caller fixes of every plan
    std::string strategy = "learned";
    /// Tried in this order beside the planner's own plan, and nothing else; empty: the whole space, in the
    /// strategy's.
    std::vector<Plan> plans;
    int threads = 1;   ///< that kernels use
    int compilers = 0; ///< workers that compile and judge at once; 0: one per core
    uint64_t seed = 1;
    int batch = 8; ///< candidates of a race
    /// Databases beside the one that is written, of which the search may learn: read_history.
    std::vector<Contents> others;
    WorkerLimits limits;
    std::vector<std::string>
        worker;  ///< the command of a worker (worker.h), which is told `place`; must be given
    Place place; ///< where candidates are judged and timed
    std::function<void(const TuneProgress &)> on_progress; ///< called from the caller's thread
    std::string run; ///< name of the run in its records; empty: made of time and process
};

struct TuneResult {
    Plan default_plan;
    Plan best;
    double ratio = 1; ///< time of the best / time of the default plan, from their last race
    Record record;    ///< of the best; its status is not Ok if not even the default plan could be timed
    TuneProgress progress;
    std::map<Status, int64_t> outcomes; ///< of the candidates tried
    RejectionCounts rejected;           ///< Space::rejected
    std::string store_error;            ///< why records could not be written; empty if all were
};

/// Tunes `desc` for the machine of TuneOptions::place. What `database` already holds of this problem, machine
/// and build is not measured again; its best takes part in the first race. Ends after the budget (what is at
/// work then is given up, a race that runs is cut short), or when the space is exhausted. A full disk does
/// not end the run: it goes on without a database. Where times are not real, candidates are judged and
/// recorded as NotTimed, and nothing is chosen. Throws as enumerate_space, and Error(Io) if workers cannot be
/// started or `place` cannot be reached (any more): what is recorded stays.
TuneResult tune(const ConvDesc &desc, const Target &target, const Database &database,
                const TuneOptions &options);

} // namespace convsmith::autotune
