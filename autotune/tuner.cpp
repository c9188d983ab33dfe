// See tuner.h.
#include "autotune/tuner.h"

#include "autotune/race.h"
#include "autotune/scratch_dir.h"
#include "autotune/timer.h"
#include "generators/error.h"
#include "runtime/records/curate.h"
#include "runtime/static_program.h"
#include "runtime/thread_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <unistd.h>

namespace convsmith::autotune {

namespace {

using Clock = std::chrono::steady_clock;

/// Of the time left, what compiling and judging may take before those that are ready race.
constexpr double kJudgingShare = 0.85;
/// Between two looks at a busy worker.
constexpr int kPollMs = 5;
/// Of the budget, what is kept for judging the best again and for its last race.
constexpr double kFinalShare = 0.1;
/// Rounds of the last race, between the best and the planner's own plan: if there is time, and at least.
constexpr int kFinalRounds = 27, kLeastFinalRounds = 6;
/// Candidates that may fail on fresh data before the run gives up.
constexpr int kMostFreshFailures = 16;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The planner's own plan and those that the caller lists.
Space listed_space(const ConvDesc &desc, const Target &target, const TuneOptions &options) {
    Space space;
    space.plans.push_back(make_plan(desc, target, options.fixed).plan);
    for (const Plan &plan : options.plans) {
        const auto is_same = [&](const Plan &other) { return other.text() == plan.text(); };
        if (std::none_of(space.plans.begin(), space.plans.end(), is_same))
            space.plans.push_back(plan);
    }
    return space;
}

class Tuning {
public:
    Tuning(const ConvDesc &desc, const Target &target, const Database &database, const TuneOptions &options)
        : desc_(desc), database_(database), options_(options), hardware_(hardware_at(options.place, target)),
          space_(options.plans.empty() ? enumerate_space(desc, target, options.fixed)
                                       : listed_space(desc, target, options)),
          strategy_(options.plans.empty() ? search_strategy() : make_in_order(space_)),
          timer_(options.worker, options.limits) {
        const int compilers = options.compilers > 0 ? options.compilers : available_cores();
        for (int i = 0; i < compilers; i++)
            workers_.push_back(std::make_unique<Worker>(options.worker));
        run_ = options.run.empty() ? fmt::format("{}-{}", utc_now(), getpid()) : options.run;
        result_.progress.total = static_cast<int64_t>(space_.plans.size());
        result_.rejected = space_.rejected;
    }

    TuneResult run() {
        try {
            database_.check_writable();
        } catch (const Error &error) {
            result_.store_error = error.what();
        }
        std::vector<size_t> batch = read_known();
        while (!batch.empty()) {
            race_batch(judge(batch));
            if (search_seconds_left() <= 0)
                break;
            batch = next_batch();
        }
        conclude();
        return std::move(result_);
    }

private:
    double seconds_left() const { return options_.budget_seconds - seconds_since(start_); }
    double search_seconds_left() const { return seconds_left() - kFinalShare * options_.budget_seconds; }

    std::unique_ptr<Strategy> search_strategy() const {
        std::vector<Contents> layers = options_.others;
        layers.push_back(database_.read());
        const History history =
            read_history(layers, desc_, space_.plans.front().target, options_.threads, hardware_);
        return make_strategy(options_.strategy, desc_, space_, options_.seed, history,
                             static_cast<size_t>(options_.batch));
    }

    Candidate candidate(size_t index) const {
        return {desc_, space_.plans[index], options_.threads, options_.seed, cache_.path()};
    }

    Record record_of(size_t index, Status status, const std::string &error) const {
        Record record = new_record(desc_, space_.plans[index], options_.threads);
        record.status = status;
        record.error = error;
        record.seed = options_.seed;
        record.run = run_;
        record.hardware = hardware_;
        record.seconds = seconds_since(start_);
        return record;
    }

    /// Reads what the database knows of the space. The candidates to begin with: the planner's own plan,
    /// which all others must beat, and the best known; not what has failed before.
    std::vector<size_t> read_known() {
        std::map<std::string, size_t> plans;
        for (size_t i = 0; i < space_.plans.size(); i++)
            plans[space_.plans[i].text()] = i;
        const std::string problem = problem_of(record_of(0, Status::Ok, ""));
        Contents mine;
        for (Line &line : database_.read().lines) {
            if (line.record && problem_of(*line.record) == problem &&
                plans.count(line.record->plan_text()) != 0)
                mine.lines.push_back(std::move(line));
        }
        const std::map<const Record *, double> costs = steady_costs(mine.records());
        for (const Record *record : mine.records()) {
            const size_t index = plans.at(record->plan_text());
            known_.insert(index);
            if (record->status == Status::NotTimed)
                continue;
            if (record->status == Status::Ok)
                learn(index, costs.at(record));
            else
                has_failed_.insert(index), strategy_->learn(index, std::nullopt);
        }
        result_.progress.known = static_cast<int64_t>(known_.size());
        recorded_ = known_;
        std::vector<size_t> first;
        if (has_failed_.count(0) == 0 && (options_.place.is_timing_real() || known_.count(0) == 0))
            first.push_back(0);
        for (const Record *best : best_records(mine, 1)) {
            if (const size_t index = plans.at(best->plan_text()); index != 0)
                first.push_back(index);
        }
        return next_batch(std::move(first));
    }

    /// Fills a batch up with what the strategy proposes.
    std::vector<size_t> next_batch(std::vector<size_t> batch = {}) {
        fill_batch(batch, static_cast<size_t>(options_.batch), known_, *strategy_);
        return batch;
    }

    /// Whether a run that ends now has a result: `right`, if not empty, are about to race.
    bool has_result(const std::vector<size_t> &right) const {
        return incumbent_ || !right.empty() || (judged_ && !options_.place.is_timing_real());
    }

    void store(const Record &record) {
        if (!result_.store_error.empty())
            return;
        try {
            database_.append(record);
        } catch (const Error &error) {
            result_.store_error = error.what();
        }
    }

    void report() {
        result_.progress.seconds = seconds_since(start_);
        if (options_.on_progress)
            options_.on_progress(result_.progress);
    }

    /// Counts and stores what became of a candidate, unless it goes on to a race.
    void note(size_t index, const Judged &judged) {
        known_.insert(index);
        result_.progress.tried++;
        judged_ = true;
        max_errors_[index] = judged.max_error;
        if (judged.status != Status::Ok) {
            fail(index, judged.status, judged.error);
            strategy_->learn(index, std::nullopt);
        }
        report();
    }

    void fail(size_t index, Status status, const std::string &error) {
        result_.progress.failed++;
        result_.outcomes[status]++;
        has_failed_.insert(index);
        Record record = record_of(index, status, error);
        record.max_error = max_errors_[index];
        store(record);
    }

    /// Compiles and judges a batch, several at a time; those that are right, in the batch's order. Whatever
    /// the time, candidates are judged until one is right; those at work when the search ends are given up.
    std::vector<size_t> judge(const std::vector<size_t> &batch) {
        const double until = seconds_since(start_) + kJudgingShare * std::max(0.0, search_seconds_left());
        std::vector<std::optional<size_t>> at_work(workers_.size());
        std::vector<size_t> right;
        size_t next = 0;
        for (;;) {
            const bool may_start =
                next < batch.size() && (!has_result(right) || seconds_since(start_) < until);
            bool is_idle = true;
            for (size_t w = 0; w < workers_.size(); w++) {
                if (!at_work[w] && may_start && next < batch.size()) {
                    at_work[w] = batch[next++];
                    post_judge(*workers_[w], candidate(*at_work[w]), options_.limits);
                }
                if (!at_work[w])
                    continue;
                is_idle = false;
                if (const std::optional<Judged> judged = poll_judge(*workers_[w], kPollMs)) {
                    if (judged->status == Status::Ok)
                        right.push_back(*at_work[w]);
                    note(*at_work[w], *judged);
                    at_work[w].reset();
                }
            }
            if (has_result(right) && search_seconds_left() <= 0)
                give_up(at_work);
            if (is_idle)
                break;
        }
        std::sort(right.begin(), right.end());
        return right;
    }

    /// Ends the workers that are busy.
    void give_up(std::vector<std::optional<size_t>> &at_work) {
        for (size_t w = 0; w < at_work.size(); w++) {
            if (at_work[w])
                workers_[w] = std::make_unique<Worker>(options_.worker);
            at_work[w].reset();
        }
    }

    /// Times what is new beside the best so far, and stores it.
    void race_batch(std::vector<size_t> racers) {
        if (!options_.place.is_timing_real())
            return store_untimed(racers);
        if (racers.empty())
            return;
        if (incumbent_)
            racers.insert(racers.begin(), *incumbent_);
        timer_.clear();
        RaceOptions race_options;
        race_options.seed = options_.seed + ++races_;
        int64_t rounds = incumbent_ ? 0 : -1; // one at least, if there is nothing else to choose by
        race_options.is_over = [&, rounds]() mutable { return ++rounds > 0 && search_seconds_left() <= 0; };
        const RaceResult raced = race_of(racers, race_options);
        if (raced.racers[0].has_failed) { // the race ends with the one to beat
            store_raced(racers[0], raced.racers[0], raced);
            incumbent_.reset();
            base_.reset();
            racers.erase(racers.begin());
            return race_batch(std::move(racers));
        }
        if (!base_) {
            const auto known = costs_.find(racers[0]); // from an earlier run
            base_ = {racers[0], 1,
                     known != costs_.end() ? known->second : median(raced.racers[0].ns) / raced.probe_ns};
        }
        for (size_t i = incumbent_ ? 1 : 0; i < racers.size(); i++)
            store_raced(racers[i], raced.racers[i], raced);
        const size_t winner = raced.winner();
        if (!raced.racers[winner].has_failed) {
            incumbent_ = racers[winner];
            result_.progress.best_ratio *= raced.racers[winner].ratio;
            base_->incumbent *= raced.racers[winner].ratio;
        }
        report();
    }

    void store_untimed(const std::vector<size_t> &right) {
        for (const size_t index : right) {
            result_.outcomes[Status::NotTimed]++;
            Record record = record_of(index, Status::NotTimed, "");
            record.max_error = max_errors_[index];
            store(record);
        }
    }

    RaceResult race_of(const std::vector<size_t> &racers, const RaceOptions &race_options) {
        return race(
            racers.size(), [&](size_t i) { return timer_.time(racers[i], candidate(racers[i])); },
            [&] { return timer_.probe(); }, race_options);
    }

    void store_raced(size_t index, const Racer &racer, const RaceResult &raced) {
        if (racer.has_failed) {
            fail(index, timer_.failure(index).status, timer_.failure(index).error);
            strategy_->learn(index, std::nullopt);
        } else if (!racer.ns.empty()) {
            Record record = timed_record(index, racer, raced.probe_ns);
            const double relative = racer.ratio * base_->incumbent;
            learn(index, relative * base_->cost);
            if (!recorded_.insert(index).second)
                return;
            record.relative = base_->index == 0 ? relative : 0;
            result_.outcomes[Status::Ok]++;
            store(record);
        }
    }

    void learn(size_t index, double cost) {
        costs_[index] = cost;
        strategy_->learn(index, cost);
    }

    Record timed_record(size_t index, const Racer &racer, double probe_ns) {
        Record record = record_of(index, Status::Ok, "");
        record.max_error = max_errors_[index];
        record.ns = timing_of(racer.ns);
        record.probe_ns = probe_ns;
        record.workspace_bytes = timer_.workspace_bytes(index);
        return record;
    }

    /// The best is judged again on fresh data and races against the planner's own plan once more; then it is
    /// recorded as the run's choice.
    void conclude() {
        result_.default_plan = space_.plans[0];
        result_.best = space_.plans[0];
        incumbent_ = best_on_fresh_data();
        if (!incumbent_)
            return;
        timer_.clear();
        int64_t rounds = 0;
        RaceOptions race_options;
        race_options.stages = {kFinalRounds};
        race_options.seed = options_.seed;
        race_options.is_over = [&] { return ++rounds > kLeastFinalRounds && seconds_left() <= 0; };
        std::vector<size_t> racers = {*incumbent_};
        if (*incumbent_ != 0 && has_failed_.count(0) == 0 && is_right_on_fresh_data(0))
            racers.insert(racers.begin(), 0);
        RaceResult raced = race_of(racers, race_options);
        if (raced.racers[0].has_failed && racers.size() > 1) {
            racers.erase(racers.begin());
            raced = race_of(racers, race_options);
        }
        const size_t winner = raced.winner();
        if (raced.racers[winner].ns.empty())
            return;
        result_.best = space_.plans[racers[winner]];
        result_.ratio = raced.racers[winner].ratio;
        result_.record = timed_record(racers[winner], raced.racers[winner], raced.probe_ns);
        result_.record.is_chosen = true;
        result_.record.relative = racers[0] == 0 ? result_.ratio : 0;
        result_.record.summary = summary(raced, racers[0] == 0);
        store(result_.record);
        result_.progress.best_ratio = result_.ratio;
        report();
    }

    /// The best so far, or if it is wrong on fresh data the fastest that is right; nothing if that is none.
    std::optional<size_t> best_on_fresh_data() {
        std::optional<size_t> best = incumbent_;
        for (int i = 0; best && i < kMostFreshFailures; i++) {
            if (is_right_on_fresh_data(*best))
                return best;
            best = fastest_timed();
        }
        return std::nullopt;
    }

    std::optional<size_t> fastest_timed() const {
        std::optional<size_t> fastest;
        for (const auto &[index, cost] : costs_) {
            if (has_failed_.count(index) == 0 && (!fastest || cost < costs_.at(*fastest)))
                fastest = index;
        }
        return fastest;
    }

    /// What the page of a database says beside the records. The last race is between the planner's own plan,
    /// if that can be timed, and the choice.
    RunSummary summary(const RaceResult &last, bool has_default) {
        RunSummary summary;
        summary.default_ns = has_default ? timing_of(last.racers[0].ns).median : 0;
        summary.speedup = 1 / result_.ratio;
        summary.candidates = result_.progress.total;
        summary.tried = result_.progress.tried;
        summary.rejected = space_.rejected;
        if (!is_gpu(space_.plans.front().target)) // the roofs are a CPU's
            summary.roofs = timer_.roofs(options_.threads);
        return summary;
    }

    bool is_right_on_fresh_data(size_t index) {
        Candidate again = candidate(index);
        again.seed = options_.seed + 1;
        const Judged judged = judge_candidate(*workers_[0], again, options_.limits);
        if (judged.status == Status::Ok)
            return true;
        max_errors_[index] = judged.max_error;
        fail(index, judged.status, judged.error);
        return false;
    }

    /// What costs are measured by. Times of different races do not compare: other load changes all of a race.
    /// Ratios within rounds do, so costs are products of them, from the first race on.
    struct Base {
        size_t index = 0; ///< the first race's candidate to beat: the planner's own plan, unless that fails
        double incumbent = 1; ///< time of the best so far / its time
        double cost = 0;      ///< its own (Record::cost)
    };

    const ConvDesc &desc_;
    const Database &database_;
    const TuneOptions &options_;
    const Hardware hardware_; ///< of the place
    const Clock::time_point start_ = Clock::now();
    const ScratchDir cache_; ///< candidates' code, which nobody else needs
    Space space_;
    std::unique_ptr<Strategy> strategy_;
    std::vector<std::unique_ptr<Worker>> workers_;
    CandidateTimer timer_;
    std::string run_;
    std::set<size_t> known_;    ///< candidates that need not be tried
    std::set<size_t> recorded_; ///< of those, the ones whose times need not be recorded
    std::set<size_t> has_failed_;
    std::map<size_t, double> max_errors_;
    std::map<size_t, double> costs_; ///< of those timed, in this run or before
    std::optional<Base> base_;
    std::optional<size_t> incumbent_;
    bool judged_ = false; ///< at least one candidate
    uint64_t races_ = 0;
    TuneResult result_;
};

} // namespace

TuneResult tune(const ConvDesc &desc, const Target &target, const Database &database,
                const TuneOptions &options) {
    if (desc.is_open())
        throw Error(ErrorCode::BadArgument,
                    "tune: sizes are open (0) in " + desc.key() + "; a time needs them all");
    if (options.place.kind == Place::Kind::Emulated)
        make_runner(target); // says what is missing
    if (options.place.kind == Place::Kind::Ssh)
        program_target(target); // likewise
    if (options.place.kind == Place::Kind::Native && !runs_natively(target))
        throw Error(ErrorCode::Unsupported, "tune: target " + target.name +
                                                " does not run on this machine; --runner names another one, "
                                                "--cost static ranks its candidates by a model of it");
    return Tuning(desc, target, database, options).run();
}

} // namespace convsmith::autotune
