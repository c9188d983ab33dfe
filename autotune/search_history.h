// What the records of a database tell together of its runs: how the best time fell, what the choice gained,
// which numbers mattered, what was refused. Before it: database.h, curate.h; after it: the page of
// `convsmith report` (bench/tuning_page.h).
#pragma once

#include "runtime/records/curate.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace convsmith::autotune {

/// The best time of a run after so many seconds.
struct BestSoFar {
    double seconds = 0;
    double ns = 0; ///< of a call, at the clock of the fastest record (Record::cost x its probe)
};

struct RunHistory {
    std::string run;
    uint64_t seed = 0;
    std::vector<BestSoFar> best; ///< whenever it fell, and the run's last record, sure ones only; empty if
                                 ///< the records do not say when
};

/// Candidates with one value of a parameter.
struct ValueCost {
    std::string value;
    double ratio = 1; ///< best time with this value / best time of all that the parameter was tried with
    int64_t tried = 0;
};

/// How much a number decides: of a schedule's parameter, or of the algorithm, all values that were timed.
struct Sensitivity {
    std::string name;              ///< "rows"; "algorithm" for variant and schedule together
    std::vector<ValueCost> values; ///< in ascending order; algorithms fastest first

    /// The worst value's ratio.
    double range() const;
};

/// What is known of one problem on one machine.
struct ProblemHistory {
    std::string key;
    std::string label;                 ///< the key without fields at their default
    double flops = 0;                  ///< of a call, 2 for each multiply-add
    double bytes = 0;                  ///< that must be moved once
    Record best;                       ///< what a look-up takes from here (goes_before)
    bool has_times = false;            ///< else `best` is empty: nothing was right and timed
    std::optional<RunSummary> summary; ///< of the last run that ended by itself
    double default_ns = 0; ///< RunSummary::default_ns at the clock of the fastest record, as BestSoFar::ns
    std::vector<RunHistory> runs; ///< in order of their first record
    std::vector<Sensitivity>
        sensitivity; ///< algorithm, then the best plan's parameters by range, widest first
    std::map<Status, int64_t> outcomes;
    std::map<std::string, int64_t> errors; ///< first lines of error texts, of failures
};

/// Problems tuned on one machine with one build for one target with one number of threads.
struct MachineHistory {
    Hardware hardware;
    std::string target;
    int threads = 1;
    library::Versions versions;
    Roofs roofs;                          ///< the best that a run measured; zeros if none did
    std::vector<ProblemHistory> problems; ///< in order of their first record

    /// Geometric mean of speed-ups over the default plan, of `counted` problems that have one; 0 for none.
    double speedup(int64_t &counted) const;
};

/// The machines in order of their first record. Records whose key this build does not understand are left out
/// and named in `unreadable`, as "KEY: why".
struct SearchHistory {
    std::vector<MachineHistory> machines;
    std::vector<std::string> unreadable;
};
SearchHistory history_of(const Contents &contents);

/// The key of `desc` without what parse() fills in by itself: "conv_ci64_i56x56_co64_k3x3_p1x1x1x1".
std::string short_key(const ConvDesc &desc);

} // namespace convsmith::autotune
