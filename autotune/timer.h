// Times of candidates that were found right, a block of calls at a time, in one worker that keeps their
// kernels. Two sides as in worker.h: CandidateTimer asks, KernelTimer answers.
#pragma once

#include "autotune/candidate.h"
#include "autotune/measure.h"
#include "autotune/place.h"
#include "autotune/probe.h"

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace convsmith::autotune {

/// Asks a worker for times. The worker runs on one core if its kernels have one thread.
class CandidateTimer {
public:
    CandidateTimer(std::vector<std::string> command, const WorkerLimits &limits);

    /// Nanoseconds of a call in a block of `candidate`, which keeps the number `id`; nothing if it failed.
    std::optional<double> time(size_t id, const Candidate &candidate);

    /// Nanoseconds of the multiply-add probe. Throws Error(Io) if no worker answers.
    double probe();

    /// What the machine can do with that many threads; zeros if no worker answers.
    Roofs roofs(int threads);

    /// Lets the worker forget all kernels.
    void clear();

    /// Most heap memory that a call of a candidate that was timed holds; 0: not known.
    int64_t workspace_bytes(size_t id) const;

    /// How a candidate failed: status and text. Ok for one that did not.
    const Reply &failure(size_t id);

private:
    Worker worker_;
    WorkerLimits limits_;
    std::map<size_t, Reply> failures_;
    std::map<size_t, int64_t> workspace_bytes_;
};

/// The worker's side: kernels and the tensors that they are called with.
class KernelTimer {
public:
    /// Times are taken there.
    explicit KernelTimer(const Place &place = Place());
    ~KernelTimer();
    KernelTimer(const KernelTimer &) = delete;
    KernelTimer &operator=(const KernelTimer &) = delete;

    /// Answers {"do": "time", "id", ...}, {"do": "probe"}, {"do": "roofs", "threads"} and {"do": "clear"}.
    /// Throws Error as the JIT does.
    Json answer(const std::string &what, const Json &request);

private:
    struct Call;

    Contestant contestant_of(int id, const Candidate &candidate);
    Block &block_of(int id, const Candidate &candidate);
    Block make_block(int id, const Candidate &candidate);

    std::optional<RemoteTiming> remote_;
    std::unique_ptr<Call> call_; ///< of the problem at hand
    std::map<int, Block> blocks_;
    std::map<int, int64_t> workspace_bytes_; ///< that a call of those holds
    std::optional<Block> probe_;
};

} // namespace convsmith::autotune
