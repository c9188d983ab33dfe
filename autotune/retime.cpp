// See retime.h.
#include "autotune/retime.h"

#include "generators/error.h"
#include "runtime/records/curate.h"

#include <algorithm>
#include <map>
#include <set>

namespace convsmith::autotune {

namespace {

/// What a record says, whatever versions it is of.
std::string subject_now(Record record) {
    record.versions = library::versions();
    return record.subject();
}

StaleProblem problem_of_records(std::vector<const Record *> records, int most) {
    std::stable_sort(records.begin(), records.end(),
                     [](const Record *a, const Record *b) { return goes_before(*a, *b); });
    StaleProblem problem;
    problem.desc = ConvDesc::parse(records[0]->key);
    problem.target = parse_target(records[0]->target);
    problem.threads = records[0]->threads;
    std::set<std::string> known; // of several versions
    for (const Record *record : records) {
        if (!known.insert(record->plan_text()).second)
            continue;
        try {
            const Plan plan = make_plan(problem.desc, problem.target, record->request()).plan;
            if (static_cast<int>(problem.plans.size()) < most)
                problem.plans.push_back(plan);
            else
                problem.left++;
        } catch (const Error &error) {
            problem.refused.push_back(record->plan_text() + ": " + error.what());
        }
    }
    return problem;
}

/// Whether this machine can time what the record is about.
bool is_from_here(const Record &record) {
    try {
        const Target target = parse_target(record.target);
        return record.hardware == hardware_for(target) && runs_natively(target) &&
               ConvDesc::parse(record.key).key() == record.key;
    } catch (const Error &) {
        return false; // of a target or an operation that this build does not know
    }
}

} // namespace

StaleRecords stale_records(const Contents &contents, int most) {
    std::set<std::string> timed;
    for (const Record *record : contents.records()) {
        if (is_current(*record))
            timed.insert(record->subject());
    }
    StaleRecords stale;
    std::vector<std::string> order;
    std::map<std::string, std::vector<const Record *>> groups;
    for (const Record *record : latest_records(contents)) {
        if (record->status != Status::Ok || is_current(*record) || timed.count(subject_now(*record)) != 0)
            continue;
        if (!is_from_here(*record)) {
            stale.elsewhere++;
            continue;
        }
        Record problem = *record;
        problem.versions = library::versions();
        std::vector<const Record *> &group = groups[problem_of(problem)];
        if (group.empty())
            order.push_back(problem_of(problem));
        group.push_back(record);
    }
    for (const std::string &problem : order)
        stale.problems.push_back(problem_of_records(groups.at(problem), most));
    return stale;
}

} // namespace convsmith::autotune
