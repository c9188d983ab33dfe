// See compare.h.
#include "bench/compare.h"

#include "autotune/probe.h"
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "runtime/workspace.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

namespace convsmith::bench {

namespace {

/// Copies trained values over the random ones.
void take_values(const Tensor &trained, const Tensor &into, const std::string &what) {
    if (trained.dtype() != into.dtype() || trained.shape() != into.shape())
        throw Error(ErrorCode::BadArgument,
                    what + ": got " + describe(trained.view()) + ", want " + describe(into.view()));
    std::memcpy(into.data(), trained.data(), into.bytes());
}

/// `relative_error`: of the plan or PreparedPeer.
Judgement judge_sample(const Problem &problem, const TensorView &output, const CompareOptions &options,
                       double relative_error) {
    JudgeOptions judge_options;
    judge_options.max_points = options.check_points;
    judge_options.seed = options.seed;
    judge_options.relative_error = relative_error;
    return judge(problem.desc, problem.view(), output, judge_options);
}

/// A peer that is ready and right, or the reason why it is not timed.
PeerTiming admit_peer(const Peer &peer, const Problem &problem, const CompareOptions &options,
                      std::vector<Contestant> &contestants) {
    PeerTiming timing;
    timing.name = peer.name;
    PeerResult result = peer.prepare(problem.desc, problem.view(), options.threads);
    if (const auto *not_prepared = std::get_if<NotPrepared>(&result)) {
        timing.reason = not_prepared->reason;
        return timing;
    }
    PreparedPeer &prepared = std::get<PreparedPeer>(result);
    timing.implementation = prepared.implementation;
    const Tensor output = prepared.output();
    const Judgement judgement = judge_sample(problem, output.view(), options, prepared.relative_error);
    if (!judgement.ok())
        timing.reason = "wrong result, not timed: " + judgement.first_wrong;
    else
        contestants.push_back(
            {peer.name, std::move(prepared.call), std::move(prepared.block), prepared.process});
    return timing;
}

/// While a contestant works in another process, this one sleeps, and its core with it.
MeasureOptions settled(const std::vector<Contestant> &contestants, MeasureOptions options) {
    constexpr double kWakeUpNs = 2e6;
    for (const Contestant &contestant : contestants)
        if (contestant.block)
            options.settle_ns = std::max(options.settle_ns, kWakeUpNs);
    return options;
}

} // namespace

Problem layer_problem(const Layer &layer, uint64_t seed) {
    if (layer.desc.is_open())
        throw Error(ErrorCode::BadArgument, layer.name + ": sizes are open (0); a benchmark needs them all");
    Problem problem = make_problem(layer.desc, Fill::Uniform, seed);
    for (const auto &[name, values] : layer.trained)
        take_values(*values, problem[name], layer.name + ": " + name);
    return problem;
}

LayerResult compare_layer(Jit &jit, const Layer &layer, const Machine &machine,
                          const CompareOptions &options) {
    const Problem problem = layer_problem(layer, options.seed);
    const PlanChoice choice = make_plan(problem.desc, options.target, options.plan);
    const int64_t compiled_before = jit.stats().compiled;
    const auto start = std::chrono::steady_clock::now();
    const auto kernel = jit.kernel(problem.desc, choice);
    const std::chrono::duration<double, std::milli> waited = std::chrono::steady_clock::now() - start;
    const PackedFilter filter = kernel->pack(problem.filters());
    const Tensor output(problem.desc.out_type, output_shape(problem.desc));
    const NamedTensors tensors = problem.call(output.view());

    LayerResult result;
    result.name = layer.name;
    result.desc = problem.desc;
    result.multiplicity = layer.multiplicity;
    result.choice = kernel->choice();
    result.compile_ms = jit.stats().compiled > compiled_before ? waited.count() : 0;

    set_num_threads(options.threads);
    result.workspace_bytes = measure_workspace([&] { kernel->run(tensors, filter); }).peak;
    const Judgement judgement =
        judge_sample(problem, output.view(), options, result.choice.plan.relative_error());
    result.max_error = judgement.max_error;
    result.failure = judgement.first_wrong;
    if (!result.ok())
        return result;

    std::vector<Contestant> contestants = {{"convsmith", kernel->bind(tensors, filter)}};
    for (const Peer &peer : options.peers)
        result.peers.push_back(admit_peer(peer, problem, options, contestants));
    const autotune::FmaProbe probe = autotune::fma_probe();
    contestants.push_back({"fma probe", probe.call});

    const std::vector<Measured> measured =
        autotune::measure(contestants, settled(contestants, options.measure));
    const double flops = 2.0 * static_cast<double>(mac_count(problem.desc));
    const double probe_flops =
        probe.flops * sizeof(float) / dtype_bytes(problem.desc.acc_type) * machine.threads;
    result.ns = measured[0].ns;
    result.gflops = flops / result.ns.median;
    result.percent_of_peak = 100 * flops / probe_flops * measured.back().ratio;
    result.bytes = static_cast<double>(byte_count(problem.desc));
    if (machine.copy_gb_per_s > 0)
        result.percent_of_bandwidth = 100 * result.bytes / result.ns.median / machine.copy_gb_per_s;
    for (PeerTiming &peer : result.peers)
        for (const Measured &one : measured)
            if (one.name == peer.name) {
                peer.ns = one.ns;
                peer.ratio = one.ratio;
            }
    return result;
}

const PeerTiming *LayerResult::best_peer() const {
    const PeerTiming *best = nullptr;
    for (const PeerTiming &peer : peers)
        if (peer.reason.empty() && (best == nullptr || peer.ratio < best->ratio))
            best = &peer;
    return best;
}

} // namespace convsmith::bench
