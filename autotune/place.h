// Where candidates are judged and timed: in the worker's own process, under an emulator, or on another
// machine (runtime/ssh.h), while all are compiled here. Given to workers as `--runner`. Before it: the
// runners of runtime; after it: CandidateServer (candidate.h) and KernelTimer (timer.h).
#pragma once

#include "autotune/measure.h"
#include "autotune/probe.h"
#include "runtime/records/hardware.h"
#include "runtime/runner.h"
#include "runtime/ssh.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace convsmith::autotune {

struct Candidate;

/// A value of --runner.
struct Place {
    enum class Kind { Native, Emulated, Ssh };
    Kind kind = Kind::Native;
    std::string host; ///< Ssh: ssh's arguments

    /// "native", "emulated", "ssh:HOST"
    std::string text() const;
    /// False where times are no times.
    bool is_timing_real() const { return kind != Kind::Emulated; }
};

/// Throws Error(BadArgument) listing what there is.
Place parse_place(const std::string &text);

/// What judges a candidate there: in place of a Native one that its target cannot have here, an emulator.
std::shared_ptr<Runner> runner_at(const Place &place, const Candidate &candidate);

/// Asks the machine what it is. `flags` gets its instruction set extensions as /proc/cpuinfo calls them, with
/// the architecture ("x86_64") in front. Throws Error(Io) if it cannot be reached.
Hardware remote_hardware(const std::string &host, std::string &flags);

/// Where a record of the place says it was made; under an emulator that is nobody's hardware.
Hardware hardware_at(const Place &place, const Target &target);

/// The target meant by `text` there: "host" is the best class that the place's machine runs. Throws
/// Error(Unsupported) naming what a machine lacks.
Target target_at(const Place &place, const std::string &text);

/// What a remote kernel and a remote probe are timed with; the worker's side of `ssh:HOST`.
class RemoteTiming {
public:
    explicit RemoteTiming(const std::string &host) : machine_(host) {}

    /// A kernel with its tensors on the other machine, called in blocks there.
    Contestant kernel(const Candidate &candidate, const Problem &problem) const;
    Contestant probe();
    /// Of one thread, times `threads` for multiply-adds; copying does not grow by itself.
    Roofs roofs();

private:
    RemoteSession &idle_session();

    SshMachine machine_;
    std::unique_ptr<RemoteSession> idle_; ///< of a program without kernels
};

} // namespace convsmith::autotune
