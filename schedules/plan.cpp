// The planner and the schedule table (plan.h), built from schedules.inc and each schedule's planning side.
#include "schedules/plan.h"

#include "generators/error.h"
#include "schedules/schedule.h"

#include <algorithm>

namespace convsmith {
namespace {

struct ScheduleRow {
    ScheduleInfo info;
    SchedulePlanning planning;
};

const std::vector<ScheduleRow> &rows() {
    static const std::vector<ScheduleRow> table = [] {
        std::vector<ScheduleRow> t;
#define CONVSMITH_SCHEDULE(variant_, folder_, target_, doc_)                                                 \
    {                                                                                                        \
        const SchedulePlanning planning = folder_::variant_##_planning();                                    \
        t.push_back({{#variant_, #folder_, target_, doc_, planning.params}, planning});                      \
    }
#include "schedules/schedules.inc"
#undef CONVSMITH_SCHEDULE
        return t;
    }();
    return table;
}

const ScheduleRow &row_of(const Plan &plan) {
    for (const ScheduleRow &row : rows()) {
        if (row.info.variant == plan.variant && row.info.name == plan.schedule)
            return row;
    }
    throw Error(ErrorCode::BadArgument,
                "no schedule '" + plan.schedule + "' for variant '" + plan.variant + "'");
}

/// Why `row` cannot serve; nothing if it can.
std::optional<std::string> rejection(const ScheduleRow &row, const ConvDesc &desc, const Target &target) {
    if (row.info.target != "*" && row.info.target != target.name)
        return "tuned for target " + row.info.target + ", not " + target.name;
    return row.planning.reject(desc, target);
}

void check_request(const PlanRequest &request) {
    const auto known = [&](auto matches) { return std::any_of(rows().begin(), rows().end(), matches); };
    const auto names = [](auto name_of) {
        std::string list;
        for (const ScheduleRow &row : rows()) {
            if (list.find(name_of(row)) == std::string::npos)
                list += (list.empty() ? "" : ", ") + name_of(row);
        }
        return list;
    };
    if (!request.variant.empty() &&
        !known([&](const ScheduleRow &r) { return r.info.variant == request.variant; }))
        throw Error(ErrorCode::BadArgument, "variant: got '" + request.variant + "', want one of " +
                                                names([](const ScheduleRow &r) { return r.info.variant; }));
    if (!request.schedule.empty() &&
        !known([&](const ScheduleRow &r) { return r.info.name == request.schedule; }))
        throw Error(ErrorCode::BadArgument, "schedule: got '" + request.schedule + "', want one of " +
                                                names([](const ScheduleRow &r) { return r.info.name; }));
}

/// The requested parameters that the schedule has. Throws Error(BadArgument) for one it does not have when
/// the schedule was named, or for a negative value.
void check_params(const ScheduleRow &row, const Params &params) {
    for (const auto &[name, value] : params) {
        const auto spec = std::find_if(row.info.params.begin(), row.info.params.end(),
                                       [&name = name](const ParamSpec &p) { return p.name == name; });
        if (spec == row.info.params.end())
            throw Error(ErrorCode::BadArgument, "parameter '" + name + "': schedule " + row.info.name +
                                                    " of " + row.info.variant + " has none of that name");
        if (value < 0)
            throw Error(ErrorCode::BadArgument,
                        "parameter " + name + ": got " + std::to_string(value) + ", want >= 0 (0: derived)");
    }
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
    return row_of(*this).planning.packing(desc, target, params);
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

PlanChoice make_plan(const ConvDesc &desc, const Target &target, const PlanRequest &request) {
    desc.validate();
    check_request(request);
    PlanChoice choice;
    for (const ScheduleRow &row : rows()) {
        if (!request.variant.empty() && row.info.variant != request.variant)
            continue;
        if (!request.schedule.empty() && row.info.name != request.schedule)
            continue;
        if (const auto reason = rejection(row, desc, target)) {
            choice.rejected.push_back({row.info.variant + "/" + row.info.name, *reason});
            continue;
        }
        check_params(row, request.params);
        const Params params = row.planning.complete(desc, target, request.params, request.co_block);
        choice.plan = {row.info.variant, row.info.name, target, params};
        const bool is_explicit =
            !request.schedule.empty() || !request.variant.empty() || !request.params.empty();
        choice.source = is_explicit ? "explicit" : "default";
        return choice;
    }
    std::string why;
    for (const Rejection &r : choice.rejected)
        why += (why.empty() ? "" : "; ") + r.schedule + ": " + r.reason;
    throw Error(ErrorCode::Unsupported,
                "no schedule takes " + desc.key() + " on " + target.name + ": " + why);
}

} // namespace convsmith
