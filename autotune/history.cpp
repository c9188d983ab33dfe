// See history.h.
#include "autotune/history.h"

#include "autotune/effects.h"
#include "generators/error.h"
#include "runtime/records/curate.h"
#include "runtime/records/statistics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

namespace convsmith::autotune {

namespace {

constexpr double kOtherCore = 2; ///< added to the distance of what other cores measured
constexpr size_t kNeighbours = 3;
constexpr size_t kPlansOfEach = 3;

PlanRequest request_of(const Plan &plan, bool has_numbers) {
    PlanRequest request;
    request.variant = plan.variant;
    request.schedule = plan.schedule;
    if (has_numbers)
        request.params = plan.params;
    return request;
}

std::optional<Plan> plan_of(const ConvDesc &desc, const Target &target, const PlanRequest &request) {
    try {
        return make_plan(desc, target, request).plan;
    } catch (const Error &) { // of another version's schedules
        return std::nullopt;
    }
}

std::optional<ConvDesc> desc_of(const std::string &key) {
    try {
        return ConvDesc::parse(key);
    } catch (const Error &) {
        return std::nullopt;
    }
}

bool is_of_one_kind(const ConvDesc &a, const ConvDesc &b) {
    return a.op == b.op && a.rank == b.rank && a.acc_type == b.acc_type && a.in_type == b.in_type &&
           a.in_layout == b.in_layout && a.then.size() == b.then.size() &&
           a.branches.size() == b.branches.size();
}

/// The past problem that competing records are about; nothing if there is no use for them.
std::optional<PastProblem> past_problem(const std::vector<const Record *> &records, const ConvDesc &desc,
                                        const Target &target, const Hardware &hardware) {
    const std::optional<ConvDesc> past = desc_of(records.front()->key);
    if (!past || !is_of_one_kind(*past, desc) || past->is_open())
        return std::nullopt;
    PastProblem problem;
    problem.desc = *past;
    problem.distance = shape_distance(*past, desc);
    if (records.front()->hardware.microarchitecture != hardware.microarchitecture)
        problem.distance += kOtherCore;
    std::set<std::string> known;
    const std::string own = make_plan(*past, target).plan.text();
    std::vector<double> costs;
    const std::map<const Record *, double> steady = steady_costs(records);
    for (const Record *record : records) {
        const double cost = steady.at(record);
        const std::optional<Plan> plan = plan_of(*past, target, record->request());
        if (!plan || plan->text() != record->plan_text() || !known.insert(plan->text()).second)
            continue;
        problem.plans.push_back({*plan, cost});
        costs.push_back(cost);
        if (plan->text() == own)
            problem.own_cost = cost;
    }
    if (problem.plans.empty())
        return std::nullopt;
    if (problem.own_cost == 0)
        problem.own_cost = median(costs);
    return problem;
}

/// How far two plans of one pair of variant and schedule are apart, in doublings.
double plan_distance(const Plan &a, const Plan &b) {
    double sum = 0;
    for (const auto &[name, value] : a.params) {
        const double other = number_of(b, name.c_str(), 1);
        sum += std::fabs(std::log2(std::max(1, value) / other));
    }
    return sum;
}

/// What `plan` of the past problem would be for `desc`: the schedule's own numbers, except those that were
/// not its own.
std::optional<Plan> transferred(const PastProblem &past, const Plan &plan, const ConvDesc &desc) {
    const PlanRequest pair = request_of(plan, /* has_numbers */ false);
    const std::optional<Plan> their_own = plan_of(past.desc, plan.target, pair);
    std::optional<Plan> wanted = plan_of(desc, plan.target, pair);
    if (!their_own || !wanted)
        return std::nullopt;
    for (auto &[name, value] : wanted->params) {
        const int theirs = number_of(plan, name.c_str(), 0);
        if (theirs != number_of(*their_own, name.c_str(), 0))
            value = theirs;
    }
    return wanted;
}

std::optional<size_t> nearest_candidate(const Space &space, const Plan &wanted) {
    std::optional<size_t> nearest;
    double least = 0;
    for (size_t i = 0; i < space.plans.size(); i++) {
        const Plan &plan = space.plans[i];
        if (plan.variant != wanted.variant || plan.schedule != wanted.schedule)
            continue;
        const double distance = plan_distance(wanted, plan);
        if (!nearest || distance < least)
            nearest = i, least = distance;
    }
    return nearest;
}

} // namespace

double shape_distance(const ConvDesc &a, const ConvDesc &b) {
    const std::vector<float> x = shape_features(a), y = shape_features(b);
    double sum = 0;
    for (size_t i = 0; i < x.size(); i++)
        sum += std::pow(static_cast<double>(x[i]) - y[i], 2);
    return std::sqrt(sum);
}

History read_history(const std::vector<Contents> &layers, const ConvDesc &desc, const Target &target,
                     int threads, const Hardware &hardware) {
    const std::string key = desc.key();
    std::set<std::string> wrong;
    for (const Contents &layer : layers)
        wrong.merge(wrong_plans(layer));
    std::map<std::string, std::vector<const Record *>> by_problem; // and kind of core
    for (const Contents &layer : layers) {
        for (const Record *record : latest_records(layer)) {
            if (record->status == Status::Ok && record->key != key && record->target == target.halide &&
                record->threads == threads && wrong.count(plan_anywhere(*record)) == 0)
                by_problem[record->key + " " + record->hardware.microarchitecture].push_back(record);
        }
    }
    History history;
    for (auto &[problem, records] : by_problem) {
        std::stable_sort(records.begin(), records.end(),
                         [](const Record *a, const Record *b) { return goes_before(*a, *b); });
        if (std::optional<PastProblem> past = past_problem(records, desc, target, hardware))
            history.push_back(std::move(*past));
    }
    std::stable_sort(history.begin(), history.end(),
                     [](const PastProblem &a, const PastProblem &b) { return a.distance < b.distance; });
    return history;
}

std::vector<size_t> plans_to_begin_with(const ConvDesc &desc, const Space &space, const History &history,
                                        size_t most) {
    std::vector<size_t> first;
    for (size_t p = 0; p < std::min(kNeighbours, history.size()); p++) {
        const PastProblem &past = history[p];
        for (size_t i = 0; i < std::min(kPlansOfEach, past.plans.size()); i++) {
            const std::optional<Plan> wanted = transferred(past, past.plans[i].plan, desc);
            const std::optional<size_t> index = wanted ? nearest_candidate(space, *wanted) : std::nullopt;
            if (index && first.size() < most && std::find(first.begin(), first.end(), *index) == first.end())
                first.push_back(*index);
        }
    }
    return first;
}

} // namespace convsmith::autotune
