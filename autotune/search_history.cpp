// See search_history.h.
#include "autotune/search_history.h"

#include "generators/conv_shape.h"
#include "generators/error.h"
#include "runtime/records/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace convsmith::autotune {

namespace {

using Records = std::vector<const Record *>;
using Costs = std::map<const Record *, double>;

bool parses_to(const std::string &key, const ConvDesc &desc) {
    try {
        return ConvDesc::parse(key) == desc;
    } catch (const Error &) {
        return false;
    }
}

std::vector<std::string> words_of(const std::string &key) {
    std::vector<std::string> words;
    for (size_t begin = 0; begin <= key.size();) {
        const size_t end = std::min(key.find('_', begin), key.size());
        words.push_back(key.substr(begin, end - begin));
        begin = end + 1;
    }
    return words;
}

/// "k3x3" -> "k3"; the word itself if it is not one number repeated.
std::string shortened(const std::string &word) {
    const size_t cross = word.find('x');
    const size_t digits = word.find_first_of("0123456789");
    if (cross == std::string::npos || digits == std::string::npos || digits > cross)
        return word;
    const std::string number = word.substr(digits, cross - digits);
    for (size_t at = cross; at < word.size(); at += number.size() + 1) {
        if (word.substr(at, number.size() + 1) != "x" + number)
            return word;
    }
    return word.substr(0, cross);
}

std::string algorithm_of(const Record &record) {
    return record.variant + " / " + record.schedule;
}

Records timed(const Records &records) {
    Records ok;
    std::copy_if(records.begin(), records.end(), std::back_inserter(ok),
                 [](const Record *r) { return r->status == Status::Ok && r->cost() > 0; });
    return ok;
}

/// Values of a parameter, each with the best of its records, against the best of all.
template<typename ValueOf>
Sensitivity sensitivity_of(const std::string &name, const Records &records, const Costs &costs,
                           const ValueOf &value_of) {
    struct Best {
        const Record *record = nullptr;
        int64_t tried = 0;
    };
    const auto is_better = [&](const Record *one, const Record *other) {
        if (other == nullptr || one->is_sure() != other->is_sure())
            return other == nullptr || one->is_sure();
        return costs.at(one) < costs.at(other);
    };
    std::map<decltype(value_of(*records[0])), Best> best;
    const Record *best_of_all = nullptr;
    for (const Record *record : records) {
        Best &its = best[value_of(*record)];
        its.tried++;
        its.record = is_better(record, its.record) ? record : its.record;
        best_of_all = is_better(record, best_of_all) ? record : best_of_all;
    }
    Sensitivity found = {name, {}};
    for (const auto &[value, its] : best) {
        const double ratio = costs.at(its.record) / costs.at(best_of_all); // below 1 by chance only
        found.values.push_back({fmt::format("{}", value), std::max(1.0, ratio), its.tried});
    }
    return found;
}

/// Of the algorithms, and of the parameters of the one that the best record uses.
std::vector<Sensitivity> sensitivities(const Records &ok, const Costs &costs, const Record &best) {
    std::vector<Sensitivity> found = {sensitivity_of("algorithm", ok, costs, algorithm_of)};
    std::sort(found[0].values.begin(), found[0].values.end(),
              [](const ValueCost &a, const ValueCost &b) { return a.ratio < b.ratio; });
    Records alike;
    std::copy_if(ok.begin(), ok.end(), std::back_inserter(alike),
                 [&](const Record *r) { return algorithm_of(*r) == algorithm_of(best); });
    for (const auto &[name, value] : best.params) {
        Records with;
        std::copy_if(alike.begin(), alike.end(), std::back_inserter(with),
                     [&, parameter = name](const Record *r) { return r->params.count(parameter) != 0; });
        const Sensitivity one = sensitivity_of(
            name, with, costs, [&, parameter = name](const Record &r) { return r.params.at(parameter); });
        if (one.values.size() > 1)
            found.push_back(one);
    }
    std::stable_sort(found.begin() + 1, found.end(),
                     [](const Sensitivity &a, const Sensitivity &b) { return a.range() > b.range(); });
    return found;
}

std::vector<RunHistory> runs_of(const Records &records, const Costs &costs, double probe_ns) {
    std::vector<RunHistory> runs;
    for (const Record *record : records) {
        auto run =
            std::find_if(runs.begin(), runs.end(), [&](const RunHistory &r) { return r.run == record->run; });
        if (run == runs.end())
            run = runs.insert(runs.end(), {record->run, record->seed, {}});
        if (record->status != Status::Ok || record->cost() <= 0 || record->seconds <= 0 || !record->is_sure())
            continue;
        const double ns = costs.at(record) * probe_ns;
        const bool is_better = run->best.empty() || ns < run->best.back().ns;
        const double least = is_better ? ns : run->best.back().ns;
        const bool was_level =
            run->best.size() > 1 && run->best[run->best.size() - 2].ns == run->best.back().ns;
        if (!is_better && was_level)
            run->best.back().seconds = record->seconds; // the run lasted until here
        else
            run->best.push_back({record->seconds, least});
    }
    return runs;
}

ProblemHistory problem_history(const Records &records) {
    ProblemHistory problem;
    problem.key = records[0]->key;
    const ConvDesc desc = ConvDesc::parse(problem.key);
    problem.label = short_key(desc);
    problem.flops = 2 * static_cast<double>(mac_count(desc));
    problem.bytes = static_cast<double>(byte_count(desc));
    for (const Record *record : records) {
        problem.outcomes[record->status]++;
        if (record->has_failed())
            problem.errors[record->error.substr(0, record->error.find('\n'))]++;
        if (record->summary)
            problem.summary = record->summary;
    }
    const Records ok = timed(records);
    if (ok.empty())
        return problem;
    Contents contents; // of this problem, whose best record counts
    for (const Record *record : records)
        contents.lines.push_back({0, "", *record, ""});
    if (const Records best = best_records(contents, 1); !best.empty()) {
        problem.best = *best[0];
        problem.has_times = true;
        const Record *fastest = *std::min_element(
            ok.begin(), ok.end(), [](const Record *a, const Record *b) { return a->probe_ns < b->probe_ns; });
        const Costs costs = steady_costs(ok);
        problem.runs = runs_of(records, costs, fastest->probe_ns);
        for (const Record *record : ok) {
            if (record->summary)
                problem.default_ns = record->summary->default_ns / record->probe_ns * fastest->probe_ns;
        }
        problem.sensitivity = sensitivities(ok, costs, problem.best);
    }
    return problem;
}

} // namespace

double Sensitivity::range() const {
    double worst = 1;
    for (const ValueCost &value : values)
        worst = std::max(worst, value.ratio);
    return worst;
}

double MachineHistory::speedup(int64_t &counted) const {
    std::vector<double> speedups;
    for (const ProblemHistory &problem : problems) {
        if (problem.summary && problem.summary->default_ns > 0)
            speedups.push_back(problem.summary->speedup);
    }
    counted = static_cast<int64_t>(speedups.size());
    return geometric_mean(speedups);
}

SearchHistory history_of(const Contents &contents) {
    SearchHistory history;
    std::map<std::string, size_t> machines; // by the subject without problem and plan
    std::vector<std::vector<std::pair<std::string, Records>>> problems; // of each machine, in their order
    std::map<std::string, std::string> defects;
    for (const Record *record : contents.records()) {
        try {
            mac_count(ConvDesc::parse(record->key));
        } catch (const Error &error) {
            defects.emplace(record->key, error.what());
            continue;
        }
        Record where = *record;
        where.key = where.variant = where.schedule = "";
        where.params.clear();
        const auto [at, is_new] = machines.emplace(where.subject(), machines.size());
        if (is_new) {
            history.machines.push_back(
                {record->hardware, record->target, record->threads, record->versions, {}, {}});
            problems.emplace_back();
        }
        auto &mine = problems[at->second];
        auto problem =
            std::find_if(mine.begin(), mine.end(), [&](const auto &p) { return p.first == record->key; });
        if (problem == mine.end())
            problem = mine.insert(mine.end(), {record->key, {}});
        problem->second.push_back(record);
        if (record->summary) {
            Roofs &roofs = history.machines[at->second].roofs;
            roofs.peak_gflops = std::max(roofs.peak_gflops, record->summary->roofs.peak_gflops);
            roofs.copy_gb_per_s = std::max(roofs.copy_gb_per_s, record->summary->roofs.copy_gb_per_s);
        }
    }
    for (size_t i = 0; i < problems.size(); i++) {
        for (const auto &[key, records] : problems[i])
            history.machines[i].problems.push_back(problem_history(records));
    }
    for (const auto &[key, defect] : defects)
        history.unreadable.push_back(key + ": " + defect);
    return history;
}

std::string short_key(const ConvDesc &desc) {
    std::vector<std::string> words = words_of(desc.key());
    for (size_t i = 1; i < words.size();) {
        std::vector<std::string> without = words;
        without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
        std::vector<std::string> shorter = words;
        shorter[i] = shortened(words[i]);
        if (parses_to(fmt::format("{}", fmt::join(without, "_")), desc)) {
            words = without;
            continue;
        }
        if (shorter != words && parses_to(fmt::format("{}", fmt::join(shorter, "_")), desc))
            words = shorter;
        i++;
    }
    return fmt::format("{}", fmt::join(words, "_"));
}

} // namespace convsmith::autotune
