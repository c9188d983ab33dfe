// See curate.h.
#include "runtime/records/curate.h"

#include "runtime/records/statistics.h"

#include <algorithm>
#include <map>

namespace convsmith::autotune {

bool goes_before(const Record &a, const Record &b) {
    if (a.is_chosen != b.is_chosen)
        return a.is_chosen;
    if (a.is_chosen)
        return a.time > b.time;
    return a.is_sure() != b.is_sure() ? a.is_sure() : a.cost() < b.cost();
}

std::string problem_of(const Record &record) {
    Record problem = record;
    problem.variant = problem.schedule = "";
    problem.params.clear();
    return problem.subject();
}

std::vector<const Record *> latest_records(const Contents &contents) {
    std::vector<std::string> subjects;
    std::map<std::string, const Record *> latest;
    for (const Record *record : contents.records()) {
        subjects.push_back(record->subject());
        const Record *&kept = latest[subjects.back()];
        if (kept == nullptr || record->time >= kept->time) // within a second: the later line
            kept = record;
    }
    std::vector<const Record *> records;
    size_t next = 0;
    for (const Record *record : contents.records()) {
        if (latest.at(subjects[next++]) == record)
            records.push_back(record);
    }
    return records;
}

std::map<std::string, std::vector<const Record *>> timed_by_problem(const std::vector<Contents> &layers) {
    std::map<std::string, std::vector<const Record *>> by_problem;
    for (const Contents &layer : layers) {
        for (const Record *record : latest_records(layer)) {
            if (record->status == Status::Ok && is_current(*record))
                by_problem[problem_of(*record)].push_back(record);
        }
    }
    return by_problem;
}

std::map<const Record *, double> steady_costs(const std::vector<const Record *> &records) {
    std::vector<double> own;
    for (const Record *record : records) {
        if (record->relative == 1)
            own.push_back(record->cost());
    }
    const double own_cost = median(own);
    std::map<const Record *, double> costs;
    for (const Record *record : records)
        costs[record] = own_cost > 0 && record->relative > 0 ? record->relative * own_cost : record->cost();
    return costs;
}

std::string plan_anywhere(const Record &record) {
    Record anywhere = record;
    anywhere.hardware = Hardware();
    anywhere.threads = 1;
    return anywhere.subject();
}

std::set<std::string> wrong_plans(const Contents &contents) {
    std::set<std::string> plans;
    for (const Record *record : contents.records()) {
        if (record->status == Status::WrongResult)
            plans.insert(plan_anywhere(*record));
    }
    return plans;
}

std::vector<const Record *> best_records(const Contents &contents, int most) {
    const std::set<std::string> wrong = wrong_plans(contents);
    std::map<std::string, std::vector<const Record *>> rivals;
    for (const Record *record : latest_records(contents)) {
        if (record->has_cost() && wrong.count(plan_anywhere(*record)) == 0)
            rivals[problem_of(*record)].push_back(record);
    }
    std::set<const Record *> best;
    for (auto &[problem, records] : rivals) {
        std::stable_sort(records.begin(), records.end(),
                         [](const Record *a, const Record *b) { return goes_before(*a, *b); });
        const size_t count = std::min(records.size(), static_cast<size_t>(std::max(0, most)));
        best.insert(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(count));
    }
    std::vector<const Record *> in_order;
    for (const Record *record : contents.records()) {
        if (best.count(record) != 0)
            in_order.push_back(record);
    }
    return in_order;
}

int64_t merge_lines(std::vector<Line> &into, const std::vector<Line> &from) {
    std::set<std::string> known;
    for (const Line &line : into)
        known.insert(line.text);
    int64_t added = 0;
    for (const Line &line : from) {
        if (known.insert(line.text).second) {
            into.push_back(line);
            added++;
        }
    }
    return added;
}

int64_t prune_lines(std::vector<Line> &lines, const PruneOptions &options) {
    Contents contents;
    contents.lines = lines;
    const std::vector<const Record *> latest = latest_records(contents);
    std::set<const Record *> kept(latest.begin(), latest.end());
    std::set<const Record *> best;
    if (options.keep > 0) {
        const std::vector<const Record *> fastest = best_records(contents, options.keep);
        best.insert(fastest.begin(), fastest.end());
    }
    lines.clear();
    for (const Line &line : contents.lines) {
        const Record *record = line.record ? &*line.record : nullptr;
        const bool stays = record == nullptr || record->status == Status::WrongResult;
        const bool is_stale = record != nullptr && options.drops_stale && !is_current(*record);
        const bool is_beaten =
            record != nullptr && record->has_cost() && options.keep > 0 && best.count(record) == 0;
        if (stays || (kept.count(record) != 0 && !is_stale && !is_beaten))
            lines.push_back(line);
    }
    return static_cast<int64_t>(contents.lines.size() - lines.size());
}

} // namespace convsmith::autotune
