// See timer.h.
#include "autotune/timer.h"

#include "autotune/device_timing.h"
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "runtime/kernel.h"
#include "runtime/oracle.h"
#include "runtime/thread_pool.h"
#include "runtime/workspace.h"

#include <sched.h>

namespace convsmith::autotune {

namespace {

/// A block: long against the clock and a wake-up, short against what else the machine does.
constexpr double kBlockNs = 3e6;

/// The last core that this process may run on: the first one gets most interrupts.
void run_on_one_core() {
    cpu_set_t allowed, one;
    CPU_ZERO(&allowed);
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    for (int core = CPU_SETSIZE - 1; core >= 0; core--) {
        if (CPU_ISSET(core, &allowed)) {
            CPU_SET(core, &one);
            sched_setaffinity(0, sizeof one, &one);
            return;
        }
    }
}

} // namespace

CandidateTimer::CandidateTimer(std::vector<std::string> command, const WorkerLimits &limits)
    : worker_(std::move(command)), limits_(limits) {}

std::optional<double> CandidateTimer::time(size_t id, const Candidate &candidate) {
    Json request = to_json(candidate);
    request["do"] = "time";
    request["id"] = id;
    Reply reply = worker_.ask(request, limits_);
    if (reply.status == Status::Ok && reply.answer.contains("ns")) {
        workspace_bytes_[id] = reply.answer.value("workspace_bytes", int64_t{0});
        return reply.answer["ns"].get<double>();
    }
    throw_if_lost(reply);
    if (reply.status == Status::Ok) { // an Error of the kernel's
        reply.status = Status::Crash;
        reply.error = reply.answer.value("error", "no time");
    }
    failures_[id] = std::move(reply);
    return std::nullopt;
}

double CandidateTimer::probe() {
    Reply reply = worker_.ask({{"do", "probe"}}, limits_);
    if (reply.status !=
        Status::Ok) // what the last candidate did may show late; a new worker knows nothing of it
        reply = worker_.ask({{"do", "probe"}}, limits_);
    throw_if_lost(reply);
    if (!reply.answer.contains("ns"))
        throw Error(ErrorCode::Io, "timing worker: no time of the probe: " + reply.error);
    return reply.answer["ns"].get<double>();
}

Roofs CandidateTimer::roofs(int threads) {
    const Reply reply = worker_.ask({{"do", "roofs"}, {"threads", threads}}, limits_);
    if (reply.status != Status::Ok)
        return {};
    return {reply.answer.value("peak_gflops", 0.0), reply.answer.value("copy_gb_per_s", 0.0)};
}

void CandidateTimer::clear() {
    worker_.ask({{"do", "clear"}}, limits_);
}

int64_t CandidateTimer::workspace_bytes(size_t id) const {
    const auto known = workspace_bytes_.find(id);
    return known != workspace_bytes_.end() ? known->second : 0;
}

const Reply &CandidateTimer::failure(size_t id) {
    return failures_[id];
}

/// What every kernel of a problem is called with.
struct KernelTimer::Call {
    Problem problem;
    Tensor output, indices;
    NamedTensors tensors;

    Call(const ConvDesc &desc, uint64_t seed)
        : problem(make_problem(desc, Fill::Uniform, seed)), output(desc.out_type, output_shape(desc)) {
        tensors = problem.call(output.view());
        if (desc.indices != Indices::None) {
            indices = Tensor(DType::I64, written_shape(desc));
            tensors["indices"] = indices.view();
        }
    }
};

KernelTimer::KernelTimer(const Place &place) {
    if (place.kind == Place::Kind::Ssh)
        remote_.emplace(place.host);
}

KernelTimer::~KernelTimer() = default;

Json KernelTimer::answer(const std::string &what, const Json &request) {
    if (what == "clear") {
        blocks_.clear();
        call_.reset();
        return Json::object();
    }
    if (what == "probe") {
        if (!probe_)
            probe_.emplace(remote_ ? remote_->probe() : Contestant{"probe", fma_probe().call}, kBlockNs / 4);
        return {{"ns", probe_->ns_per_call()}};
    }
    if (what == "roofs") {
        const int threads = request.at("threads").get<int>();
        const Roofs roofs =
            remote_ ? remote_->roofs() : measure_roofs(threads > 0 ? threads : available_cores());
        return {{"peak_gflops", roofs.peak_gflops}, {"copy_gb_per_s", roofs.copy_gb_per_s}};
    }
    if (what != "time")
        throw Error(ErrorCode::BadArgument,
                    "worker request: do is '" + what + "', want judge, time, probe, roofs or clear");
    const Candidate candidate = parse_candidate(request);
    const int id = request.at("id").get<int>();
    const double ns = block_of(id, candidate).ns_per_call();
    return {{"ns", ns}, {"workspace_bytes", workspace_bytes_.at(id)}};
}

Block &KernelTimer::block_of(int id, const Candidate &candidate) {
    const auto found = blocks_.find(id);
    return found != blocks_.end() ? found->second
                                  : blocks_.emplace(id, make_block(id, candidate)).first->second;
}

Block KernelTimer::make_block(int id, const Candidate &candidate) {
    if (!call_ || call_->problem.desc != candidate.desc) {
        blocks_.clear();
        call_ = std::make_unique<Call>(candidate.desc, candidate.seed);
        set_num_threads(candidate.threads);
        if (candidate.threads == 1 && !remote_)
            run_on_one_core();
    }
    return Block(contestant_of(id, candidate), kBlockNs);
}

Contestant KernelTimer::contestant_of(int id, const Candidate &candidate) {
    if (remote_) {
        workspace_bytes_[id] = 0; // nobody counts there
        return remote_->kernel(candidate, call_->problem);
    }
    const auto kernel = Jit(jit_options(candidate)).kernel(candidate.desc, plan_choice(candidate));
    const auto filter = std::make_shared<PackedFilter>(kernel->pack(call_->problem.filters()));
    const Call &call = *call_;
    if (is_gpu(candidate.plan.target)) {
        workspace_bytes_[id] = 0; // of the device's memory; nobody counts there
        return DeviceCall(kernel, call.tensors, filter).contestant(candidate.plan.text());
    }
    workspace_bytes_[id] = measure_workspace([&] { kernel->run(call.tensors, *filter); }).peak;
    return {candidate.plan.text(), [kernel, filter, &call] { kernel->run(call.tensors, *filter); }};
}

} // namespace convsmith::autotune
