// What a database's records say together: which of them count, which are the best, what can go. Used by
// lookup.h and `convsmith db`.
#pragma once

#include "runtime/records/database.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace convsmith::autotune {

/// Of each subject the record that was measured last, in the order of the contents.
std::vector<const Record *> latest_records(const Contents &contents);

/// The latest records of each layer that are Ok and current, by problem_of: those that can be compared.
std::map<std::string, std::vector<const Record *>> timed_by_problem(const std::vector<Contents> &layers);

/// Record::cost of each of a problem's records; of those that know Record::relative that times the cost of
/// the planner's own plan, so that they compare as they did round by round.
std::map<const Record *, double> steady_costs(const std::vector<const Record *> &records);

/// Whether `a` is the one to use of two records of one problem that have a cost: what a run chose goes first,
/// later choices before earlier ones; else one that is sure; else the lower cost.
bool goes_before(const Record &a, const Record &b);

/// The subject without its plan as text: records that compete.
std::string problem_of(const Record &record);

/// Problem, plan, target and versions of a record as text, whatever machine ran it.
std::string plan_anywhere(const Record &record);

/// plan_anywhere of every record of a wrong result: no plan to be used anywhere, whatever later records say.
std::set<std::string> wrong_plans(const Contents &contents);

/// The first records by goes_before of each problem, target, number of threads, machine and versions, at most
/// `most` of each, in the order of the contents.
std::vector<const Record *> best_records(const Contents &contents, int most);

/// Appends the lines of `from` that `into` does not have, unreadable ones too; the number appended.
int64_t merge_lines(std::vector<Line> &into, const std::vector<Line> &from);

struct PruneOptions {
    bool drops_stale = false; ///< records measured with other versions of Halide, LLVM or the algorithms
    int keep = 0; ///< records with a cost kept of each problem on each machine, best first; 0: all
};

/// Removes records that a later one of the same subject replaces, and what `options` name; the number
/// removed. Unreadable lines and wrong results stay: the first may be somebody's work, the second keep a plan
/// from being used.
int64_t prune_lines(std::vector<Line> &lines, const PruneOptions &options);

} // namespace convsmith::autotune
