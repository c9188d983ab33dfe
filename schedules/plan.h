// Plan: how a problem is computed (variant, schedule, target, numbers), and the planner that chooses one.
// Problem and plan never share a struct. Consumed by lower.h.
#pragma once

#include "generators/conv_desc.h"
#include "generators/signature.h"
#include "schedules/target.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace convsmith {

/// Values of a schedule's tunable numbers by name (rows of the schedule's params table).
using Params = std::map<std::string, int>;

struct Plan {
    std::string variant;  ///< algorithm: a row of variants.inc, e.g. "direct"
    std::string schedule; ///< class the schedule is tuned for, e.g. "x86_avx2", or "generic"
    Target target;
    Params params;

    /// Canonical text, e.g. "direct/x86_avx2/co_vectors=2,rows=4,tile_p=6"; part of the cache key.
    std::string text() const;

    /// The weight layout this plan's kernel reads for `desc`.
    Packing packing(const ConvDesc &desc) const;

    /// Whether the schedule for `desc` keeps padded rows as a Func of its own
    /// (SchedulePlanning::copies_rows).
    bool copies_rows(const ConvDesc &desc) const;

    /// The same of reading them in place (SchedulePlanning::masks_columns).
    bool masks_columns(const ConvDesc &desc) const;

    /// Whether the problem leaves no choice of the number `name` (SchedulePlanning::settles).
    bool settles(const ConvDesc &desc, const std::string &name) const;
    /// The same of whole tiles of positions (SchedulePlanning::fills_tiles).
    bool fills_tiles(const ConvDesc &desc) const;

    /// The same of what the windows of a tile cover (SchedulePlanning::copies_windows).
    bool copies_windows(const ConvDesc &desc) const;

    /// Whether it computes an op of a chain where the next reads it (SchedulePlanning::inlines_ops).
    bool inlines_ops(const ConvDesc &desc) const;

    /// Whether its tiles leave out taps in the padding (SchedulePlanning::leaves_out_taps).
    bool leaves_out_taps(const ConvDesc &desc) const;

    /// Positions of its tiles, if these never span rows (SchedulePlanning::row_tile).
    int row_tile(const ConvDesc &desc) const;

    /// The error bound that applies: 0 for that of a sum (runtime/oracle_op.cpp), else
    /// VariantInfo::relative_error.
    double relative_error() const;
};

/// One tunable number.
struct ParamSpec {
    std::string name;
    int default_value;
    std::vector<int> legal; ///< values a tuner may try
    std::string doc;
};

/// What fallbacks are for, beside the classes of targets.inc.
constexpr const char *kAnyCpu = "any_cpu";
constexpr const char *kAnyGpu = "any_gpu";

/// A schedule for one of its target classes, as listed by `convsmith list schedules`.
struct ScheduleInfo {
    std::vector<std::string> variants; ///< algorithms it schedules; empty: every one
    std::string name;   ///< class it is tuned for, or "generic": one for a variant, problem and target
    std::string target; ///< target class it is tuned for, or kAnyCpu, kAnyGpu: a fallback
    std::string doc;
    std::vector<ParamSpec> params;
    size_t registered = 0; ///< which row of schedules.inc

    bool serves(const std::string &variant) const;
    /// Tuned for a target class, not a fallback.
    bool is_tuned() const { return target != kAnyCpu && target != kAnyGpu; }
    /// Whether it is made for the target: tuned for its class, or a fallback for its kind of machine.
    bool suits(const Target &machine) const {
        return target == (is_tuned() ? machine.name : is_gpu(machine) ? kAnyGpu : kAnyCpu);
    }
};
const std::vector<ScheduleInfo> &schedule_table();

/// Index of the plan's schedule in schedule_table(): of those with its name and variant the first that takes
/// `desc`. Throws Error(BadArgument) if there is none.
size_t schedule_row(const ConvDesc &desc, const Plan &plan);

/// Why a candidate plan was not taken.
struct Rejection {
    std::string schedule;
    std::string reason;
};

/// How much rounding a plan may trade for speed.
enum class Accuracy {
    Exact, ///< that of a sum, whatever its order
    Fast, ///< also variants with an error bound of their own (f32 only), where they are expected to be faster
};

/// "exact" or "fast" and back. Throws Error(BadArgument) for another name.
std::string accuracy_name(Accuracy accuracy);
Accuracy parse_accuracy(const std::string &name);

/// A plan with its history, for `explain`.
struct PlanChoice {
    Plan plan;
    Accuracy accuracy = Accuracy::Fast; ///< what was allowed
    std::string accuracy_source;        ///< "default" or "explicit"
    std::string source;                 ///< "default", "explicit" or TunedPlan::source
    bool is_tuned = false;              ///< a plan of PlanRequest::tuned
    std::vector<Rejection> rejected;
    std::vector<std::string> passed_over; ///< measured plans that were not taken, and why
};

class TunedPlans;

/// What the caller fixes of a plan; empty fields are chosen.
struct PlanRequest {
    std::string variant;
    std::string schedule;
    Params params;
    std::optional<Accuracy> accuracy; ///< nothing: fast
    /// For a library that dispatches between CPU classes: every member must read the same packed weights.
    /// Packing::co_block and Packing::tile.
    int co_block = 0;
    int tile = 0;
    /// Where to ask for plans that were measured (schedules/tuned_plans.h); null: nowhere. A plan found there
    /// is taken if it keeps all that is fixed above.
    std::shared_ptr<const TunedPlans> tuned;
    int threads =
        0; ///< that the kernel will be given, for which plans were measured; 0: not known, one is assumed
};

/// Throws Error(BadArgument) listing the known names if the request names an unknown variant or schedule.
void check_request(const PlanRequest &request);

/// Chooses variant, schedule and numbers: explicit request > measured plan > default. By default the first
/// variant (variants.inc) with a tuned schedule that takes the problem, else the first variant on the generic
/// schedule, which takes any. A measured plan that is illegal or contradicts the request is passed over.
/// Throws Error(BadArgument) if the request names something unknown or illegal.
PlanChoice make_plan(const ConvDesc &desc, const Target &target, const PlanRequest &request = PlanRequest());

} // namespace convsmith
