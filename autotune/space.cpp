// See space.h. Legality is the planner's: a combination is tried by asking for it.
#include "autotune/space.h"

#include "autotune/capacity.h"
#include "generators/composite.h"
#include "generators/error.h"
#include "generators/variant.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <optional>
#include <set>

namespace convsmith::autotune {

namespace {

/// "needs 21 registers on x86_avx2" -> "needs N registers on x86_avx2"
std::string reason_class(const std::string &reason) {
    const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
    std::string text;
    for (size_t at = 0; at < reason.size();) {
        size_t end = at;
        while (end < reason.size() && is_word(reason[end]))
            end++;
        const std::string word = reason.substr(at, end - at);
        const bool is_number = !word.empty() && std::all_of(word.begin(), word.end(),
                                                            [](char c) { return c >= '0' && c <= '9'; });
        text += is_number ? "N" : word;
        if (end < reason.size())
            text += reason[end];
        at = end + 1;
    }
    return text;
}

/// Collects plans, each once.
class Collector {
public:
    Collector(const ConvDesc &desc, const Target &target) : desc_(desc), target_(target) {}

    /// The plan that `request` stands for, or nothing if it is refused, which is counted: by the planner, or
    /// beside the plan with `derived` numbers for what it keeps at a time or computes for nothing.
    std::optional<Plan> add(const PlanRequest &request, const Plan *derived = nullptr) {
        try {
            Plan plan = make_plan(desc_, target_, request).plan;
            std::string excess = derived == nullptr ? "" : over_capacity(desc_, plan, *derived);
            if (derived != nullptr && excess.empty())
                excess = over_waste(desc_, plan, *derived);
            if (!excess.empty()) {
                space_.rejected[reason_class(excess)]++;
                return std::nullopt;
            }
            if (known_.insert(plan.text()).second)
                space_.plans.push_back(plan);
            else
                space_.rejected["the same numbers as another candidate's"]++;
            return plan;
        } catch (const Error &error) {
            space_.rejected[reason_class(without_key(error.what()))]++;
            return std::nullopt;
        }
    }

    Space take() { return std::move(space_); }

private:
    std::string without_key(std::string text) const {
        const std::string key = desc_.key();
        const size_t at = text.find(key);
        return at == std::string::npos ? text : text.replace(at, key.size(), "the problem");
    }

    const ConvDesc &desc_;
    const Target &target_;
    std::set<std::string> known_;
    Space space_;
};

/// Pairs that may take the problem, in the tables' order, with what else is fixed.
std::vector<PlanRequest> pairs_of(const ConvDesc &desc, const Target &target, const PlanRequest &fixed) {
    std::vector<PlanRequest> pairs;
    std::set<std::pair<std::string, std::string>> known;
    for (const VariantInfo &variant : variant_table()) {
        if (variant.op != whole_op(desc) || (!fixed.variant.empty() && fixed.variant != variant.name))
            continue;
        for (const ScheduleInfo &schedule : schedule_table()) {
            if (!schedule.serves(variant.name) || !schedule.suits(target) ||
                (!fixed.schedule.empty() && fixed.schedule != schedule.name) ||
                !known.emplace(variant.name, schedule.name).second)
                continue;
            PlanRequest pair = fixed;
            pair.variant = variant.name;
            pair.schedule = schedule.name;
            pairs.push_back(std::move(pair));
        }
    }
    return pairs;
}

/// A number's name and the values to try.
struct Axis {
    std::string name;
    std::vector<int> values;
};

/// The legal values of every number that request and problem leave open, and the one that the schedule
/// derived; "derive it" is no value of its own.
std::vector<Axis> axes_of(const ConvDesc &desc, const Plan &derived, const PlanRequest &request) {
    std::vector<Axis> axes;
    for (const ParamSpec &spec : schedule_table()[schedule_row(desc, derived)].params) {
        if (request.params.count(spec.name) != 0)
            continue;
        std::set<int> values;
        if (!derived.settles(desc, spec.name))
            values.insert(spec.legal.begin(), spec.legal.end());
        values.erase(0);
        if (const auto own = derived.params.find(spec.name); own != derived.params.end())
            values.insert(own->second);
        if (!values.empty())
            axes.push_back({spec.name, {values.begin(), values.end()}});
    }
    return axes;
}

void add_all(Collector &collector, PlanRequest request, const Plan &derived, const std::vector<Axis> &axes) {
    const int64_t count =
        std::accumulate(axes.begin(), axes.end(), int64_t{1}, [](int64_t product, const Axis &axis) {
            return product * static_cast<int64_t>(axis.values.size());
        });
    for (int64_t index = 0; index < count; index++) {
        int64_t rest = index; // its digits, one an axis, the last axis fastest
        for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
            const auto values = static_cast<int64_t>(axis->values.size());
            request.params[axis->name] = axis->values[static_cast<size_t>(rest % values)];
            rest /= values;
        }
        collector.add(request, &derived);
    }
}

} // namespace

int64_t total(const RejectionCounts &rejected) {
    return std::accumulate(rejected.begin(), rejected.end(), int64_t{0},
                           [](int64_t sum, const auto &row) { return sum + row.second; });
}

Space enumerate_space(const ConvDesc &desc, const Target &target, const PlanRequest &fixed) {
    make_plan(desc, target, fixed); // throws what is wrong with all of it
    Collector collector(desc, target);
    collector.add(fixed);
    std::vector<std::pair<PlanRequest, Plan>> pairs;
    for (const PlanRequest &request : pairs_of(desc, target, fixed)) {
        if (const std::optional<Plan> derived = collector.add(request))
            pairs.emplace_back(request, *derived);
    }
    for (const auto &[request, derived] : pairs)
        add_all(collector, request, derived, axes_of(desc, derived, request));
    return collector.take();
}

} // namespace convsmith::autotune
