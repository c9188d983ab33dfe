// The planner and the schedule table (plan.h), built from schedules.inc and each schedule's planning side.
#include "schedules/plan.h"

#include "generators/composite.h"
#include "generators/error.h"
#include "generators/variant.h"
#include "schedules/schedule.h"
#include "schedules/tuned_plans.h"

#include <algorithm>

namespace convsmith {
namespace {

struct ScheduleRow {
    ScheduleInfo info;
    SchedulePlanning planning;
};

/// "(a, b)" -> {"a", "b"}
std::vector<std::string> names_in(const std::string &list) {
    std::vector<std::string> names;
    for (size_t at = 1; at + 1 < list.size();) {
        const size_t end = std::min(list.find(',', at), list.size() - 1);
        names.push_back(list.substr(at, end - at));
        at = list.find_first_not_of(", ", end);
    }
    return names;
}

const std::vector<ScheduleRow> &rows() {
    static const std::vector<ScheduleRow> table = [] {
        std::vector<ScheduleRow> t;
        size_t registered = 0;
#define CONVSMITH_TEXT(list_) #list_
#define CONVSMITH_SCHEDULE(variants_, folder_, name_, targets_, doc_)                                        \
    {                                                                                                        \
        const SchedulePlanning planning = folder_::name_##_planning();                                       \
        ScheduleInfo info{names_in(#variants_), "", "", doc_, planning.params, registered++};                \
        for (const std::string &target : names_in(CONVSMITH_TEXT(targets_))) {                               \
            info.target = target;                                                                            \
            info.name = info.is_tuned() ? target : "generic";                                                \
            t.push_back({info, planning});                                                                   \
        }                                                                                                    \
    }
#include "schedules/schedules.inc"
#undef CONVSMITH_SCHEDULE
#undef CONVSMITH_TEXT
        return t;
    }();
    return table;
}

const ScheduleRow &row_of(const ConvDesc &desc, const Plan &plan) {
    return rows()[schedule_row(desc, plan)];
}

/// Why `row` cannot serve; nothing if it can.
std::optional<std::string> rejection(const ScheduleRow &row, const ConvDesc &desc, const Target &target) {
    if (!row.info.suits(target))
        return row.info.is_tuned()
                   ? "tuned for target " + row.info.target + ", not " + target.name
                   : std::string("made for ") + (row.info.target == kAnyCpu ? "CPUs" : "GPUs") + ", not " +
                         target.name;
    return row.planning.reject(desc, target);
}

template<typename Table, typename NameOf>
void check_name(const char *what, const std::string &got, const Table &table, NameOf name_of) {
    std::string names;
    for (const auto &row : table) {
        if (got.empty() || name_of(row) == got)
            return;
        if (names.find(name_of(row)) == std::string::npos)
            names += (names.empty() ? "" : ", ") + name_of(row);
    }
    throw Error(ErrorCode::BadArgument, std::string(what) + ": got '" + got + "', want one of " + names);
}

/// The first parameter that the schedule does not have; empty if it has all.
std::string unknown_param(const ScheduleRow &row, const Params &params) {
    for (const auto &[name, value] : params) {
        const bool is_known = std::any_of(row.info.params.begin(), row.info.params.end(),
                                          [&name = name](const ParamSpec &p) { return p.name == name; });
        if (!is_known)
            return name;
    }
    return "";
}

/// Why the planner does not choose a variant by itself that it would take if asked for; nothing if it does.
std::optional<std::string> not_by_default(const ScheduleRow &row, const std::string &variant,
                                          const ConvDesc &desc, const Target &target, const Params &params) {
    const std::string unknown = unknown_param(row, params);
    if (!variant_info(variant).is_exact() && !unknown.empty())
        return "has no parameter '" + unknown + "'";
    return row.planning.loses == nullptr ? std::nullopt : row.planning.loses(desc, target);
}

/// The requested parameters that the schedule has. Throws Error(BadArgument) for one it does not have when
/// the schedule was named, or for a negative value.
void check_params(const ScheduleRow &row, const Params &params) {
    const std::string unknown = unknown_param(row, params);
    if (!unknown.empty())
        throw Error(ErrorCode::BadArgument,
                    "parameter '" + unknown + "': schedule " + row.info.name + " has none of that name");
    for (const auto &[name, value] : params) {
        if (value < 0)
            throw Error(ErrorCode::BadArgument,
                        "parameter " + name + ": got " + std::to_string(value) + ", want >= 0 (0: derived)");
    }
}

/// Why the request leaves out a variant that takes the problem; empty if it does not.
std::string excluded(const VariantInfo &variant, const PlanRequest &request) {
    if (!variant.is_exact() && request.accuracy == Accuracy::Exact)
        return "accuracy is exact";
    if (!variant.is_exact() && request.tile == 1)
        return "the weights are not transformed";
    if (variant.is_exact() && request.tile > 1)
        return "the weights are transformed";
    return "";
}

/// Why a schedule whose blocks of weights are whole vectors never reads blocks of `co_block` channels (0:
/// any): no vector fits one. Nothing if it may.
std::optional<std::string> narrower_than_vector(const ScheduleRow &row, const ConvDesc &desc,
                                                const Target &target, int co_block) {
    const int lanes = vector_lanes(target, desc.acc_type);
    const auto has = [&](const char *name) {
        const std::vector<ParamSpec> &params = row.planning.params;
        return std::any_of(params.begin(), params.end(), [&](const ParamSpec &p) { return p.name == name; });
    };
    if (co_block == 0 || co_block >= lanes || !has("co_vectors") || has("co_block"))
        return std::nullopt;
    return "weights in blocks of " + std::to_string(co_block) + " channels, less than the " +
           std::to_string(lanes) + " lanes of a vector";
}

/// The numbers asked for; shared weights fix the tile.
Params requested_params(const PlanRequest &request) {
    Params params = request.params;
    if (request.tile > 1)
        params["tile"] = request.tile;
    return params;
}

/// Pairs of variant and schedule in the order of preference: tuned schedules of any of the variants first.
std::vector<std::pair<std::string, const ScheduleRow *>> candidates(const std::vector<std::string> &variants,
                                                                    const std::string &schedule) {
    std::vector<std::pair<std::string, const ScheduleRow *>> pairs;
    for (const std::string &variant : variants) {
        for (const ScheduleRow &row : rows()) {
            const bool is_known = std::any_of(pairs.begin(), pairs.end(), [&](const auto &pair) {
                // Of fallbacks, the first is made for the variant.
                return pair.first == variant && pair.second->info.target == row.info.target &&
                       !row.info.is_tuned();
            });
            if (!is_known && row.info.serves(variant) && (schedule.empty() || row.info.name == schedule))
                pairs.emplace_back(variant, &row);
        }
    }
    std::stable_partition(pairs.begin(), pairs.end(),
                          [](const auto &pair) { return pair.second->info.is_tuned(); });
    return pairs;
}

/// The plan without measured ones.
PlanChoice own_plan(const ConvDesc &of, const Target &target, const PlanRequest &request) {
    const ConvDesc desc = kernel_problem(of);
    PlanChoice choice;
    std::vector<std::string> variants;
    for (const VariantInfo &variant : variant_table()) {
        const bool is_asked_for = variant.name == request.variant;
        if (request.variant.empty() ? variant.op != whole_op(desc) : !is_asked_for)
            continue;
        const bool is_taking = variant.op == whole_op(desc) && variant.accepts(desc);
        const std::string why = is_taking ? excluded(variant, request) : "takes " + variant.condition;
        if (why.empty())
            variants.push_back(variant.name);
        else
            choice.rejected.push_back({variant.name, why});
    }
    choice.accuracy = request.accuracy.value_or(Accuracy::Fast);
    choice.accuracy_source = request.accuracy ? "explicit" : "default";
    const bool is_variant_free = request.variant.empty() && request.tile <= 1;
    const Params params = requested_params(request);
    for (const auto &[variant, row] : candidates(variants, request.schedule)) {
        auto reason = rejection(*row, desc, target);
        if (!reason)
            reason = narrower_than_vector(*row, desc, target, request.co_block);
        if (!reason && is_variant_free)
            reason = not_by_default(*row, variant, desc, target, params);
        if (reason) {
            choice.rejected.push_back({variant + "/" + row->info.name, *reason});
            continue;
        }
        check_params(*row, params);
        choice.plan = {variant, row->info.name, target,
                       row->planning.complete(desc, target, params, request.co_block)};
        const bool is_explicit =
            !request.schedule.empty() || !request.variant.empty() || !request.params.empty();
        choice.source = is_explicit ? "explicit" : "default";
        return choice;
    }
    std::string why;
    for (const Rejection &r : choice.rejected)
        why += (why.empty() ? "" : "; ") + r.schedule + ": " + r.reason;
    throw Error(ErrorCode::Unsupported, "no schedule takes " + of.key() + " on " + target.name + ": " + why);
}

/// What the request fixes and the measured plan does otherwise; empty if nothing.
std::string contradiction(const TunedPlan &tuned, const PlanRequest &request) {
    if (!request.variant.empty() && request.variant != tuned.variant)
        return "variant " + request.variant + " was asked for";
    if (!request.schedule.empty() && request.schedule != tuned.schedule)
        return "schedule " + request.schedule + " was asked for";
    for (const auto &[name, value] : request.params) {
        const auto own = tuned.params.find(name);
        if (value != 0 && (own == tuned.params.end() || own->second != value))
            return name + "=" + std::to_string(value) + " was asked for";
    }
    return "";
}

/// A measured plan as this build makes it. Throws Error saying why it does not, or not so.
PlanChoice tuned_plan(const ConvDesc &desc, const Target &target, const PlanRequest &request,
                      const TunedPlan &tuned) {
    const auto refuse = [](const std::string &why) { throw Error(ErrorCode::BadArgument, why); };
    if (const std::string why = contradiction(tuned, request); !why.empty())
        refuse(why);
    PlanRequest same = request;
    same.variant = tuned.variant;
    same.schedule = tuned.schedule;
    same.params = tuned.params;
    check_request(same);
    PlanChoice choice = own_plan(desc, target, same);
    if (choice.plan.params != tuned.params)
        refuse("its numbers are no longer legal: they become " + choice.plan.text());
    const Packing packing = choice.plan.packing(desc);
    if ((request.co_block != 0 && packing.co_block != request.co_block) ||
        (request.tile != 0 && packing.tile != request.tile))
        refuse("its weights are packed otherwise than those of the other classes of the library");
    choice.source = tuned.source;
    choice.is_tuned = true;
    return choice;
}

} // namespace

std::string Plan::text() const {
    std::string s = variant + "/" + schedule;
    char separator = '/';
    for (const auto &[name, value] : params) {
        s += separator + name + "=" + std::to_string(value);
        separator = ',';
    }
    return s;
}

Packing Plan::packing(const ConvDesc &desc) const {
    const ConvDesc problem = kernel_problem(desc);
    Packing packing = row_of(desc, *this).planning.packing(problem, target, params);
    packing.by_group = problem.groups_are_images;
    return packing;
}

bool Plan::copies_rows(const ConvDesc &desc) const {
    return row_of(desc, *this).planning.copies_rows;
}

bool Plan::settles(const ConvDesc &desc, const std::string &name) const {
    const SchedulePlanning &planning = row_of(desc, *this).planning;
    return planning.settles != nullptr && planning.settles(kernel_problem(desc), target, name);
}

bool Plan::leaves_out_taps(const ConvDesc &desc) const {
    const SchedulePlanning &planning = row_of(desc, *this).planning;
    return planning.leaves_out_taps != nullptr &&
           planning.leaves_out_taps(kernel_problem(desc), target, params);
}

bool Plan::fills_tiles(const ConvDesc &desc) const {
    const SchedulePlanning &planning = row_of(desc, *this).planning;
    return planning.fills_tiles != nullptr && planning.fills_tiles(kernel_problem(desc), params);
}

bool Plan::copies_windows(const ConvDesc &desc) const {
    return row_of(desc, *this).planning.copies_windows;
}

bool Plan::inlines_ops(const ConvDesc &desc) const {
    return row_of(desc, *this).planning.inlines_ops;
}

bool Plan::masks_columns(const ConvDesc &desc) const {
    const SchedulePlanning &planning = row_of(desc, *this).planning;
    return planning.masks_columns != nullptr && planning.masks_columns(kernel_problem(desc), target);
}

int Plan::row_tile(const ConvDesc &desc) const {
    const SchedulePlanning &planning = row_of(desc, *this).planning;
    return planning.row_tile != nullptr ? planning.row_tile(kernel_problem(desc), params) : 0;
}

double Plan::relative_error() const {
    return variant_info(variant).relative_error;
}

std::string accuracy_name(Accuracy accuracy) {
    return accuracy == Accuracy::Exact ? "exact" : "fast";
}

Accuracy parse_accuracy(const std::string &name) {
    if (name != "exact" && name != "fast")
        throw Error(ErrorCode::BadArgument, "accuracy: got '" + name + "', want exact or fast");
    return name == "exact" ? Accuracy::Exact : Accuracy::Fast;
}

const std::vector<ScheduleInfo> &schedule_table() {
    static const std::vector<ScheduleInfo> table = [] {
        std::vector<ScheduleInfo> t;
        for (const ScheduleRow &row : rows())
            t.push_back(row.info);
        return t;
    }();
    return table;
}

void check_request(const PlanRequest &request) {
    check_name("variant", request.variant, variant_table(), [](const VariantInfo &v) { return v.name; });
    check_name("schedule", request.schedule, rows(), [](const ScheduleRow &r) { return r.info.name; });
}

size_t schedule_row(const ConvDesc &desc, const Plan &plan) {
    const ConvDesc problem = kernel_problem(desc);
    for (size_t i = 0; i < rows().size(); i++) {
        const ScheduleRow &row = rows()[i];
        if (row.info.serves(plan.variant) && row.info.name == plan.schedule && row.info.suits(plan.target) &&
            !row.planning.reject(problem, plan.target))
            return i;
    }
    throw Error(ErrorCode::BadArgument,
                "no schedule '" + plan.schedule + "' for variant '" + plan.variant + "'");
}

std::optional<std::string> takes_any(const ConvDesc &, const Target &) {
    return std::nullopt;
}

bool always_fills_tiles(const ConvDesc &, const Params &) {
    return true;
}

Packing packing_by_co_block(const ConvDesc &, const Target &, const Params &params) {
    return Packing{params.at("co_block")};
}

bool ScheduleInfo::serves(const std::string &variant) const {
    return variants.empty() || std::find(variants.begin(), variants.end(), variant) != variants.end();
}

PlanChoice make_plan(const ConvDesc &desc, const Target &target, const PlanRequest &request) {
    desc.validate();
    check_request(request);
    if (request.tuned == nullptr)
        return own_plan(desc, target, request);
    const Accuracy accuracy = request.accuracy.value_or(Accuracy::Fast);
    TunedAnswer answer =
        request.tuned->find({desc.key(), target, request.threads > 0 ? request.threads : 1, accuracy});
    for (const TunedPlan &tuned : answer.plans) {
        try {
            PlanChoice choice = tuned_plan(desc, target, request, tuned);
            choice.passed_over = std::move(answer.passed_over);
            return choice;
        } catch (const Error &error) {
            answer.passed_over.push_back(tuned.source + ": " +
                                         Plan{tuned.variant, tuned.schedule, target, tuned.params}.text() +
                                         ": " + error.what());
        }
    }
    PlanChoice choice = own_plan(desc, target, request);
    choice.passed_over = std::move(answer.passed_over);
    return choice;
}

} // namespace convsmith
