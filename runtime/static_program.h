// Kernels as a program that needs nothing where it runs: each job's kernel is compiled to an object and
// linked with the harness (harness/run_jobs.c) and Halide's runtime, statically. Used where code does not run
// in this process: under an emulator (runner_emulated.cpp) or on another machine (ssh.h).
#pragma once

#include "runtime/runner.h"
#include "runtime/temp_dir.h"

#include <istream>
#include <string>
#include <vector>

namespace convsmith {

/// What a program is made for.
struct ProgramTarget {
    std::string platform; ///< Halide target of its runtime: no features beyond the plainest
    std::string compiler; ///< makes programs for it
    /// Arguments of the compiler that says how the program is linked.
    std::vector<std::string> link = {"-static"};
};

/// For a target's platform. Throws Error(Unsupported) naming the package if the compiler is not here.
ProgramTarget program_target(const Target &target);

/// Jobs of one program, and what it is made of.
struct ProgramBatch {
    std::vector<size_t> jobs;         ///< index into the caller's jobs, in order of `calls`
    std::vector<std::string> symbols; ///< of distinct kernels
    std::vector<std::string> objects;
    std::string calls; ///< what the program reads, without the count in front

    /// What the program reads.
    std::string input() const;
};

class ProgramMaker {
public:
    explicit ProgramMaker(ProgramTarget target) : target_(std::move(target)) {}

    /// Compiles jobs from `next` on, which it moves behind them. A job that cannot be compiled has its reason
    /// in `results`.
    ProgramBatch compile(const std::vector<RunJob> &jobs, size_t &next,
                         std::vector<RunResult> &results) const;

    /// The program's path; it lives as long as this object, and until the next call. Throws Error(Compile).
    std::string link(const ProgramBatch &batch) const;

    /// A path for a file that goes with it.
    std::string file(const std::string &name) const { return directory_ / name; }

private:
    ProgramTarget target_;
    TempDir directory_;
};

/// Reads what the program wrote of one job. False if it is not there.
bool read_result(std::istream &outputs, const RunJob &job, const std::string &where, RunResult &result);

} // namespace convsmith
