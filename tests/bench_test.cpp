// Tests of the judge of speed: the measuring protocol under a made-up clock, and the report of a tiny real
// run. The peers are in peers_test.cpp.
#include "autotune/measure.h"
#include "bench/charts.h"
#include "bench/layer_class.h"
#include "bench/machine.h"
#include "bench/page.h"
#include "bench/report.h"
#include "bench/svg.h"
#include "generators/conv_shape.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <set>

namespace convsmith::bench {
namespace {

using autotune::geometric_mean;
using autotune::measure;
using autotune::median;
using autotune::quartile_spread;

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

TEST(Measure, IdleTimeIsNotTimed) {
    FakeClock clock;
    MeasureOptions options = clock.options(2);
    options.idle_ns = 1e6;
    const auto start = std::chrono::steady_clock::now();
    const auto results =
        measure({{"one", [&] { clock.ns += 100; }}, {"two", [&] { clock.ns += 100; }}}, options);
    EXPECT_GE(std::chrono::steady_clock::now() - start,
              std::chrono::milliseconds(6)); // each once, and in 2 rounds
    EXPECT_DOUBLE_EQ(results[1].ns.median, 100);
}

TEST(Measure, ABlockWhoseThreadsWaitForCoresIsTakenAgain) {
    // Calls take three times as long while another thread has the core, which it does for each contestant's
    // first two blocks of a round.
    FakeClock clock;
    double waited = 0;
    int blocks = 0; // of one contestant in one round; settling calls come before each
    bool is_settling = true;
    MeasureOptions options = clock.options(5);
    options.block_ns = 1;
    options.run_delay_ns = [&](pid_t process) {
        EXPECT_EQ(process, 0);
        is_settling = !is_settling;
        return waited;
    };
    const auto disturbed = [&](double ns) {
        return [&, ns] {
            const bool is_alone = is_settling || ++blocks % 3 == 0;
            clock.ns += is_alone ? ns : 3 * ns;
            waited += is_alone ? 0 : ns;
        };
    };
    const auto results = measure({{"ours", disturbed(100)}, {"peer", disturbed(150)}}, options);
    EXPECT_EQ(blocks, 5 * 2 * 3);
    EXPECT_DOUBLE_EQ(results[0].ns.median, 100);
    EXPECT_DOUBLE_EQ(results[0].ns.spread, 0);
    EXPECT_DOUBLE_EQ(results[1].ratio, 1.5);
}

TEST(Measure, ABlockThatIsAlwaysDisturbedIsStillATime) {
    FakeClock clock;
    double waited = 0;
    MeasureOptions options = clock.options(2);
    options.run_delay_ns = [&](pid_t) { return waited; };
    const auto results = measure({{"one",
                                   [&] {
                                       clock.ns += 100;
                                       waited += 90;
                                   }}},
                                 options);
    EXPECT_DOUBLE_EQ(results[0].ns.median, 100);
}

TEST(Measure, BlocksOfAnotherProcessAreTimedThere) {
    FakeClock clock;
    const Contestant elsewhere = {"elsewhere", [] {},
                                  [&](int64_t calls) {
                                      clock.ns += 1e6; // what it takes to ask is not part of it
                                      return 50.0 * static_cast<double>(calls);
                                  }};
    const std::vector<Measured> results =
        measure({{"ours", [&] { clock.ns += 100; }}, elsewhere}, clock.options(5));
    EXPECT_DOUBLE_EQ(results[1].ns.median, 50);
    EXPECT_DOUBLE_EQ(results[1].ratio, 0.5);
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

TEST(Statistics, SpreadIsTheDistanceOfTheQuartilesInPercentOfTheMedian) {
    EXPECT_DOUBLE_EQ(quartile_spread({100, 300, 200, 400, 500}), 100 * (400 - 200) / 300.0);
    EXPECT_DOUBLE_EQ(quartile_spread({10, 20}), 100 * (17.5 - 12.5) / 15);
    EXPECT_DOUBLE_EQ(quartile_spread({7, 7, 7}), 0);
    EXPECT_DOUBLE_EQ(quartile_spread({}), 0);
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
    EXPECT_GE(layer.at("ns").at("spread"), 0);
    EXPECT_EQ(layer.at("bytes"), byte_count(tiny_layer().desc));
    EXPECT_GT(layer.at("percent_of_bandwidth"), 0);
    EXPECT_GT(layer.at("gflops"), 0);
    EXPECT_GT(layer.at("percent_of_peak"), 0);
    EXPECT_TRUE(layer.at("max_error").is_number());

    const auto &oracle = layer.at("peers").at("oracle");
    EXPECT_GT(oracle.at("ratio"), 0);
    EXPECT_GT(oracle.at("ns").at("median"), 0);
    EXPECT_DOUBLE_EQ(json.at("geomean").at("oracle"), oracle.at("ratio").get<double>());
    EXPECT_GT(json.at("network").at("oracle"), 0);
    EXPECT_EQ(layer.at("best_peer").at("name"), "oracle");
    EXPECT_EQ(json.at("worst").at("oracle").at("layer"), "tiny");
    EXPECT_DOUBLE_EQ(json.at("best_peer").at("geomean"), oracle.at("ratio").get<double>());
    EXPECT_FALSE(layer.at("peers").contains("wrong"));
    EXPECT_FALSE(json.at("geomean").contains("wrong"));
    EXPECT_TRUE(layer.at("not_compared").at("wrong").is_string());
}

/// A layer timed by a made-up clock; a peer's time of 0 means it was not compared.
LayerResult timed_layer(const std::string &name, int multiplicity, double ours,
                        const std::vector<std::pair<std::string, double>> &peers) {
    LayerResult result;
    result.name = name;
    result.desc = tiny_layer().desc;
    result.multiplicity = multiplicity;
    result.ns = {ours, ours, 1};
    result.gflops = 2e3 / ours;
    result.bytes = 100;
    for (const auto &[peer, ns] : peers)
        result.peers.push_back({peer, ns > 0 ? "" : "no <such> layer", "", {ns, ns, 1}, ns / ours});
    return result;
}

TEST(Report, NetworkTotalWeighsLayersByMultiplicity) {
    const auto summaries = summarize(
        {timed_layer("fast", 3, 100, {{"oracle", 400}}), timed_layer("slow", 1, 100, {{"oracle", 100}})},
        {oracle_peer()});
    ASSERT_EQ(summaries.size(), 1u);
    EXPECT_DOUBLE_EQ(summaries[0].geomean, 2);
    EXPECT_DOUBLE_EQ(summaries[0].network, (3 * 400 + 100) / 400.0);
    EXPECT_EQ(summaries[0].worst_layer, "slow");
    EXPECT_DOUBLE_EQ(summaries[0].worst_ratio, 1);
}

TEST(Report, BestPeerIsChosenLayerByLayer) {
    const PeerSummary best = summarize_best({timed_layer("a", 1, 100, {{"x", 400}, {"y", 200}}),
                                             timed_layer("b", 2, 100, {{"x", 50}, {"y", 0}}),
                                             timed_layer("c", 1, 100, {{"x", 0}, {"y", 0}})});
    EXPECT_EQ(best.layers, 2);
    EXPECT_DOUBLE_EQ(best.geomean, 1);
    EXPECT_DOUBLE_EQ(best.network, (200 + 2 * 50) / 300.0);
    EXPECT_EQ(best.worst_layer, "b");
    EXPECT_EQ(timed_layer("c", 1, 100, {{"x", 0}}).best_peer(), nullptr);
}

TEST(Report, EveryClassAndNetworkHasItsOwnSum) {
    std::vector<LayerResult> layers = {timed_layer("a", 1, 100, {{"x", 400}}),
                                       timed_layer("b", 1, 100, {{"x", 100}}), timed_layer("c", 1, 50, {})};
    layers[0].desc = ConvDesc::parse("conv_ci64_i8x8_co64_k3_p1");
    layers[2].desc = ConvDesc::parse("maxpool_ci8_i8x8_k2_s2");
    const auto classes = summarize_classes(layers);
    ASSERT_EQ(classes.size(), 3u);
    EXPECT_EQ(classes[0].name, "3x3 stride 1, 32 or more channels");
    EXPECT_DOUBLE_EQ(classes[0].best.geomean, 4);
    EXPECT_DOUBLE_EQ(classes[1].best.geomean, 1);
    EXPECT_EQ(classes[2].name, "pool");
    EXPECT_EQ(classes[2].layers, 1);
    EXPECT_EQ(classes[2].best.layers, 0) << "no peer ran it";

    const auto networks = summarize_networks(layers, {{"both", {3, 1, 0}}, {"second", {0, 1}}});
    ASSERT_EQ(networks.size(), 2u);
    EXPECT_EQ(networks[0].layers, 2);
    EXPECT_DOUBLE_EQ(networks[0].our_ns, 400);
    EXPECT_DOUBLE_EQ(networks[0].best.network, 1300 / 400.0);
    EXPECT_EQ(networks[1].layers, 1);
    EXPECT_DOUBLE_EQ(networks[1].best.network, 1);

    Report report;
    report.layers = layers;
    report.networks = {{"both", {3, 1, 0}}, {"second", {0, 1}}};
    const auto json = to_json(report);
    EXPECT_DOUBLE_EQ(json.at("classes").at(classes[0].name).at("best_peer").at("geomean"), 4);
    EXPECT_DOUBLE_EQ(json.at("networks").at("both").at("ns"), 400);
    for (const std::string &text : {summary_text(report), html_page(report)})
        for (const char *name : {"both", "second", "pool"})
            EXPECT_NE(text.find(name), std::string::npos) << name << " in " << text;
}

TEST(LayerClass, IsTheFirstThatHolds) {
    const std::vector<std::pair<const char *, const char *>> cases = {
        {"conv_ci64_i8x8_co64_k3_p1", "3x3 stride 1, 32 or more channels"},
        {"conv_ci64_i8x8_co64_k3_p1_s2", "other dense"},
        {"conv_ci16_i8x8_co64_k3_p1", "other dense"},
        {"conv_ci64_i8x8_co64_k3_p1_reflect", "1D, 3D,"},
        {"conv_ci64_i8x8_co64_k3_p0x0x1x1", "1D, 3D,"},
        {"conv_ci64_i8x8_co64_k3_p1_g2", "1D, 3D,"},
        {"conv_ci64_i8_co64_k3_p1", "1D, 3D,"},
        {"conv_ci64_i1_co64_k1", "other dense"},
        {"deconv_ci64_i8x8_co64_k2_s2", "1D, 3D,"},
        {"conv_ci64_i8x8_co64_k3_p1_g64", "depthwise"},
        {"conv_ci64_i8x8_co64_k3_p1_g64_then_conv_co8_k1", "composite"},
        {"avgpool_ci64_i8x8_k2_s2", "pool"},
        {"identity_ci64_i8x8_relu", "other"},
    };
    for (const auto &[key, name] : cases) {
        EXPECT_EQ(layer_class(ConvDesc::parse(key)).rfind(name, 0), 0u) << key;
        EXPECT_EQ(
            std::count(layer_classes().begin(), layer_classes().end(), layer_class(ConvDesc::parse(key))), 1);
    }
}

int count(const std::string &text, const std::string &part) {
    int found = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
        found++;
    return found;
}

Report made_up_report() {
    Report report;
    report.title = "a <network>";
    report.machine.peak_gflops = 100;
    report.machine.copy_gb_per_s = 10;
    report.peers = {oracle_peer(), wrong_peer()};
    report.layers = {timed_layer("first & last", 1, 100, {{"oracle", 123}, {"wrong", 50}}),
                     timed_layer("second", 2, 50, {{"oracle", 100}, {"wrong", 0}})};
    report.layers.push_back(timed_layer("third", 1, 10, {}));
    report.layers.back().failure = "output[0]: got 1, want 2";
    return report;
}

TEST(Page, EveryRatioOfThePictureIsInTheTable) {
    const std::string page = html_page(made_up_report());
    for (const char *ratio : {"1.23", "0.50", "2.00"}) {
        EXPECT_NE(page.find(std::string(">") + ratio + "</text>"), std::string::npos) << ratio;
        EXPECT_NE(page.find(std::string(">") + ratio + "</td>"), std::string::npos) << ratio;
    }
    EXPECT_EQ(count(page, "class=\"value\""), 3);
    EXPECT_EQ(count(page, "class=\"ours\""), 4); // both rooflines have every layer that was timed
    EXPECT_NE(page.find("got 1, want 2"), std::string::npos);
}

TEST(Page, RefersToNothingOutsideItselfAndRunsNoScripts) {
    const std::string page = html_page(made_up_report());
    for (const char *part :
         {"<script", "http:", "https:", "src=", "url(", "@import", "<network>", "first & last"})
        EXPECT_EQ(page.find(part), std::string::npos) << part;
    for (const char *part :
         {"a &lt;network&gt;", "first &amp; last", "no &lt;such&gt; layer", "prefers-color-scheme: dark"})
        EXPECT_NE(page.find(part), std::string::npos) << part;
    for (const char *tag : {"svg", "section", "table", "td", "th", "div", "text", "p"})
        EXPECT_EQ(count(page, fmt::format("<{}>", tag)) + count(page, fmt::format("<{} ", tag)),
                  count(page, fmt::format("</{}>", tag)))
            << tag;
}

TEST(Page, WithoutPeersHasNoRatios) {
    Report report = made_up_report();
    report.peers.clear();
    for (LayerResult &layer : report.layers)
        layer.peers.clear();
    const std::string page = html_page(report);
    EXPECT_EQ(ratio_chart(report), "");
    EXPECT_EQ(page.find("Time of each peer"), std::string::npos);
    EXPECT_NE(page.find("Every layer"), std::string::npos);
}

TEST(Page, LongNamesKeepBothEnds) {
    EXPECT_EQ(short_name("layer1.0.conv1", 30), "layer1.0.conv1");
    const std::string name = short_name("conv_n1_ci64_i56x56_co64_bias_relu", 11);
    EXPECT_EQ(name, "conv_\u2026_relu");
}

} // namespace
} // namespace convsmith::bench
