// Which record to trust for a problem on a machine: the nearest machine first, then the nearest file. Used by
// the planner (recorded_plans.h), `convsmith db best` and the tuner.
#pragma once

#include "runtime/records/database.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace convsmith::autotune {

/// The databases of one look-up, most important first: project, user, shipped.
using Layers = std::vector<Contents>;

/// The project's file, "convsmith_tuning.jsonl" in the current directory, if there is one, else the user's,
/// $XDG_DATA_HOME/convsmith/tuning.jsonl or ~/.local/share/convsmith/tuning.jsonl: where records are written
/// if nobody says where. Throws Error(BadArgument) if there is neither a project's file nor a home directory.
std::string default_database();

/// The project's layer (`project`, or if that is empty the project's file), the user's and the shipped one. A
/// file that is not there is an empty layer; one that cannot be read is a layer of one unreadable line, which
/// says why. Throws Error(Io) if `project` is named and cannot be read.
Layers load_layers(const std::string &project = "");

/// How near the machine of a record is, nearest first.
enum class Match {
    Hardware,          ///< the same in everything that Hardware knows
    Microarchitecture, ///< the same kind of core
    Isa,               ///< the same target, which is demanded of every record
};
/// "same hardware", ...
const char *match_text(Match match);

/// What a record is wanted for.
struct Query {
    std::string key;    ///< canonical
    std::string target; ///< Halide target string
    int threads = 1;
    Hardware hardware = host_hardware();
    Accuracy accuracy = Accuracy::Fast;
};

/// The record to use and why.
struct Found {
    const Record *record = nullptr; ///< in the layers
    Match match = Match::Isa;
    std::string layer; ///< Contents::name

    /// "tuning record of AMD EPYC (same hardware) in db.jsonl"
    std::string text() const;
};

struct LookUp {
    std::optional<Found> found;
    std::vector<Found> next; ///< the others that would do, best first
    int64_t stale =
        0; ///< records that would fit, measured with other versions of Halide, LLVM or the algorithms
    int64_t wrong = 0; ///< records whose plan has also given a wrong result

    /// Why records were passed over, a sentence each: "2 stale records, not trusted before ..."
    std::vector<std::string> passed_over() const;
};

/// The best record (goes_before) of the first layer that has one for the nearest machine, any that was
/// measured before those that were modelled: key, target and threads are the query's, it has a cost and is
/// current, its variant as accurate as demanded. A plan that has a wrong result anywhere in the layers is
/// never taken; of several measurements of one plan on one machine the last counts.
LookUp look_up(const Layers &layers, const Query &query);

} // namespace convsmith::autotune
