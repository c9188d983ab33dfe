// See candidate.h.
#include "autotune/candidate.h"

#include "autotune/static_cost.h"
#include "autotune/timer.h"
#include "generators/error.h"
#include "runtime/check.h"

#include <chrono>

namespace convsmith::autotune {

namespace {

using Clock = std::chrono::steady_clock;

/// Outputs compared; winners are judged again on other data.
constexpr int64_t kJudgedPoints = 500;

PlanRequest request_of(const Plan &plan) {
    PlanRequest request;
    request.variant = plan.variant;
    request.schedule = plan.schedule;
    request.params = plan.params;
    return request;
}

/// Remembers how a kernel failed to run: for the oracle that is all one.
class NotingRunner : public Runner {
public:
    explicit NotingRunner(std::shared_ptr<Runner> runner) : runner_(std::move(runner)) {}

    std::string name() const override { return runner_->name(); }
    bool is_timing_real() const override { return runner_->is_timing_real(); }
    std::vector<RunResult> run(const std::vector<RunJob> &jobs) override {
        std::vector<RunResult> results = runner_->run(jobs);
        for (const RunResult &result : results)
            failure_ = result.failure != RunFailure::None ? result.failure : failure_;
        return results;
    }
    RunFailure failure() const { return failure_; }

private:
    std::shared_ptr<Runner> runner_;
    RunFailure failure_ = RunFailure::None;
};

Status status_of(Verdict verdict, RunFailure failure) {
    switch (failure) {
    case RunFailure::Compile:
        return Status::CompileError;
    case RunFailure::Crash:
        return Status::Crash;
    case RunFailure::Timeout:
        return Status::Timeout;
    case RunFailure::Error:
    case RunFailure::None:
        break;
    }
    return verdict == Verdict::Passed ? Status::Ok : Status::WrongResult;
}

Json failure(Status status, const std::string &error) {
    return {{"status", status_name(status)}, {"error", error}};
}

} // namespace

Json to_json(const Candidate &c) {
    return {{"key", c.desc.key()},     {"variant", c.plan.variant},      {"schedule", c.plan.schedule},
            {"params", c.plan.params}, {"target", c.plan.target.halide}, {"threads", c.threads},
            {"seed", c.seed},          {"cache_dir", c.cache_dir}};
}

Candidate parse_candidate(const Json &json) {
    const JsonFields fields("worker request", json);
    Candidate c;
    c.desc = ConvDesc::parse(fields.required_text("key"));
    c.plan.variant = fields.required_text("variant");
    c.plan.schedule = fields.required_text("schedule");
    c.plan.params = json.at("params").get<Params>();
    c.plan.target = parse_target(fields.required_text("target"));
    c.threads = fields.required_integer("threads");
    c.seed = json.at("seed").get<uint64_t>();
    c.cache_dir = fields.required_text("cache_dir");
    return c;
}

PlanChoice plan_choice(const Candidate &candidate) {
    return make_plan(candidate.desc, candidate.plan.target, request_of(candidate.plan));
}

JitOptions jit_options(const Candidate &candidate) {
    JitOptions options;
    options.cache_dir = candidate.cache_dir;
    return options;
}

void post_judge(Worker &worker, const Candidate &candidate, const WorkerLimits &limits) {
    Json request = to_json(candidate);
    request["do"] = "judge";
    worker.post(request, limits);
}

std::optional<Judged> poll_judge(Worker &worker, int wait_ms) {
    const std::optional<Reply> reply = worker.poll(wait_ms);
    if (!reply)
        return std::nullopt;
    if (reply->status != Status::Ok)
        return Judged{reply->status, reply->error};
    throw_if_lost(*reply);
    const JsonFields fields("worker answer", reply->answer);
    Judged judged;
    // An Error that is not about compiling or computing is the server's: as good as no answer.
    judged.status = parse_status(fields.text("status", status_name(Status::Crash)));
    judged.error = fields.text("error", "");
    judged.max_error = fields.number("max_error", 0);
    judged.compile_ms = fields.number("compile_ms", 0);
    return judged;
}

void throw_if_lost(const Reply &reply) {
    if (reply.status == Status::Ok && reply.answer.contains("error") &&
        reply.answer.value("code", -1) == static_cast<int>(ErrorCode::Io))
        throw Error(ErrorCode::Io, reply.answer["error"].get<std::string>());
}

Judged judge_candidate(Worker &worker, const Candidate &candidate, const WorkerLimits &limits) {
    constexpr int kWaitMs = 20;
    post_judge(worker, candidate, limits);
    for (;;) {
        if (const std::optional<Judged> judged = poll_judge(worker, kWaitMs))
            return *judged;
    }
}

CandidateServer::CandidateServer(MakeRunner make_runner, const Place &place)
    : make_runner_(std::move(make_runner)), place_(place), timer_(std::make_unique<KernelTimer>(place)) {}

CandidateServer::~CandidateServer() = default;

Json CandidateServer::answer(const Json &request) {
    const JsonFields fields("worker request", request);
    const std::string what = fields.required_text("do");
    if (what == "model")
        return answer_model(request);
    return what == "judge" ? judge(parse_candidate(request)) : timer_->answer(what, request);
}

Json CandidateServer::judge(const Candidate &candidate) const {
    CheckOptions options;
    options.target = candidate.plan.target;
    options.request = request_of(candidate.plan);
    options.seed = candidate.seed;
    options.max_points = kJudgedPoints;
    options.jit = jit_options(candidate);
    set_num_threads(candidate.threads);

    const Clock::time_point start = Clock::now();
    const auto runner = std::make_shared<NotingRunner>(make_runner_ ? make_runner_(options.jit)
                                                                    : runner_at(place_, candidate));
    try { // what runs elsewhere its runner compiles
        if (place_.kind == Place::Kind::Native && runs_natively(candidate.plan.target))
            Jit(options.jit).kernel(candidate.desc, plan_choice(candidate));
    } catch (const Error &error) {
        return failure(Status::CompileError, error.what());
    }
    const double compile_ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();

    options.runner = runner;
    Layer layer;
    layer.name = candidate.desc.key();
    layer.desc = candidate.desc;
    const CheckOutcome outcome = check_layers({layer}, options).outcomes.at(0);
    Json answer = failure(status_of(outcome.verdict, runner->failure()), outcome.detail);
    answer["max_error"] = outcome.max_error;
    answer["compile_ms"] = compile_ms;
    return answer;
}

} // namespace convsmith::autotune
