// Calls of a compiled kernel (runtime/kernel.h): weights packed, every bad tensor refused, open sizes
// resolved, cheap, re-entrant, the same bits for any number of threads. Seeds are in each test.
#include "tests/jit_support.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace convsmith {
namespace {

TEST(KernelPack, EveryFilterLayoutPacksToTheSameBytes) {
    Jit jit(no_disk());
    const ConvDesc desc = ConvDesc::parse("conv_ci6_i5x6_co10_k2x3_g2");
    const auto kernel = jit.kernel(desc);
    const int co = 10, ci = 3, ky = 2, kx = 3;
    const Tensor oihw(DType::F32, {co, ci, ky, kx}), hwio(DType::F32, {ky, kx, ci, co}),
        ohwi(DType::F32, {co, ky, kx, ci});
    int value = 0;
    for (int o = 0; o < co; o++) {
        for (int i = 0; i < ci; i++) {
            for (int y = 0; y < ky; y++) {
                for (int x = 0; x < kx; x++, value++) {
                    oihw.as<float>()[((o * ci + i) * ky + y) * kx + x] = static_cast<float>(value);
                    hwio.as<float>()[((y * kx + x) * ci + i) * co + o] = static_cast<float>(value);
                    ohwi.as<float>()[((o * ky + y) * kx + x) * ci + i] = static_cast<float>(value);
                }
            }
        }
    }
    const PackedFilter want = kernel->pack(oihw.view(), FilterLayout::Oihw);
    const std::vector<std::pair<const Tensor *, FilterLayout>> others = {{&hwio, FilterLayout::Hwio},
                                                                         {&ohwi, FilterLayout::Ohwi}};
    for (const auto &[tensor, layout] : others) {
        const PackedFilter got = kernel->pack(tensor->view(), layout);
        ASSERT_EQ(got.tensor().bytes(), want.tensor().bytes());
        EXPECT_EQ(std::memcmp(got.tensor().data(), want.tensor().data(), want.tensor().bytes()), 0);
    }
    // packed[co_o][ky][kx][ci][co_i], zero beyond the last channel
    const int block = want.packing().co_block;
    for (int64_t i = 0; i < want.tensor().elements(); i++) {
        const int64_t tap = i / block / ci % (ky * kx);
        const int64_t o = i / block / ci / (ky * kx) * block + i % block;
        const double expected = o < co ? ((o * ci + i / block % ci) * ky * kx + tap) : 0.0;
        EXPECT_EQ(want.tensor().get(i), expected) << "element " << i;
    }
}

/// One bad call: what is changed and words the message must have.
struct BadCall {
    const char *what;
    std::function<void(NamedTensors &)> change;
    const char *message;
};

TEST(KernelRun, EveryBadTensorIsNamed) {
    Jit jit(no_disk());
    const ConvDesc desc = ConvDesc::parse(kResidualKey);
    const auto kernel = jit.kernel(desc);
    const Problem problem = make_problem(desc, Fill::SmallIntegers, 5);
    const PackedFilter filter = kernel->pack(problem.filters());
    const Tensor output(DType::F32, output_shape(desc)), f64(DType::F64, input_shape(desc));
    const BadCall calls[] = {
        {"no input", [](auto &t) { t["input"] = {}; }, "input: has no data, want f32 [1][6][7][8]"},
        {"no output", [](auto &t) { t["output"] = {}; }, "output: has no data, want f32 [1][6][7][8]"},
        {"no bias", [](auto &t) { t["bias"] = {}; }, "bias: has no data, want f32 [8]"},
        {"no residual", [](auto &t) { t["residual"] = {}; }, "residual: has no data, want f32 [1][6][7][8]"},
        {"type", [&](auto &t) { t["input"] = f64.view(); }, "input: type is f64, want f32"},
        {"rank", [](auto &t) { t["input"].rank = 3; }, "input: has 3 dimensions, want 4: f32 [1][6][7][8]"},
        {"batch", [](auto &t) { t["input"].shape[0] = 2; }, "input: axis 0 (n) is 2, want 1"},
        {"height", [](auto &t) { t["input"].shape[1] = 5; }, "input: axis 1 (h) is 5, want 6"},
        {"width", [](auto &t) { t["output"].shape[2] = 6; }, "output: axis 2 (w) is 6, want 7"},
        {"channels", [](auto &t) { t["residual"].shape[3] = 9; }, "residual: axis 3 (c) is 9, want 8"},
        {"bias", [](auto &t) { t["bias"].shape[0] = 7; }, "bias: axis 0 (co) is 7, want 8"},
        {"alignment", [](auto &t) { t["input"].data = static_cast<char *>(t["input"].data) + 1; },
         "input: data is not aligned to its 4 byte elements"},
        {"output = input", [](auto &t) { t["output"].data = t["input"].data; },
         "output: overlaps input in memory"},
        {"output = residual",
         [](auto &t) { t["output"].data = static_cast<float *>(t["residual"].data) + 335; },
         "output: overlaps residual in memory"},
        {"output = bias", [](auto &t) { t["bias"].data = static_cast<float *>(t["output"].data) + 3; },
         "output: overlaps bias in memory"},
        {"output = filter", [&](auto &t) { t["output"].data = filter.tensor().data(); },
         "output: overlaps filter in memory"},
    };
    for (const BadCall &call : calls) {
        NamedTensors tensors = tensors_of(problem, output);
        call.change(tensors);
        EXPECT_EQ(error_of([&] { kernel->run(tensors, filter); }).find(call.message), 0u)
            << call.what << ": " << error_of([&] { kernel->run(tensors, filter); });
    }
    for (int64_t i = 0; i < output.elements(); i++)
        ASSERT_EQ(output.get(i), 0) << "a refused call wrote element " << i;
    kernel->run(tensors_of(problem, output), filter);
}

/// Descriptors that together have every tensor a call can have.
const char *const kAllTensorKeys[] = {
    "conv_n2_ci4_i5x6_co8_k3_p1_bias_gate_residual_prelu_channel_scale",
    "deform_n2_ci4_i5x6_co8_k3_p1_og2_mask",
    "maxpool_n2_ci3_i6x5_k2_s2_ceil_indices_nchw",
};

/// A call with memory for everything: inputs of a problem, an output, indices.
struct WholeCall {
    explicit WholeCall(const ConvDesc &desc)
        : problem(make_problem(desc, Fill::SmallIntegers, 9)), output(desc.out_type, output_shape(desc)),
          indices(DType::I64, written_shape(desc)) {}

    NamedTensors tensors() const {
        NamedTensors tensors = problem.call(output.view());
        if (problem.desc.indices != Indices::None)
            tensors["indices"] = indices.view();
        return tensors;
    }

    Problem problem;
    Tensor output, indices;
};

TEST(KernelRun, EveryTensorOfEveryOpIsNamedWhenItIsMissingOrMisshaped) {
    Jit jit(no_disk());
    std::set<std::string> seen;
    for (const char *key : kAllTensorKeys) {
        const ConvDesc desc = ConvDesc::parse(key);
        const auto kernel = jit.kernel(desc);
        const WholeCall call(desc);
        const PackedFilter filter = kernel->pack(call.problem.filters());
        for (const TensorSpec &spec : tensor_specs(desc, Packing())) {
            if (spec.role == TensorRole::Filter)
                continue; // WrongFiltersAreNamed
            seen.insert(spec.name);
            const auto message = [&](const std::function<void(TensorView &)> &change) {
                NamedTensors tensors = call.tensors();
                change(tensors[spec.name]);
                return error_of([&] { kernel->run(tensors, filter); });
            };
            const std::string wanted = dtype_name(spec.dtype) + " " + shape_text(spec.shape);
            EXPECT_EQ(message([](auto &t) { t = {}; }), spec.name + ": has no data, want " + wanted);
            EXPECT_EQ(message([](auto &t) { t.dtype = DType::U16; }),
                      spec.name + ": type is u16, want " + dtype_name(spec.dtype));
            EXPECT_EQ(message([](auto &t) { t.rank++; }),
                      fmt::format("{}: has {} dimensions, want {}: {}", spec.name, spec.shape.size() + 1,
                                  spec.shape.size(), wanted));
            for (size_t axis = 0; axis < spec.shape.size(); axis++)
                EXPECT_EQ(message([&](auto &t) {
                              t.shape[axis]++;
                          }).find(fmt::format("{}: axis {} (", spec.name, axis)),
                          0u)
                    << key;
        }
        kernel->run(call.tensors(), filter);
    }
    EXPECT_EQ(seen, (std::set<std::string>{"input", "offset", "mask", "bias", "residual", "scale", "gate",
                                           "slope", "output", "indices"}));
}

TEST(KernelRun, WhatIsWrittenOverlapsNothingElse) {
    Jit jit(no_disk());
    for (const char *key : kAllTensorKeys) {
        const ConvDesc desc = ConvDesc::parse(key);
        const auto kernel = jit.kernel(desc);
        const WholeCall call(desc);
        const PackedFilter filter = kernel->pack(call.problem.filters());
        for (const TensorSpec &spec : tensor_specs(desc, Packing())) {
            if (spec.role == TensorRole::Filter || spec.role == TensorRole::Output)
                continue;
            const bool is_written = spec.role == TensorRole::Indices;
            const std::string output_overlaps =
                is_written ? "indices: overlaps output" : "output: overlaps " + spec.name;
            NamedTensors tensors = call.tensors();
            tensors[spec.name].data = tensors["output"].data;
            EXPECT_EQ(error_of([&] { kernel->run(tensors, filter); }).find(output_overlaps), 0u)
                << key << ": " << error_of([&] { kernel->run(tensors, filter); });
            if (is_written || desc.indices == Indices::None)
                continue;
            tensors = call.tensors();
            tensors[spec.name].data = tensors["indices"].data;
            EXPECT_EQ(error_of([&] { kernel->run(tensors, filter); }).find("indices: overlaps " + spec.name),
                      0u);
        }
    }
}

TEST(KernelRun, TensorsTheDescriptorDoesNotHaveAreRefused) {
    Jit jit(no_disk());
    const Tensor other(DType::F32, {4});
    std::set<std::string> names;
    for (const char *key : kAllTensorKeys) {
        for (const TensorSpec &spec : tensor_specs(ConvDesc::parse(key), Packing()))
            names.insert(spec.name);
    }
    for (const char *key : {"conv_ci3_i4x4_co4_k1x1", "maxpool_ci3_i4x4_k2x2"}) {
        const ConvDesc desc = ConvDesc::parse(key);
        const auto kernel = jit.kernel(desc);
        const WholeCall call(desc);
        const bool has_filter = op_info(desc.op).has_filter;
        const PackedFilter filter = kernel->pack(call.problem.filters());
        for (const std::string &name : names) {
            if (name == "input" || name == "output")
                continue;
            NamedTensors tensors = call.tensors();
            tensors[name] = other.view();
            const char *want = name == "filter" && has_filter ? "given as a tensor, want it packed"
                                                              : "given, but the kernel takes input, output";
            EXPECT_EQ(error_of([&] { kernel->run(tensors, filter); }).find(name + ": " + want), 0u)
                << key << ": " << error_of([&] { kernel->run(tensors, filter); });
        }
    }
}

TEST(KernelRun, WrongFiltersAreNamed) {
    Jit jit(no_disk());
    const ConvDesc desc = ConvDesc::parse("conv_ci3_i4x4_co4_k3x2");
    const auto kernel = jit.kernel(desc);
    const auto pack_error = [&](const Tensor &filter, FilterLayout layout) {
        return error_of([&] { kernel->pack(filter.view(), layout); });
    };
    const Tensor f64(DType::F64, {4, 3, 3, 2}), shape(DType::F32, {4, 2, 3, 2}),
        good(DType::F32, {4, 3, 3, 2});
    EXPECT_EQ(pack_error(f64, FilterLayout::Oihw), "filter: type is f64, want f32");
    EXPECT_EQ(pack_error(shape, FilterLayout::Oihw).find("filter: axis 1 (ci) is 2, want 3"), 0u);
    EXPECT_EQ(pack_error(good, FilterLayout::Hwio).find("filter: axis 0 (kh) is 4, want 3"), 0u);
    EXPECT_EQ(pack_error(good, FilterLayout::Ohwi).find("filter: axis 2 (kw) is 3, want 2"), 0u);
    EXPECT_EQ(error_of([&] { kernel->pack(TensorView()); }), "filter: has no data, want f32 [4][3][3][2]");

    const Problem problem = make_problem(desc, Fill::SmallIntegers, 8);
    const Tensor output(DType::F32, output_shape(desc));
    const Packing packing = kernel->pack(problem.filters()).packing();
    Packing other = packing;
    other.co_block *= 2;
    PackedFilter blocks(other);
    blocks.add("filter", Tensor(DType::F32, packed_filter_shape(desc, other)));
    EXPECT_EQ(error_of([&] {
                  kernel->run(tensors_of(problem, output), blocks);
              }).find("filter: packed in blocks of"),
              0u);
    const ConvDesc five = ConvDesc::parse("conv_ci5_i4x4_co4_k3x2");
    PackedFilter channels(packing);
    channels.add("filter", Tensor(DType::F32, packed_filter_shape(five, packing)));
    EXPECT_EQ(error_of([&] {
                  kernel->run(tensors_of(problem, output), channels);
              }).find("filter: axis 3 (ci) is 5"),
              0u);
}

TEST(KernelRun, OpenExtentsTakeEverySize) {
    Jit jit(no_disk());
    const ConvDesc open = ConvDesc::parse("conv_n0_ci5_i0x0_co12_k3x3_s2x1_p1_bias_relu");
    ASSERT_TRUE(open.is_open());
    const auto kernel = jit.kernel(open);
    uint64_t seed = 10;
    for (const Sizes &sizes : {Sizes{1, {5, 9}}, Sizes{3, {8, 8}}, Sizes{2, {1, 1}}, Sizes{1, {32, 17}}})
        expect_exact(*kernel, with_sizes(open, sizes), seed++);
    EXPECT_EQ(jit.stats().compiled, 1);
}

TEST(KernelRun, OpenPointwiseAndMixedExtentsTakeEverySize) {
    Jit jit(no_disk());
    for (const char *key :
         {"conv_n0_ci8_i0x0_co16_k1x1", "conv_n0_ci3_i0x6_co4_k1x3_nchw", "conv_n1_ci4_i0_co4_k3"}) {
        const ConvDesc open = ConvDesc::parse(key);
        const auto kernel = jit.kernel(open);
        for (const int extent : {3, 4, 11, 40}) {
            Sizes sizes;
            sizes.n = open.n == 0 ? 2 : open.n;
            for (int axis = 0; axis < open.rank; axis++)
                sizes.in[axis] = open.in[axis] == 0 ? extent : open.in[axis];
            expect_exact(*kernel, with_sizes(open, sizes), static_cast<uint64_t>(extent));
        }
    }
}

TEST(KernelRun, ContradictingOpenSizesAreNamed) {
    Jit jit(no_disk());
    const ConvDesc open = ConvDesc::parse("conv_n0_ci4_i0x8_co4_k3x3_residual");
    const auto kernel = jit.kernel(open);
    const Problem problem = make_problem(with_sizes(open, {2, {9, 8}}), Fill::SmallIntegers, 11);
    const PackedFilter filter = kernel->pack(problem.filters());
    const Tensor output(DType::F32, output_shape(problem.desc));
    const auto message = [&](const std::function<void(NamedTensors &)> &change) {
        NamedTensors tensors = tensors_of(problem, output);
        change(tensors);
        return error_of([&] { kernel->run(tensors, filter); });
    };
    EXPECT_EQ(message([](auto &t) { t["output"].shape[1] = 6; }).find("output: axis 1 (h) is 6, want 7"), 0u);
    EXPECT_EQ(message([](auto &t) { t["output"].shape[0] = 1; }).find("output: axis 0 (n) is 1, want 2"), 0u);
    EXPECT_EQ(message([](auto &t) { t["residual"].shape[1] = 8; }).find("residual: axis 1 (h) is 8, want 7"),
              0u);
    EXPECT_EQ(message([](auto &t) { t["input"].shape[2] = 9; }).find("input: axis 2 (w) is 9, want 8"), 0u);
    EXPECT_EQ(message([](auto &t) { t["input"].shape[1] = 0; }).find("input: axis 1 (h) is 0, want 1 to"),
              0u);
    EXPECT_EQ(message([](auto &t) { t["input"] = {}; }).find("input: has no data"), 0u);
    EXPECT_EQ(message([](auto &t) { t["input"].rank = 2; }).find("input: has 2 dimensions, want 4"), 0u);
    EXPECT_NE(message([](auto &t) { t["input"].shape[1] = 2; }), "") << "kernel 3 does not fit in 2 rows";
}

TEST(KernelRun, EightThreadsMayCallOneKernel) {
    Jit jit(no_disk());
    for (const char *key : {kTinyKey, "conv_n0_ci3_i0x0_co4_k3x3_p1"}) {
        const ConvDesc desc = ConvDesc::parse(key);
        const auto kernel = jit.kernel(desc);
        std::vector<std::thread> threads;
        for (int t = 0; t < 8; t++) {
            threads.emplace_back([&, t] {
                for (int i = 0; i < 20; i++) {
                    const ConvDesc closed =
                        desc.is_open() ? with_sizes(desc, {1 + t % 2, {4 + i % 3, 5}}) : desc;
                    expect_exact(*kernel, closed, 100 * static_cast<uint64_t>(t) + static_cast<uint64_t>(i));
                }
            });
        }
        for (std::thread &thread : threads)
            thread.join();
    }
}

TEST(KernelRun, AnyNumberOfThreadsGivesTheSameBits) {
    Jit jit(no_disk());
    for (const char *key : {"conv_n2_ci32_i28x28_co48_k3x3_p1_bias_silu", "conv_ci64_i20x20_co64_k1x1"}) {
        const ConvDesc desc = ConvDesc::parse(key);
        const auto kernel = jit.kernel(desc);
        const Problem problem = make_problem(desc, Fill::Uniform, 12);
        set_num_threads(1);
        const Tensor one = run(*kernel, problem);
        for (const int threads : {2, 8, 0}) {
            set_num_threads(threads);
            const Tensor many = run(*kernel, problem);
            EXPECT_EQ(std::memcmp(one.data(), many.data(), one.bytes()), 0)
                << key << ", " << threads << " threads";
        }
    }
    set_num_threads(0);
}

/// Threads of this process.
int64_t count_threads() {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
}

TEST(KernelRun, FewerThreadsEndTheWorkers) {
    Jit jit(no_disk());
    const ConvDesc desc = ConvDesc::parse("conv_n4_ci32_i28x28_co48_k3x3_p1");
    const auto kernel = jit.kernel(desc);
    const Problem problem = make_problem(desc, Fill::Uniform, 13);
    set_num_threads(1);
    run(*kernel, problem);
    const int64_t alone = count_threads();
    set_num_threads(4);
    run(*kernel, problem);
    EXPECT_EQ(count_threads(), alone + 3);
    set_num_threads(1);
    run(*kernel, problem);
    EXPECT_EQ(count_threads(), alone);
    set_num_threads(0);
}

TEST(KernelRun, BoundCallComputesWithoutItsKernel) {
    for (const char *key : {kTinyKey, "conv_n0_ci3_i0x0_co4_k3x3_p1"}) {
        const ConvDesc desc = ConvDesc::parse(key);
        const ConvDesc closed = desc.is_open() ? with_sizes(desc, {2, {4, 5}}) : desc;
        const Problem problem = make_problem(closed, Fill::SmallIntegers, 17);
        Tensor expected(DType::F32, output_shape(closed)), output(DType::F32, output_shape(closed));
        PackedFilter filter;
        std::function<void()> call;
        {
            Jit jit(no_disk());
            const auto kernel = jit.kernel(desc);
            filter = kernel->pack(problem.filters());
            kernel->run(tensors_of(problem, expected), filter);
            call = kernel->bind(tensors_of(problem, output), filter);
        }
        for (int times = 0; times < 2; times++) {
            fill(output, Fill::SmallIntegers, 18);
            call();
            EXPECT_EQ(std::memcmp(output.data(), expected.data(), output.bytes()), 0) << key;
        }
    }
}

TEST(KernelRun, BindRefusesWhatRunRefuses) {
    Jit jit(no_disk());
    const ConvDesc desc = ConvDesc::parse(kTinyKey);
    const auto kernel = jit.kernel(desc);
    const Problem problem = make_problem(desc, Fill::SmallIntegers, 17);
    const PackedFilter filter = kernel->pack(problem.filters());
    const Tensor output(DType::F32, output_shape(desc));
    NamedTensors tensors = tensors_of(problem, output);
    tensors["input"] = {};
    EXPECT_EQ(error_of([&] { kernel->bind(tensors, filter); }).find("input: has no data"), 0u);
    EXPECT_NE(error_of([&] { kernel->bind(tensors_of(problem, output), PackedFilter()); }), "");
}

/// Microseconds of one call, the least mean of many rounds: other work on the machine only adds.
double microseconds_of(const std::function<void()> &call) {
    constexpr int kCalls = 2000, kRounds = 50;
    double best = 1e9;
    for (int round = 0; round < kRounds; round++) {
        const auto start = Clock::now();
        for (int i = 0; i < kCalls; i++)
            call();
        best = std::min(best, milliseconds_since(start) * 1000 / kCalls);
    }
    return best;
}

struct CallCost {
    double run, bound; ///< microseconds
};

CallCost cost_of(const Kernel &kernel, const ConvDesc &closed) {
    const Problem problem = make_problem(closed, Fill::SmallIntegers, 13);
    const PackedFilter filter = kernel.pack(problem.filters());
    const Tensor output(DType::F32, output_shape(closed));
    const NamedTensors tensors = tensors_of(problem, output);
    return {microseconds_of([&] { kernel.run(tensors, filter); }),
            microseconds_of(kernel.bind(tensors, filter))};
}

TEST(KernelRun, EpiloguesHaveTheirLimitsAndKeepNan) {
    const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
    const std::vector<double> inputs = {-inf, -1e30, -200, -88, 0, 88, 200, 1e30, inf};
    Jit jit(no_disk());
    const auto results = [&](const std::string &epilogue) {
        const ConvDesc desc = ConvDesc::parse("identity_ci16_i1_nwc_" + epilogue);
        Tensor input(DType::F32, {1, 1, 16}), output(DType::F32, {1, 1, 16});
        for (int64_t i = 0; i < input.elements(); i++)
            input.set(i, i < static_cast<int64_t>(inputs.size()) ? inputs[static_cast<size_t>(i)] : nan);
        const std::shared_ptr<const Kernel> kernel = jit.kernel(desc);
        kernel->run({{"input", input.view()}, {"output", output.view()}}, PackedFilter());
        std::vector<double> values;
        for (int64_t i = 0; i < output.elements(); i++)
            values.push_back(output.get(i));
        return values;
    };
    const std::vector<std::pair<std::string, std::function<double(double)>>> rows = {
        {"tanh", [](double x) { return std::tanh(x); }},
        {"sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }},
        {"elu", [](double x) { return x < 0 ? std::expm1(x) : x; }},
        {"softplus", [](double x) { return x > 0 ? x : std::log1p(std::exp(x)); }},
    };
    for (const auto &[name, reference] : rows) {
        const std::vector<double> values = results(name);
        for (size_t i = 0; i < inputs.size(); i++) {
            const double want = static_cast<float>(reference(inputs[i]));
            if (std::isinf(want))
                EXPECT_EQ(values[i], want) << name << " of " << inputs[i];
            else
                EXPECT_NEAR(values[i], want, 1e-6 * std::fabs(want) + 1e-37) << name << " of " << inputs[i];
        }
        EXPECT_TRUE(std::isnan(values.back())) << name << " of NaN is " << values.back();
    }
}

TEST(KernelRun, CallCostsAtMostTwoMicroseconds) {
    Jit jit(no_disk());
    // One output element and four multiplications: what remains is the cost of a call.
    const ConvDesc closed = ConvDesc::parse("conv_ci4_i1x1_co1_k1x1_bias");
    const ConvDesc open = ConvDesc::parse("conv_n0_ci4_i0x0_co1_k1x1_bias");
    const CallCost closed_cost = cost_of(*jit.kernel(closed), closed);
    const CallCost open_cost = cost_of(*jit.kernel(open), closed);
    std::printf("call overhead: %.3f us, bound %.3f us; with open sizes %.3f us, bound %.3f us\n",
                closed_cost.run, closed_cost.bound, open_cost.run, open_cost.bound);
    if (kIsSanitized)
        GTEST_SKIP() << "a sanitizer's time is not ours";
    EXPECT_LE(closed_cost.run, 2.0);
    EXPECT_LE(open_cost.run, 2.0);
    EXPECT_LE(closed_cost.bound, closed_cost.run);
}

} // namespace
} // namespace convsmith
