// Tests of the judge of speed: the measuring protocol under a made-up clock, and the report of a tiny real
// run. The peers are in peers_test.cpp.
#include "bench/compare.h"
#include "bench/machine.h"
#include "bench/measure.h"
#include "bench/report.h"
#include "generators/conv_shape.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <set>

namespace convsmith::bench {
namespace {

/// A clock that only moves when a contestant runs.
struct FakeClock {
    double ns = 0;
    MeasureOptions options(int rounds) {
        MeasureOptions options;
        options.rounds = rounds;
        options.block_ns = 1000;
        options.now_ns = [this] { return ns; };
        return options;
    }
};

TEST(Measure, RatioIsOtherTimeOverFirstTime) {
    FakeClock clock;
    const std::vector<Measured> results =
        measure({{"ours", [&] { clock.ns += 200; }}, {"peer", [&] { clock.ns += 500; }}}, clock.options(5));
    ASSERT_EQ(results.size(), 2u);
    EXPECT_EQ(results[0].name, "ours");
    EXPECT_DOUBLE_EQ(results[0].ns.median, 200);
    EXPECT_DOUBLE_EQ(results[0].ratio, 1);
    EXPECT_DOUBLE_EQ(results[1].ns.min, 500);
    EXPECT_EQ(results[1].ns.rounds, 5);
    EXPECT_DOUBLE_EQ(results[1].ratio, 2.5);
}

TEST(Measure, RatioSurvivesAMachineThatSlowsDown) {
    // Blocks of 100 ns are one call, so each round has four calls: settle and block of either contestant.
    // Time of a call grows from round to round; the ratio of medians over all rounds would still be 3, but
    // that of minima or means of different rounds would not.
    FakeClock clock;
    int calls = 0;
    const auto slowdown = [&] { return std::pow(2.0, (calls++ - 4) / 4); };
    MeasureOptions options = clock.options(9);
    options.block_ns = 1;
    const std::vector<Measured> results = measure(
        {{"ours", [&] { clock.ns += 100 * slowdown(); }}, {"peer", [&] { clock.ns += 300 * slowdown(); }}},
        options);
    EXPECT_DOUBLE_EQ(results[1].ratio, 3);
    EXPECT_LT(results[0].ns.min, results[0].ns.median);
}

TEST(Measure, OneDisturbedRoundDoesNotMoveTheRatio) {
    FakeClock clock;
    int calls = 0;
    MeasureOptions options = clock.options(7);
    options.block_ns = 1;
    const std::vector<Measured> results = measure(
        {{"ours", [&] { clock.ns += 100; }}, {"peer", [&] { clock.ns += ++calls == 6 ? 100000 : 150; }}},
        options);
    EXPECT_DOUBLE_EQ(results[1].ratio, 1.5);
    EXPECT_DOUBLE_EQ(results[1].ns.median, 150);
}

TEST(Measure, ShortCallsAreRepeatedUntilABlockIsLongEnough) {
    FakeClock clock;
    int calls = 0;
    MeasureOptions options = clock.options(10);
    const auto results = measure({{"short",
                                   [&] {
                                       clock.ns += 1;
                                       calls++;
                                   }}},
                                 options);
    EXPECT_DOUBLE_EQ(results[0].ns.median, 1);
    EXPECT_GE(calls, 10 * 1000);
}

TEST(Measure, SettlingCallsAreNotTimed) {
    FakeClock clock;
    int calls = 0;
    MeasureOptions options = clock.options(3);
    options.settle_ns = 5000;
    options.block_ns = 1;
    measure({{"one",
              [&] {
                  clock.ns += 1000;
                  calls++;
              }}},
            options);
    EXPECT_EQ(calls, 2 + 3 * (5 + 1)); // warm-up and block length, then settle and block in each round
}

TEST(Measure, EveryRoundRunsEveryContestantInVaryingOrder) {
    FakeClock clock;
    std::string trace;
    MeasureOptions options = clock.options(12);
    options.block_ns = 1;
    measure({{"a", [&] { clock.ns += 10, trace += 'a'; }},
             {"b", [&] { clock.ns += 10, trace += 'b'; }},
             {"c", [&] { clock.ns += 10, trace += 'c'; }}},
            options);
    trace = trace.substr(6); // without the warm-up
    ASSERT_EQ(trace.size(), 12u * 6);
    std::set<std::string> orders;
    for (size_t round = 0; round < trace.size(); round += 6) {
        std::string order = trace.substr(round, 6);
        orders.insert(order);
        std::sort(order.begin(), order.end());
        EXPECT_EQ(order, "aabbcc");
    }
    EXPECT_GT(orders.size(), 1u);
}

TEST(Measure, NothingToMeasureIsRefused) {
    EXPECT_THROW(measure({}, MeasureOptions()), Error);
    MeasureOptions no_rounds;
    no_rounds.rounds = 0;
    EXPECT_THROW(measure({{"one", [] {}}}, no_rounds), Error);
}

TEST(Statistics, MedianAndGeometricMean) {
    EXPECT_DOUBLE_EQ(median({3, 1, 2}), 2);
    EXPECT_DOUBLE_EQ(median({4, 1, 2, 3}), 2.5);
    EXPECT_DOUBLE_EQ(median({}), 0);
    EXPECT_DOUBLE_EQ(geometric_mean({2, 8}), 4);
    EXPECT_DOUBLE_EQ(geometric_mean({}), 0);
}

TEST(Machine, PeakCountsElementsPerRegister) {
    const Machine machine = measure_machine(1);
    EXPECT_GT(machine.peak_gflops, 0);
    EXPECT_GT(machine.copy_gb_per_s, 0);
    EXPECT_GE(machine.cores, 1);
    EXPECT_DOUBLE_EQ(peak_gflops(machine, 8), machine.peak_gflops / 2);
}

TEST(Machine, BusyMachineIsReported) {
    Machine machine;
    EXPECT_EQ(load_warning(machine), "");
    machine.busy_cores = 1.25;
    EXPECT_NE(load_warning(machine).find("1.25 cores"), std::string::npos);
}

/// A peer that returns zeros.
Peer wrong_peer() {
    return {"wrong", "1", [](const ConvDesc &desc, const OracleTensors &, int) -> PeerResult {
                const std::vector<int64_t> shape = output_shape(desc);
                return PreparedPeer{[] { ADD_FAILURE() << "a wrong peer was timed"; },
                                    [shape] { return Tensor(DType::F32, shape); }, ""};
            }};
}

/// A peer that returns what the oracle computes.
Peer oracle_peer() {
    return {"oracle", "1", [](const ConvDesc &desc, const OracleTensors &tensors, int) -> PeerResult {
                const auto compute = [desc, tensors] {
                    Tensor output(DType::F32, output_shape(desc));
                    for (int64_t i = 0; i < output.elements(); i++)
                        output.set(i, oracle_at(desc, tensors, i).value);
                    return output;
                };
                return PreparedPeer{[compute] { compute(); }, compute, "loops"};
            }};
}

Layer tiny_layer() {
    Layer layer;
    layer.name = "tiny";
    layer.desc = ConvDesc::parse("conv_ci8_i8x8_co16_k3_p1_bias_relu");
    layer.multiplicity = 2;
    return layer;
}

CompareOptions quick_options(std::vector<Peer> peers) {
    CompareOptions options;
    options.peers = std::move(peers);
    options.measure.rounds = 3;
    options.measure.block_ns = 1e4;
    return options;
}

JitOptions without_disk_cache() {
    JitOptions options;
    options.cache_dir = "-";
    return options;
}

TEST(Compare, WrongPeerIsReportedAndNotTimed) {
    Jit jit(without_disk_cache());
    const LayerResult result = compare_layer(jit, tiny_layer(), Machine(), quick_options({wrong_peer()}));
    EXPECT_TRUE(result.ok()) << result.failure;
    ASSERT_EQ(result.peers.size(), 1u);
    EXPECT_NE(result.peers[0].reason.find("wrong result"), std::string::npos) << result.peers[0].reason;
    EXPECT_EQ(result.peers[0].ns.rounds, 0);
}

TEST(Compare, TrainedValuesReplaceRandomOnes) {
    Layer layer = tiny_layer();
    auto filter = std::make_shared<Tensor>(DType::F32, filter_shape(layer.desc));
    fill(*filter, Fill::SmallIntegers, 3);
    layer.trained["filter"] = filter;
    const Problem problem = layer_problem(layer, 1);
    for (int64_t i = 0; i < filter->elements(); i++)
        ASSERT_EQ(problem["filter"].get(i), filter->get(i));
    layer.trained["filter"] = std::make_shared<Tensor>(DType::F32, std::vector<int64_t>{16, 8, 3, 2});
    EXPECT_THROW(layer_problem(layer, 1), Error);
}

TEST(Compare, OpenSizesAreRefused) {
    Layer layer = tiny_layer();
    layer.desc.n = 0;
    EXPECT_THROW(layer_problem(layer, 1), Error);
}

TEST(Report, JsonHasTheDocumentedFields) {
    Jit jit(without_disk_cache());
    Report report;
    report.machine = measure_machine(1);
    report.peers = {oracle_peer(), wrong_peer()};
    report.layers.push_back(compare_layer(jit, tiny_layer(), report.machine, quick_options(report.peers)));
    const auto json = to_json(report);

    EXPECT_TRUE(json.at("machine").is_object());
    EXPECT_EQ(json.at("threads"), 1);
    ASSERT_EQ(json.at("layers").size(), 1u);
    const auto &layer = json.at("layers")[0];
    EXPECT_EQ(layer.at("name"), "tiny");
    EXPECT_EQ(ConvDesc::parse(layer.at("key").get<std::string>()), tiny_layer().desc);
    EXPECT_EQ(layer.at("multiplicity"), 2);
    EXPECT_EQ(layer.at("plan").get<std::string>().rfind("direct/", 0), 0u);
    EXPECT_EQ(layer.at("ns").at("rounds"), 3);
    EXPECT_LE(layer.at("ns").at("min"), layer.at("ns").at("median"));
    EXPECT_GT(layer.at("gflops"), 0);
    EXPECT_GT(layer.at("percent_of_peak"), 0);
    EXPECT_TRUE(layer.at("max_error").is_number());

    const auto &oracle = layer.at("peers").at("oracle");
    EXPECT_GT(oracle.at("ratio"), 0);
    EXPECT_GT(oracle.at("ns").at("median"), 0);
    EXPECT_DOUBLE_EQ(json.at("geomean").at("oracle"), oracle.at("ratio").get<double>());
    EXPECT_GT(json.at("network").at("oracle"), 0);
    EXPECT_FALSE(layer.at("peers").contains("wrong"));
    EXPECT_FALSE(json.at("geomean").contains("wrong"));
    EXPECT_TRUE(layer.at("not_compared").at("wrong").is_string());
}

TEST(Report, NetworkTotalWeighsLayersByMultiplicity) {
    const auto layer = [](const std::string &name, int multiplicity, double ours, double peer) {
        LayerResult result;
        result.name = name;
        result.multiplicity = multiplicity;
        result.ns = {ours, ours, 1};
        result.peers = {{"oracle", "", "", {peer, peer, 1}, peer / ours}};
        return result;
    };
    const auto summaries =
        summarize({layer("fast", 3, 100, 400), layer("slow", 1, 100, 100)}, {oracle_peer()});
    ASSERT_EQ(summaries.size(), 1u);
    EXPECT_DOUBLE_EQ(summaries[0].geomean, 2);
    EXPECT_DOUBLE_EQ(summaries[0].network, (3 * 400 + 100) / 400.0);
    EXPECT_EQ(summaries[0].worst_layer, "slow");
    EXPECT_DOUBLE_EQ(summaries[0].worst_ratio, 1);
}

} // namespace
} // namespace convsmith::bench
