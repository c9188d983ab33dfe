// The check engine: compiles problems, runs them through a runner, judges them by the oracle and counts.
// Behind `convsmith check` and the tests. Before it: networks, case files or the fuzzer; after it: a report.
#pragma once

#include "runtime/frontend/network.h"
#include "runtime/runner.h"
#include "schedules/plan.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace convsmith {

/// What is about to be checked.
struct CheckProgress {
    int64_t done = 0;   ///< checks finished
    int64_t total = 0;  ///< checks in all
    int64_t failed = 0; ///< of those finished
    std::string reproducer;
};

enum class Verdict { Passed, Failed, Skipped };

/// One check: a descriptor with every kind of data that suits it, or one case file.
struct CheckOutcome {
    std::string name;
    std::string key;  ///< empty if there is no descriptor
    std::string plan; ///< empty if none was made
    Verdict verdict = Verdict::Passed;
    std::string detail;         ///< why it failed or was skipped; empty if it passed
    std::string reproducer;     ///< the command that repeats this check
    int64_t checked = 0;        ///< outputs compared
    double max_error = 0;       ///< largest |got - want|
    double max_bound_ratio = 0; ///< largest |got - want| / bound
};

struct CheckOptions {
    Target target = host_target();
    PlanRequest request; ///< what the caller fixes of every plan
    uint64_t seed = 1;   ///< of data, and of descriptors in fuzz
    /// Outputs judged per problem; 0: all of a small problem, a sample of a large one.
    int64_t max_points = 0;
    JitOptions jit;                 ///< of the runner made when `runner` is null
    std::shared_ptr<Runner> runner; ///< null: make_runner(target)
    /// Called before a check starts, so that even a crash of its kernel can be reported.
    std::function<void(const CheckProgress &)> on_progress;
    /// Called after each check, in order.
    std::function<void(const CheckOutcome &)> on_outcome;
};

struct CheckReport {
    int64_t passed = 0;
    int64_t failed = 0;
    int64_t skipped = 0;
    std::vector<CheckOutcome> outcomes;

    void add(CheckOutcome outcome);
    /// "N passed, N failed, N skipped"
    std::string summary() const;
};

/// True if kernels of `closed` give bit-equal results for Fill::SmallIntegers whatever their order of
/// summation: every stage maps integers to integers and every partial sum fits the accumulator's significand.
bool is_exact_on_integers(const ConvDesc &closed);

/// Checks every layer: on small integers for bit equality where is_exact_on_integers, and on uniform data (a
/// layer's own weights where it has them) against the oracle's bound, or the one that the plan's algorithm
/// has (Plan::relative_error: uniform data only). Open extents are checked at several sizes. Throws
/// Error(BadArgument) for a request that names no schedule, Error(Unsupported) if nothing runs the target.
CheckReport check_layers(const std::vector<Layer> &layers, const CheckOptions &options);

/// Checks every case file at or below `path` (frontend/case_files.h): the kernel against the oracle's bound
/// and against the expected values. What is not supported is skipped with the reason; a malformed file fails.
CheckReport check_cases(const std::string &path, const CheckOptions &options);

/// Checks `count` random descriptors (runtime/fuzz.h) as check_layers does, half of them on the generic
/// schedule unless the request names one. Kernels are not cached on disk. The i-th has data seed
/// `options.seed + i`.
CheckReport fuzz(int64_t count, const CheckOptions &options);

} // namespace convsmith
