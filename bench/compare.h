// One layer, ours and every peer: computed, judged by the oracle, and only then timed (autotune/measure.h).
// Consumed by `convsmith bench` (through summary.h and report.h), gbench and the demo.
#pragma once

#include "autotune/measure.h"
#include "bench/machine.h"
#include "bench/peers/peer.h"
#include "runtime/frontend/network.h"
#include "runtime/kernel.h"
#include "runtime/oracle.h"

#include <string>
#include <vector>

namespace convsmith::bench {

using autotune::Contestant;
using autotune::Measured;
using autotune::MeasureOptions;
using autotune::Timing;

struct CompareOptions {
    int threads = 1; ///< of ours and of every peer; 0: one per core
    MeasureOptions measure;
    Target target = host_target(); ///< must run natively here
    PlanRequest plan;
    std::vector<Peer> peers;
    int64_t check_points = 2000; ///< outputs judged by the oracle; 0: all
    uint64_t seed = 1;           ///< of the tensors a layer has no trained values for
};

/// A peer beside our kernel.
struct PeerTiming {
    std::string name;
    std::string reason; ///< why it was not timed; empty if it was
    std::string implementation;
    Timing ns;
    double ratio = 0; ///< median of per-round peer time / our time: above 1 we are faster
};

/// A layer's outcome.
struct LayerResult {
    std::string name;
    ConvDesc desc;
    int multiplicity = 1;
    PlanChoice choice;
    std::string failure; ///< our first wrong value, or why there is none; then nothing was timed
    double max_error = 0;
    double compile_ms = 0;       ///< wall time; 0: the kernel was in the cache
    int64_t workspace_bytes = 0; ///< most memory that a call holds beside its tensors
    Timing ns;
    double gflops = 0; ///< of the median time; 2 operations per multiply-add
    /// Of the multiply-add rate that one thread reached in the same rounds, times the threads.
    double percent_of_peak = 0;
    double bytes = 0; ///< that must be moved once: input, weights, output and what the epilogue reads
    /// Of what copying moves in the same time (Machine::copy_gb_per_s); above 100 where the caches hold the
    /// tensors between two calls.
    double percent_of_bandwidth = 0;
    std::vector<PeerTiming> peers;

    bool ok() const { return failure.empty(); }

    /// The peer that took the least time; null if none was timed.
    const PeerTiming *best_peer() const;
};

/// Compiles, judges and times one layer; of `machine` the number of threads and the bandwidth matter. Random
/// operands in [-1, 1] where the layer has no trained values. Throws Error if the layer cannot be run at all:
/// open extents (BadArgument: a benchmark needs sizes), compile failures.
LayerResult compare_layer(Jit &jit, const Layer &layer, const Machine &machine,
                          const CompareOptions &options);

/// The operands compare_layer uses: random tensors, trained weights and bias where the layer has them.
Problem layer_problem(const Layer &layer, uint64_t seed);

} // namespace convsmith::bench
