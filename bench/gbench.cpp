// Google Benchmark over a few representative layers, for its options (--benchmark_filter,
// --benchmark_repetitions,
// --benchmark_out) and for comparing two builds; `convsmith bench` is the one for networks and peers. Every
// result is judged by the oracle before it is timed. One thread.
#include "bench/compare.h"
#include "generators/conv_shape.h"
#include "generators/error.h"

#include <benchmark/benchmark.h>
#include <string>

namespace convsmith::bench {

namespace {

/// One layer of each kind, from ResNet-50, MobileNet, WaveNet and C3D; the benchmark's name is the canonical
/// key.
constexpr const char *kLayers[] = {
    "conv_ci3_i224x224_co64_k7_s2_p3_bias_relu",
    "conv_ci64_i56x56_co64_k3_p1_bias_relu",
    "conv_ci512_i7x7_co512_k3_p1_bias_relu",
    "conv_ci256_i56x56_co64_k1_bias_relu",
    "conv_ci64_i56x56_co256_k1_bias_residual_relu",
    "conv_ci128_i28x28_co128_k3_p1_g128_bias_relu6",
    "conv_ci32_i4000_co32_k2_d8",
    "conv_ci64_i16x56x56_co128_k3_p1_bias_relu",
};

void time_layer(benchmark::State &state, const ConvDesc &desc, Jit &jit) {
    const Problem problem = make_problem(desc, Fill::Uniform, 1);
    const auto kernel = jit.kernel(desc);
    const PackedFilter filter = kernel->pack(problem.filters());
    const Tensor output(desc.out_type, output_shape(desc));
    const NamedTensors tensors = problem.call(output.view());

    kernel->run(tensors, filter);
    JudgeOptions judge_options;
    judge_options.max_points = CompareOptions().check_points;
    judge_options.relative_error = kernel->choice().plan.relative_error();
    const Judgement judgement = judge(desc, problem.view(), output.view(), judge_options);
    if (!judgement.ok()) {
        state.SkipWithError(("wrong result: " + judgement.first_wrong).c_str());
        return;
    }

    for (auto _ : state) {
        kernel->run(tensors, filter);
        benchmark::ClobberMemory();
    }
    const double flops = 2.0 * static_cast<double>(mac_count(desc));
    state.counters["flops"] =
        benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000);
    state.SetLabel(kernel->choice().plan.text());
}

void register_layers(Jit &jit) {
    for (const char *text : kLayers) {
        const ConvDesc desc = ConvDesc::parse(text);
        benchmark::RegisterBenchmark(desc.key().c_str(), [desc, &jit](benchmark::State &state) {
            try {
                time_layer(state, desc, jit);
            } catch (const Error &error) {
                state.SkipWithError(error.what());
            }
        })->Unit(benchmark::kMicrosecond);
    }
}

} // namespace

} // namespace convsmith::bench

int main(int argc, char **argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 2;
    convsmith::set_num_threads(1);
    convsmith::Jit jit;
    convsmith::bench::register_layers(jit);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
