// The check engine (see check.h): every check becomes trials (one problem with data each); trials run in
// batches, because an emulating runner links one program per batch.
#include "runtime/check.h"

#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "runtime/frontend/case_files.h"
#include "runtime/fuzz.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <utility>

namespace convsmith {

namespace {

/// Problems up to this size are judged whole: about a tenth of a second of oracle.
constexpr int64_t kWholeTensorMacs = 8'000'000;
/// Outputs judged of larger ones.
constexpr int64_t kSampledPoints = 2000;
/// Checks that an emulating runner gets at once.
constexpr size_t kEmulatedBatch = 32;

/// Outputs of another system.
struct Expectation {
    Tensor values;
    Tensor indices; ///< of MaxPool, where the system gave them
    std::optional<double> atol, rtol;
};

/// One run of a kernel.
struct Trial {
    std::string kind; ///< "small integers", "uniform", "case"
    Problem problem;
    bool exact = false;
    std::optional<Expectation> expectation;
};

/// One check on its way from plan to verdict.
struct Check {
    CheckOutcome outcome;
    ConvDesc kernel_desc;
    PlanChoice choice;
    uint64_t seed = 1;
    std::vector<Trial> trials;
};

bool is_small_integer(double x) {
    return std::trunc(x) == x && std::fabs(x) <= 1024;
}

bool maps_integers_to_integers(const EpilogueStage &stage) {
    if (stage.name == "clamp") {
        return std::all_of(stage.params.begin(), stage.params.end(), is_small_integer);
    }
    static const std::set<std::string> integral = {"bias",          "residual", "relu", "relu6",
                                                   "channel_scale", "gate",     "prelu"};
    return integral.count(stage.name) != 0;
}

/// True if the op itself maps integers to integers.
bool maps_integers_to_integers(const ConvDesc &desc) {
    const bool divides = desc.op == Op::AvgPool && !is_integer(desc.in_type);
    return !divides && (desc.op != Op::LpPool || desc.norm == 1);
}

/// Largest difference allowed between a kernel and another system's float32 output `want`: what the file
/// grants, else the accuracy of the recorded values (they are within 2e-6 * max(1, max|y|) of the exact ones)
/// and the kernel's own error bound: an element's, and a fraction of the largest (Plan::relative_error).
double allowed_difference(const Expectation &expectation, double want, double largest, double bound,
                          double relative_error) {
    if (expectation.atol || expectation.rtol) {
        return expectation.atol.value_or(0) + expectation.rtol.value_or(0) * std::fabs(want);
    }
    return (2e-6 + relative_error) * std::fmax(1, largest) + bound;
}

/// What is wrong with `output` compared with the expected values; empty if nothing.
std::string compare_with_expected(const Trial &trial, const Tensor &output, double relative_error) {
    const Tensor &values = trial.expectation->values;
    double largest = 0;
    for (int64_t i = 0; i < values.elements(); ++i) {
        largest = std::fmax(largest, std::fabs(values.get(i)));
    }
    for (int64_t i = 0; i < values.elements(); ++i) {
        const double want = values.get(i);
        const double got = output.get(i);
        const double bound = oracle_at(trial.problem.desc, trial.problem.view(), i).bound;
        const double allowed = allowed_difference(*trial.expectation, want, largest, bound, relative_error);
        if (!(std::fabs(got - want) <= allowed)) {
            return fmt::format("output element {}: got {:.9g}, the case expects {:.9g} +- {:.2g}", i, got,
                               want, allowed);
        }
    }
    return "";
}

/// What is wrong with the indices; empty if nothing or if none are expected.
std::string compare_indices(const Tensor &want, const Tensor &got) {
    for (int64_t i = 0; want.data() != nullptr && i < want.elements(); ++i) {
        if (want.get(i) != got.get(i)) {
            return fmt::format("index element {}: got {}, the case expects {}", i, got.get(i), want.get(i));
        }
    }
    return "";
}

/// The options that repeat a run, after the SPEC.
std::string option_text(const CheckOptions &options, const PlanRequest &request) {
    std::string text;
    if (!(options.target == host_target())) {
        const bool is_class = parse_target(options.target.name) == options.target;
        text += " --target " + (is_class ? options.target.name : options.target.halide);
    }
    if (!request.variant.empty()) {
        text += " --variant " + request.variant;
    }
    if (request.accuracy) {
        text += " --accuracy " + accuracy_name(*request.accuracy);
    }
    if (!request.schedule.empty()) {
        text += " --schedule " + request.schedule;
    }
    for (const auto &[name, value] : request.params) {
        text += fmt::format(" --param {}={}", name, value);
    }
    if (options.max_points != 0) {
        text += fmt::format(" --max-points {}", options.max_points);
    }
    return text;
}

/// Collects checks, runs them in batches and counts.
class Checker {
public:
    Checker(const CheckOptions &options, int64_t total) : options_(options), runner_(options.runner) {
        check_request(options.request);
        progress_.total = total;
        if (!runner_) {
            runner_ = make_runner(options.target, options.jit);
        }
        batch_limit_ = runner_->is_timing_real() ? 1 : kEmulatedBatch;
    }

    void add_layer(const Layer &layer, const PlanRequest &request, uint64_t seed) {
        Check check;
        check.outcome.name = layer.name;
        check.seed = seed;
        if (!plan(check, layer.desc, request,
                  fmt::format("convsmith check {} --seed {}", layer.desc.key(), seed))) {
            return;
        }
        announce(check.outcome.reproducer);
        for (const Sizes &sizes : sizes_to_check(layer.desc, seed)) {
            add_trials(check, layer, with_sizes(layer.desc, sizes));
        }
        enqueue(std::move(check));
    }

    void add_case(ConformanceCase source) {
        Check check;
        check.outcome.name = source.name;
        const std::string command = "convsmith check --cases " + source.path;
        check.outcome.reproducer = command + option_text(options_, options_.request);
        check.seed = options_.seed;
        if (!source.malformed.empty()) {
            return conclude(std::move(check.outcome), Verdict::Failed, source.malformed);
        }
        if (!source.skipped.empty()) {
            return conclude(std::move(check.outcome), Verdict::Skipped, source.skipped);
        }
        if (!plan(check, source.problem.desc, options_.request, command)) {
            return;
        }
        announce(check.outcome.reproducer);
        Trial trial;
        trial.kind = "case";
        trial.problem = std::move(source.problem);
        trial.expectation = Expectation{std::move(source.expected), std::move(source.expected_indices),
                                        source.atol, source.rtol};
        check.trials.push_back(std::move(trial));
        enqueue(std::move(check));
    }

    CheckReport finish() {
        run_batch();
        return std::move(report_);
    }

private:
    void announce(const std::string &reproducer) {
        if (options_.on_progress) {
            progress_.done = static_cast<int64_t>(report_.outcomes.size() + batch_.size());
            progress_.failed = report_.failed;
            progress_.reproducer = reproducer;
            options_.on_progress(progress_);
        }
    }

    void conclude(CheckOutcome outcome, Verdict verdict, const std::string &detail) {
        outcome.verdict = verdict;
        outcome.detail = detail;
        if (options_.on_outcome) {
            options_.on_outcome(outcome);
        }
        report_.add(std::move(outcome));
    }

    /// Chooses the plan; false if the check ends here. A request that names a schedule for some problems only
    /// is no failure of the others.
    /// A plan from a tuning record is spelled out in the command that repeats the check, by `command`.
    bool plan(Check &check, const ConvDesc &desc, const PlanRequest &request, const std::string &command) {
        check.outcome.reproducer = command + option_text(options_, request);
        check.outcome.key = desc.key();
        check.kernel_desc = desc;
        try {
            check.choice = make_plan(desc, options_.target, request);
        } catch (const Error &error) {
            const bool skip = error.code() == ErrorCode::Unsupported || !request.schedule.empty();
            conclude(std::move(check.outcome), skip ? Verdict::Skipped : Verdict::Failed, error.what());
            return false;
        }
        check.outcome.plan = check.choice.plan.text();
        if (check.choice.is_tuned) {
            PlanRequest same = request;
            same.variant = check.choice.plan.variant;
            same.schedule = check.choice.plan.schedule;
            same.params = check.choice.plan.params;
            check.outcome.reproducer = command + option_text(options_, same);
        }
        return true;
    }

    void add_trials(Check &check, const Layer &layer, const ConvDesc &closed) {
        if (is_exact_on_integers(closed) && check.choice.plan.relative_error() == 0) {
            Trial exact;
            exact.kind = "small integers";
            exact.problem = make_problem(closed, Fill::SmallIntegers, check.seed);
            exact.exact = true;
            check.trials.push_back(std::move(exact));
        }
        Trial uniform;
        uniform.kind = "uniform";
        uniform.problem = make_problem(closed, Fill::Uniform, check.seed);
        for (const auto &[name, values] : layer.trained) {
            const Tensor &into = uniform.problem[name];
            CONVSMITH_CHECK(into.shape() == values->shape() && into.dtype() == values->dtype());
            std::memcpy(into.data(), values->data(), into.bytes());
            uniform.kind = "uniform, the layer's own weights";
        }
        check.trials.push_back(std::move(uniform));
    }

    void enqueue(Check check) {
        batch_.push_back(std::move(check));
        if (batch_.size() >= batch_limit_) {
            run_batch();
        }
    }

    void run_batch() {
        std::vector<RunJob> jobs;
        for (const Check &check : batch_) {
            for (const Trial &trial : check.trials) {
                jobs.push_back({check.kernel_desc, check.choice, &trial.problem});
            }
        }
        if (jobs.empty()) {
            return;
        }
        const std::vector<RunResult> results = runner_->run(jobs);
        CONVSMITH_CHECK(results.size() == jobs.size());
        size_t next = 0;
        for (Check &check : batch_) {
            std::string wrong;
            for (const Trial &trial : check.trials) {
                const RunResult &result = results[next++];
                if (wrong.empty()) {
                    wrong = judge_trial(check, trial, result);
                }
            }
            conclude(std::move(check.outcome), wrong.empty() ? Verdict::Passed : Verdict::Failed, wrong);
        }
        batch_.clear();
    }

    /// What is wrong with a result; empty if nothing. Adds its numbers to the outcome.
    std::string judge_trial(Check &check, const Trial &trial, const RunResult &result) const {
        const ConvDesc &desc = trial.problem.desc;
        const std::string where = check.kernel_desc.is_open()
                                      ? fmt::format("{} at {}", trial.kind, shape_text(input_shape(desc)))
                                      : trial.kind;
        if (!result.error.empty()) {
            return where + ": " + result.error;
        }
        JudgeOptions judge_options;
        judge_options.seed = check.seed;
        judge_options.exact = trial.exact;
        judge_options.relative_error = check.choice.plan.relative_error();
        judge_options.max_points = options_.max_points;
        if (options_.max_points == 0 && mac_count(desc) > kWholeTensorMacs) {
            judge_options.max_points = kSampledPoints;
        }
        const Judgement judgement =
            judge(desc, trial.problem.view(), result.output.view(), judge_options, result.indices.view());
        CheckOutcome &outcome = check.outcome;
        outcome.checked += judgement.checked;
        outcome.max_error = std::fmax(outcome.max_error, judgement.max_error);
        outcome.max_bound_ratio = std::fmax(outcome.max_bound_ratio, judgement.max_bound_ratio);
        if (!judgement.ok()) {
            return fmt::format("{}: {} of {} outputs wrong, first {}", where, judgement.wrong,
                               judgement.checked, judgement.first_wrong);
        }
        std::string wrong = trial.expectation ? compare_with_expected(trial, result.output,
                                                                      check.choice.plan.relative_error())
                                              : "";
        if (wrong.empty() && trial.expectation) {
            wrong = compare_indices(trial.expectation->indices, result.indices);
        }
        return wrong.empty() ? "" : where + ": " + wrong;
    }

    const CheckOptions &options_;
    std::shared_ptr<Runner> runner_;
    size_t batch_limit_ = 1;
    CheckProgress progress_;
    CheckReport report_;
    std::vector<Check> batch_;
};

} // namespace

void CheckReport::add(CheckOutcome outcome) {
    switch (outcome.verdict) {
    case Verdict::Passed:
        ++passed;
        break;
    case Verdict::Failed:
        ++failed;
        break;
    case Verdict::Skipped:
        ++skipped;
        break;
    }
    outcomes.push_back(std::move(outcome));
}

std::string CheckReport::summary() const {
    return fmt::format("{} passed, {} failed, {} skipped", passed, failed, skipped);
}

namespace {

/// Largest magnitude of an op's result if its input's is `largest_input`: every other element is at most 2
/// (Fill::SmallIntegers), offsets of deform are whole cells. Infinite if the op makes fractions of integers.
double largest_result(const ConvDesc &op, double largest_input) {
    const bool pads_constant = op.pad_mode == PadMode::Constant;
    const bool is_integral =
        maps_integers_to_integers(op) && (!pads_constant || is_small_integer(op.pad_value)) &&
        std::all_of(op.epilogue.begin(), op.epilogue.end(),
                    [](const EpilogueStage &stage) { return maps_integers_to_integers(stage); });
    if (!is_integral) {
        return std::numeric_limits<double>::infinity();
    }
    const double input = pads_constant ? std::fmax(largest_input, std::fabs(op.pad_value)) : largest_input;
    const double taps = static_cast<double>(spatial_product(op.kernel, op.rank));
    const bool has_filter = op_info(op.op).has_filter;
    double largest = taps * input * (has_filter ? 2.0 * op.ci / op.groups : 1) * (op.masked ? 2 : 1);
    for (const EpilogueStage &stage : op.epilogue) {
        const Operand operand = epilogue_info(stage.name).operand;
        const bool is_added = operand == Operand::Bias || operand == Operand::Residual;
        largest = is_added ? largest + 2 : operand == Operand::None ? largest : largest * 2;
    }
    return largest;
}

} // namespace

bool is_exact_on_integers(const ConvDesc &closed) {
    if (is_integer(closed.acc_type)) {
        return maps_integers_to_integers(closed);
    }
    if (!closed.branches.empty()) {
        return false;
    }
    double largest = 2;
    for (const ConvDesc *op : ops_of(closed)) {
        largest = largest_result(*op, largest);
        if (!(largest < 1 / unit_roundoff(closed.acc_type))) {
            return false;
        }
    }
    return true;
}

CheckReport check_layers(const std::vector<Layer> &layers, const CheckOptions &options) {
    Checker checker(options, static_cast<int64_t>(layers.size()));
    for (const Layer &layer : layers) {
        checker.add_layer(layer, options.request, options.seed);
    }
    return checker.finish();
}

CheckReport check_cases(const std::string &path, const CheckOptions &options) {
    std::vector<ConformanceCase> cases = load_cases(path);
    Checker checker(options, static_cast<int64_t>(cases.size()));
    for (ConformanceCase &one : cases) {
        checker.add_case(std::move(one));
    }
    return checker.finish();
}

CheckReport fuzz(int64_t count, const CheckOptions &options) {
    CheckOptions uncached = options;
    uncached.jit.cache_dir = "-";
    Checker checker(uncached, count);
    for (int64_t i = 0; i < count; ++i) {
        const uint64_t seed = options.seed + static_cast<uint64_t>(i);
        Random random(seed);
        Layer layer;
        layer.name = fmt::format("fuzz {}", i);
        layer.desc = random_desc(random);
        PlanRequest request = options.request;
        if (random.one_in(2) && request.schedule.empty()) {
            request.schedule = "generic";
        }
        checker.add_layer(layer, request, seed);
    }
    return checker.finish();
}

} // namespace convsmith
