// See static_tuner.h.
#include "autotune/static_tuner.h"

#include "autotune/static_cost.h"
#include "generators/error.h"
#include "runtime/records/curate.h"
#include "runtime/temp_dir.h"
#include "runtime/thread_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unistd.h>

namespace convsmith::autotune {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPollMs = 5;
/// Emulators take some hundred times as long as a CPU.
constexpr double kJudgingSeconds = 600;

class StaticTuning {
public:
    StaticTuning(const ConvDesc &desc, const Target &target, const StaticMachine &machine,
                 const Database &database, const TuneOptions &options)
        : desc_(desc), target_(target), machine_(machine), database_(database), options_(options),
          space_(enumerate_space(desc, target, options.fixed)),
          strategy_(strategy_info(options.strategy).make(desc, space_, options.seed, {})) {
        const int compilers = options.compilers > 0 ? options.compilers : available_cores();
        for (int i = 0; i < compilers; i++)
            workers_.push_back(std::make_unique<Worker>(options.worker));
        run_ = options.run.empty() ? fmt::format("{}-{}", utc_now(), getpid()) : options.run;
        result_.machine = machine_.name;
        result_.tuned.default_plan = result_.tuned.best = space_.plans[0];
        result_.tuned.progress.total = static_cast<int64_t>(space_.plans.size());
        result_.tuned.rejected = space_.rejected;
    }

    StaticResult run() {
        read_known();
        if (costs_.count(0) == 0 && has_failed_.count(0) == 0)
            model({0}); // the planner's own plan, whatever the time
        for (;;) {
            const std::vector<size_t> batch = strategy_->propose(workers_.size() * 4);
            if (batch.empty() || seconds() > options_.budget_seconds)
                break;
            model(batch);
        }
        conclude();
        return std::move(result_);
    }

private:
    double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

    Candidate candidate(size_t index) const {
        return {desc_, space_.plans[index], options_.threads, options_.seed, cache_.string()};
    }

    Record record_of(size_t index, Status status, const std::string &error) const {
        Record record = new_record(desc_, space_.plans[index], options_.threads);
        record.hardware = Hardware();
        record.hardware.cpu = machine_.name + " (" + machine_.model + ")";
        record.hardware.microarchitecture = machine_.family;
        record.status = status;
        record.error = error;
        record.seed = options_.seed;
        record.run = run_;
        return record;
    }

    void read_known() {
        try {
            database_.check_writable();
        } catch (const Error &error) {
            result_.tuned.store_error = error.what();
        }
        std::map<std::string, size_t> plans;
        for (size_t i = 0; i < space_.plans.size(); i++)
            plans[space_.plans[i].text()] = i;
        const std::string problem = problem_of(record_of(0, Status::Modelled, ""));
        const Contents contents = database_.read();
        for (const Record *record : contents.records()) {
            const auto found = plans.find(record->plan_text());
            if (found == plans.end() || problem_of(*record) != problem)
                continue;
            if (record->has_cost())
                costs_[found->second] = record->cost();
            else
                fail(found->second);
            strategy_->learn(found->second,
                             record->has_cost() ? std::optional<double>(record->cost()) : std::nullopt);
        }
        result_.tuned.progress.known = static_cast<int64_t>(costs_.size() + has_failed_.size());
    }

    void fail(size_t index) {
        has_failed_.insert(index);
        costs_.erase(index);
    }

    void store(const Record &record) {
        if (!result_.tuned.store_error.empty())
            return;
        try {
            database_.append(record);
        } catch (const Error &error) {
            result_.tuned.store_error = error.what();
        }
    }

    void report() {
        TuneProgress &progress = result_.tuned.progress;
        progress.seconds = seconds();
        const std::optional<size_t> best = cheapest();
        if (best && costs_.count(0) != 0)
            progress.best_ratio = costs_.at(*best) / costs_.at(0);
        if (options_.on_progress)
            options_.on_progress(progress);
    }

    /// Several at a time; the time is looked at before each but the first.
    void model(const std::vector<size_t> &batch) {
        std::vector<std::optional<size_t>> at_work(workers_.size());
        size_t next = 0;
        for (;;) {
            bool is_idle = true;
            for (size_t w = 0; w < workers_.size(); w++) {
                const bool may_start =
                    next < batch.size() && (next == 0 || seconds() <= options_.budget_seconds);
                if (!at_work[w] && may_start) {
                    at_work[w] = batch[next++];
                    post_model(*workers_[w], candidate(*at_work[w]), machine_.name, options_.limits);
                }
                if (!at_work[w])
                    continue;
                is_idle = false;
                if (const std::optional<Modelled> modelled = poll_model(*workers_[w], kPollMs)) {
                    note(*at_work[w], *modelled);
                    at_work[w].reset();
                }
            }
            if (is_idle)
                return;
        }
    }

    void note(size_t index, const Modelled &modelled) {
        const bool is_modelled = modelled.status == Status::Modelled;
        result_.tuned.progress.tried++;
        result_.tuned.outcomes[modelled.status]++;
        Record record = record_of(index, modelled.status, modelled.error);
        record.modelled_cost = modelled.cost;
        if (is_modelled) {
            costs_[index] = modelled.cost;
        } else {
            result_.tuned.progress.failed++;
            first_error_ = first_error_.empty() ? modelled.error : first_error_;
            fail(index);
        }
        strategy_->learn(index, is_modelled ? std::optional<double>(modelled.cost) : std::nullopt);
        store(record);
        report();
    }

    /// The planner's own plan goes before others of the same cost.
    std::optional<size_t> cheapest() const {
        std::optional<size_t> best;
        for (const auto &[index, cost] : costs_) {
            if (!best || cost < costs_.at(*best))
                best = index;
        }
        return best;
    }

    /// Whether the candidate gives right results where it can be run here; a wrong one is recorded.
    bool is_right(size_t index) {
        if (runner_for(target_) == RunnerKind::None)
            return true;
        WorkerLimits limits = options_.limits;
        limits.seconds = std::max(limits.seconds, kJudgingSeconds);
        const Judged judged = judge_candidate(*workers_[0], candidate(index), limits);
        result_.judged_by = make_runner(target_)->name();
        max_error_ = judged.max_error;
        if (judged.status == Status::Ok)
            return true;
        Record record = record_of(index, judged.status, judged.error);
        record.max_error = judged.max_error;
        store(record);
        result_.tuned.outcomes[judged.status]++;
        result_.tuned.progress.failed++;
        fail(index);
        return false;
    }

    void conclude() {
        TuneResult &tuned = result_.tuned;
        const double own = costs_.count(0) != 0 ? costs_[0] : 0;
        std::optional<size_t> best = cheapest();
        while (best && !is_right(*best))
            best = cheapest();
        if (!best) {
            tuned.record = record_of(0, Status::CompileError, first_error_);
            report();
            return;
        }
        tuned.best = space_.plans[*best];
        tuned.ratio = own > 0 ? costs_.at(*best) / own : 1;
        tuned.record = record_of(*best, Status::Modelled, "");
        tuned.record.modelled_cost = costs_.at(*best);
        tuned.record.max_error = max_error_;
        tuned.record.is_chosen = true;
        store(tuned.record);
        report();
    }

    const ConvDesc &desc_;
    const Target &target_;
    const StaticMachine machine_;
    const Database &database_;
    const TuneOptions &options_;
    const Clock::time_point start_ = Clock::now();
    const TempDir cache_;
    Space space_;
    std::unique_ptr<Strategy> strategy_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::string run_;
    std::map<size_t, double> costs_;
    std::set<size_t> has_failed_;
    std::string first_error_;
    double max_error_ = 0;
    StaticResult result_;
};

} // namespace

StaticResult tune_static(const ConvDesc &desc, const Target &target, const std::string &machine,
                         const Database &database, const TuneOptions &options) {
    if (desc.is_open())
        throw Error(ErrorCode::BadArgument,
                    "tune: sizes are open (0) in " + desc.key() + "; a cost needs them all");
    if (!is_gpu(target) && mca_program().empty())
        throw Error(ErrorCode::Unsupported,
                    "tune: --cost static needs llvm-mca: install the package llvm-14 or llvm-19");
    return StaticTuning(desc, target, static_machine(target, machine), database, options).run();
}

} // namespace convsmith::autotune
