// A tuning record: one candidate on one machine and what became of it, as one line of JSON
// (docs/database.md). Before it: the tuner; after it: the database file (database.h) and the look-up
// (lookup.h).
#pragma once

#include "runtime/frontend/json_fields.h"
#include "runtime/library/versions.h"
#include "runtime/records/hardware.h"
#include "runtime/records/statistics.h"
#include "schedules/plan.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace convsmith::autotune {

/// What became of a candidate. Only Ok has times; Modelled has a cost that no clock has seen, NotTimed has
/// neither, every other status an error text.
enum class Status {
    Ok,
    CompileError, ///< Halide or LLVM refused it
    WrongResult,  ///< the oracle refused its result
    Crash,        ///< its process died
    Timeout,
    OutOfMemory,
    Modelled, ///< not measured: ranked by a machine model (static_cost.h)
    NotTimed, ///< found right where times are none (an emulator): nothing that a look-up takes
};

/// "ok", "compile_error", ... and back. Throws Error(BadArgument) for another name.
const std::string &status_name(Status status);
Status parse_status(const std::string &name);

/// What a run found out about a problem beside single candidates; stored with the run's choice.
struct RunSummary {
    double default_ns = 0; ///< median time of the planner's own plan beside the choice; 0: it cannot be timed
    double speedup = 1;    ///< its time / the choice's, median over the rounds of their race
    int64_t candidates = 0;                  ///< of the space
    int64_t tried = 0;                       ///< judged in this run
    std::map<std::string, int64_t> rejected; ///< why combinations of numbers are no candidates, and how many
    Roofs roofs;                             ///< of the machine with the kernel's threads; 0: not known

    bool operator==(const RunSummary &o) const;
};

/// A candidate, where it was tried, and the outcome.
struct Record {
    std::string key; ///< canonical, of the problem
    std::string variant;
    std::string schedule;
    Params params;      ///< complete
    std::string target; ///< Halide target string
    int threads = 1;
    Hardware hardware;
    library::Versions versions;

    Status status = Status::Ok;
    std::string error;
    double max_error = 0; ///< largest |got - want| that the oracle found
    Timing ns;
    double modelled_cost = 0; ///< of Modelled; comparable between plans of one problem and model
    double probe_ns = 0;      ///< median time of the multiply-add probe in the same rounds
    /// Time / that of the planner's own plan, both relative to the run's best so far in the same rounds:
    /// chance and other load, which change whole rounds, are not in it. 1 for that plan; 0: not known.
    double relative = 0;
    int64_t workspace_bytes = 0; ///< most memory that a call holds beside its tensors; 0: not known

    bool is_chosen =
        false; ///< the run's choice: it beat all others round by round, which single times cannot tell

    std::optional<RunSummary> summary; ///< of the run; only with a choice

    double seconds = 0;          ///< from the start of the run until it was recorded; 0: not known
    uint64_t seed = 0;           ///< of the run
    std::string run;             ///< all records of one run share it
    std::string time;            ///< when it was measured, UTC: "2026-11-22T12:07:02Z"
    Json other = Json::object(); ///< members that this version does not know; written again as they are

    /// "direct/x86_avx2/rows=4", as Plan::text.
    std::string plan_text() const;

    /// Everything before `status` as text: records of one subject measured the same thing on the same
    /// machine.
    std::string subject() const;

    /// Time in units of the probe, which cancels the clock: comparable within one machine; the modelled cost
    /// of Modelled; 0 of a failure.
    double cost() const { return probe_ns > 0 ? ns.median / probe_ns : modelled_cost; }

    /// Whether there is a cost, measured or modelled: the plan can be used.
    bool has_cost() const { return status == Status::Ok || status == Status::Modelled; }

    /// Whether the time can be trusted by itself. A race drops plans after one round or three for being
    /// slower than others of their batch; by chance such a time may be the shortest of all.
    bool is_sure() const { return ns.rounds >= 9; }

    /// Whether the candidate is no good, as `error` says.
    bool has_failed() const { return !has_cost() && status != Status::NotTimed; }

    /// What makes the planner choose this record's plan.
    PlanRequest request() const;
};

/// A record about `plan` on this machine with this build's versions.
Record new_record(const ConvDesc &desc, const Plan &plan, int threads);

/// Whether the record's code is what this build would generate: Halide, LLVM and algorithms are the same.
bool is_current(const Record &record);

/// The record as one line without its end, and back. `where` opens error messages ("db.jsonl:7"). Throws
/// Error(BadArgument) if the line is no JSON object, a member is missing or of the wrong type, or the line is
/// of a newer format.
std::string to_line(const Record &record);
Record parse_record(const std::string &line, const std::string &where);

/// Now, as Record::time.
std::string utc_now();

} // namespace convsmith::autotune
