// Every variant against the oracle: edge shapes, network layers, thread counts. One key a line in
// tests/data/*.txt; every kernel runs against guard pages.
#include "runtime/check.h"

#include "generators/conv_shape.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

namespace convsmith {
namespace {

namespace fs = std::filesystem;

/// The keys of a file, without comments and blank lines.
std::vector<std::string> read_keys(const std::string &file) {
    std::ifstream stream(std::string(CONVSMITH_SOURCE_DIR "/tests/data/") + file);
    std::vector<std::string> keys;
    for (std::string line; std::getline(stream, line);) {
        if (!line.empty() && line[0] != '#') {
            keys.push_back(line);
        }
    }
    return keys;
}

/// One process-wide runner without a disk cache: tests see what they compile.
std::shared_ptr<Runner> test_runner() {
    static const std::shared_ptr<Runner> runner = [] {
        JitOptions options;
        options.cache_dir = "-";
        return std::shared_ptr<Runner>(make_native_runner(options));
    }();
    return runner;
}

CheckOptions check_options(const std::string &schedule) {
    CheckOptions options;
    options.runner = test_runner();
    options.request.schedule = schedule;
    return options;
}

Layer layer_of(const ConvDesc &desc) {
    Layer layer;
    layer.name = desc.key();
    layer.desc = desc;
    return layer;
}

void expect_all_pass(const CheckReport &report) {
    for (const CheckOutcome &outcome : report.outcomes) {
        EXPECT_EQ(outcome.verdict, Verdict::Passed)
            << outcome.name << " (" << outcome.plan << "): " << outcome.detail << "\n"
            << outcome.reproducer;
    }
}

class EdgeShape : public testing::TestWithParam<std::string> {};

TEST_P(EdgeShape, GenericScheduleMatchesOracle) {
    expect_all_pass(check_layers({layer_of(ConvDesc::parse(GetParam()))}, check_options("generic")));
}

TEST_P(EdgeShape, DefaultPlanMatchesOracle) {
    expect_all_pass(check_layers({layer_of(ConvDesc::parse(GetParam()))}, check_options("")));
}

std::string key_of(const testing::TestParamInfo<std::string> &info) {
    return info.param;
}

INSTANTIATE_TEST_SUITE_P(DirectConv, EdgeShape, testing::ValuesIn(read_keys("conv_shapes.txt")), key_of);

INSTANTIATE_TEST_SUITE_P(Variants, EdgeShape, testing::ValuesIn(read_keys("variant_shapes.txt")), key_of);

class Composite : public testing::TestWithParam<std::string> {};

TEST_P(Composite, MatchesOracle) {
    expect_all_pass(check_layers({layer_of(ConvDesc::parse(GetParam()))}, check_options("")));
}

INSTANTIATE_TEST_SUITE_P(Variants, Composite, testing::ValuesIn(read_keys("composite_shapes.txt")), key_of);

class NetworkShape : public testing::TestWithParam<std::string> {};

TEST_P(NetworkShape, DefaultPlanMatchesOracle) {
    expect_all_pass(check_layers({layer_of(ConvDesc::parse(GetParam()))}, check_options("")));
}

INSTANTIATE_TEST_SUITE_P(DirectConv, NetworkShape, testing::ValuesIn(read_keys("network_shapes.txt")),
                         key_of);

TEST(DirectConv, ShapeTablesAreFound) {
    EXPECT_GT(read_keys("conv_shapes.txt").size(), 60u);
    EXPECT_GT(read_keys("composite_shapes.txt").size(), 20u);
    EXPECT_GT(read_keys("variant_shapes.txt").size(), 60u);
    EXPECT_GT(read_keys("network_shapes.txt").size(), 25u);
}

/// The output of a problem's kernel with `threads` threads.
Tensor run_with_threads(const Problem &problem, const PlanChoice &choice, int threads) {
    set_num_threads(threads);
    std::vector<RunResult> results = test_runner()->run({{problem.desc, choice, &problem}});
    set_num_threads(0);
    EXPECT_EQ(results[0].error, "");
    return std::move(results[0].output);
}

class Threads : public testing::TestWithParam<std::string> {};

TEST_P(Threads, OneTwoAndEightGiveTheSameBits) {
    const ConvDesc desc = ConvDesc::parse(GetParam());
    for (const char *schedule : {"generic", ""}) {
        PlanRequest request;
        request.schedule = schedule;
        const PlanChoice choice = make_plan(desc, host_target(), request);
        const Problem problem = make_problem(desc, Fill::Uniform, 11);
        const Tensor one = run_with_threads(problem, choice, 1);
        for (const int threads : {2, 8}) {
            const Tensor many = run_with_threads(problem, choice, threads);
            ASSERT_EQ(one.bytes(), many.bytes());
            EXPECT_EQ(std::memcmp(one.data(), many.data(), one.bytes()), 0)
                << threads << " threads, " << choice.plan.text();
        }
    }
}

constexpr const char *kThreadedKeys[] = {
    "conv_ci16_i31x29_co48_k3_p1_bias_relu", "conv_n2_ci17_i13x13_co33_k3_s2_p1_nchw_residual",
    "conv_ci32_i28x28_co32_k3_p1_g32_bias",  "conv_ci64_i20x20_co64_k1_bias",
    "conv_ci8_i200_co16_k5_p2_bias_tanh",    "conv_ci8_i40x9_co8_k3_p1_g8_bias_then_conv_co16_k1_relu",
    "maxpool_ci20_i30x31_k3_s2_p1",          "deconv_ci6_i15x14_co10_k3_s2_p1_bias",
    "deform_ci4_i16x15_co8_k3_p1_mask",      "conv_ci4_i6x9x9_co8_k3_p1_f64",
};
INSTANTIATE_TEST_SUITE_P(DirectConv, Threads,
                         testing::ValuesIn(std::vector<std::string>(std::begin(kThreadedKeys),
                                                                    std::end(kThreadedKeys))),
                         key_of);

/// Distinct closed problems of every layer list in `directory`, by MACs.
std::vector<Layer> distinct_layers(const fs::path &directory) {
    std::map<std::pair<int64_t, std::string>, Layer> by_macs;
    for (const fs::directory_entry &entry : fs::directory_iterator(directory)) {
        if (entry.path().extension() == ".json") {
            for (const Layer &layer : load_layer_list(entry.path().string()).layers) {
                by_macs.emplace(std::pair(mac_count(layer.desc), layer.desc.key()), layer);
            }
        }
    }
    std::vector<Layer> layers;
    for (const auto &[order, layer] : by_macs) {
        layers.push_back(layer);
    }
    return layers;
}

TEST(DirectConv, LayersOfSharedNetworksMatchOracle) {
    const char *shared = std::getenv("CONVSMITH_SHARED");
    const fs::path networks =
        fs::path(shared != nullptr ? shared : CONVSMITH_SOURCE_DIR "/../shared") / "cases/networks";
    if (!fs::is_directory(networks)) {
        GTEST_SKIP() << networks << " is absent; tests/data/network_shapes.txt covers the same ground";
    }
    // One of ten, from the smallest up to what takes a tenth of a second, keeps this within a minute.
    constexpr int64_t kMaxMacs = 400'000'000;
    constexpr size_t kOneOf = 10;
    const std::vector<Layer> all = distinct_layers(networks);
    ASSERT_GT(all.size(), 100u);
    std::vector<Layer> chosen;
    for (size_t i = 0; i < all.size() && mac_count(all[i].desc) <= kMaxMacs; i += kOneOf) {
        chosen.push_back(all[i]);
    }
    expect_all_pass(check_layers(chosen, check_options("")));
}

} // namespace
} // namespace convsmith
