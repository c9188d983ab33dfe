// Records of other versions of Halide, LLVM or the algorithms: which plans they speak for, so that these are
// judged and timed again before anybody trusts them. Behind `convsmith db check --retime`. Before it: the
// database; after it: tune with TuneOptions::plans.
#pragma once

#include "runtime/records/database.h"

#include <cstdint>
#include <string>
#include <vector>

namespace convsmith::autotune {

/// A problem on this machine about which there are stale records.
struct StaleProblem {
    ConvDesc desc;
    Target target;
    int threads = 1;
    std::vector<Plan> plans;          ///< to be timed again, best first
    int64_t left = 0;                 ///< slower ones that are not
    std::vector<std::string> refused; ///< plans that this build does not make, and why
};

struct StaleRecords {
    std::vector<StaleProblem> problems; ///< in the order of the contents
    int64_t elsewhere = 0;              ///< stale records of other machines: only these can time them
};

/// The stale Ok records of this machine, at most the `most` best plans of each problem; without plans that
/// have a record of this build already.
StaleRecords stale_records(const Contents &contents, int most);

} // namespace convsmith::autotune
