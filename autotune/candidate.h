// What a worker does with a candidate: compile it and judge it by the oracle; time it if it was found right.
// Two sides as in worker.h: judge_candidate asks, CandidateServer answers.
#pragma once

#include "autotune/place.h"
#include "autotune/worker.h"
#include "runtime/runner.h"
#include "schedules/plan.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace convsmith::autotune {

/// A plan to try.
struct Candidate {
    ConvDesc desc; ///< closed
    Plan plan;
    int threads = 1;
    uint64_t seed = 1;     ///< of the data
    std::string cache_dir; ///< of compiled code, shared by the run's workers (JitOptions)
};

/// A candidate as the members of a worker's request, and back. Throws Error(BadArgument).
Json to_json(const Candidate &candidate);
Candidate parse_candidate(const Json &request);

/// The plan of a candidate as the planner makes it, which checks it, and how its code is cached.
PlanChoice plan_choice(const Candidate &candidate);
JitOptions jit_options(const Candidate &candidate);

/// What the oracle says of a candidate.
struct Judged {
    Status status = Status::Ok; ///< Ok: compiled, ran, right; times are not taken
    std::string error;
    double max_error = 0;
    double compile_ms = 0;
};

/// Compiles and judges a candidate in the worker: posts the request, looks for its outcome for up to
/// `wait_ms`, or both. Never throws for what the candidate does.
void post_judge(Worker &worker, const Candidate &candidate, const WorkerLimits &limits);
std::optional<Judged> poll_judge(Worker &worker, int wait_ms);
Judged judge_candidate(Worker &worker, const Candidate &candidate, const WorkerLimits &limits);

class KernelTimer;

/// Throws Error(Io) with the worker's words if it could not reach what it needs, disk or machine: no
/// candidate's fault, and the next one would fare no better.
void throw_if_lost(const Reply &reply);

/// The worker's side. Requests name what to do: {"do": "judge", ...}, or what a KernelTimer (timer.h)
/// answers.
class CandidateServer {
public:
    using MakeRunner = std::function<std::shared_ptr<Runner>(const JitOptions &options)>;

    /// `make_runner` makes what runs judged kernels; null: what `place` has (runner_at).
    explicit CandidateServer(MakeRunner make_runner = nullptr, const Place &place = Place());
    ~CandidateServer();
    CandidateServer(const CandidateServer &) = delete;
    CandidateServer &operator=(const CandidateServer &) = delete;

    /// Throws Error(BadArgument) for a request that it does not understand.
    Json answer(const Json &request);

private:
    Json judge(const Candidate &candidate) const;

    MakeRunner make_runner_;
    Place place_;
    std::unique_ptr<KernelTimer> timer_;
};

} // namespace convsmith::autotune
