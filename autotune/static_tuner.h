// Tuning for a machine that is not at hand: candidates ranked by a model of its CPU or GPU instead of a
// clock. Before it: space.h, strategy.h, static_cost.h; after it: `convsmith tune --cost static`.
#pragma once

#include "autotune/tuner.h"

#include <string>

namespace convsmith::autotune {

struct StaticResult {
    TuneResult
        tuned; ///< its ratio and costs are the model's; the record is Modelled, or says why there is none
    std::string machine; ///< of the model
    /// The runner that judged the winner; empty if none runs the target here.
    std::string judged_by;
};

/// Models candidates of `desc` for `target` on `machine` (static_machine) in the strategy's order until the
/// budget or the space ends, and records them as Modelled, the cheapest as chosen. What the database already
/// holds of this problem, machine and build is not modelled again. The cheapest must be right where a runner,
/// native or emulated, runs the target; one that is not is recorded as wrong and the next takes its place. A
/// full disk does not end the run. Throws as enumerate_space and static_machine, and Error(Unsupported) for a
/// CPU without llvm-mca.
StaticResult tune_static(const ConvDesc &desc, const Target &target, const std::string &machine,
                         const Database &database, const TuneOptions &options);

} // namespace convsmith::autotune
