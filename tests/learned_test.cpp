// The learned strategy and what it learns from: trees, records of other problems, plans of similar ones.
#include "autotune/cost_model.h"
#include "autotune/effects.h"
#include "autotune/history.h"
#include "autotune/replay.h"
#include "autotune/strategy.h"
#include "tests/error_of.h"
#include "tests/record_samples.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace convsmith::autotune {
namespace {

/// y = |a - 3| + b over a grid, a third feature that means nothing.
TrainingSet sample_set() {
    TrainingSet set;
    for (int a = 0; a < 8; a++) {
        for (int b = 0; b < 8; b++) {
            set.features.add({static_cast<float>(a), static_cast<float>(b), static_cast<float>(a * b % 3)});
            set.labels.push_back(static_cast<float>(std::fabs(a - 3) + b));
            set.weights.push_back(1);
        }
    }
    return set;
}

TEST(CostModel, LearnsAFunctionOfSeveralFeatures) {
    const TrainingSet set = sample_set();
    double error = 0;
    for (const std::vector<float> &member : CostModel(set, 1).predict(set.features)) {
        ASSERT_EQ(member.size(), set.labels.size());
        for (size_t i = 0; i < member.size(); i++)
            error = std::max(error, std::fabs(static_cast<double>(member[i]) - set.labels[i]));
    }
    EXPECT_LT(error, 2); // of values up to 11
}

TEST(CostModel, SameSeedPredictsTheSameAndMembersDiffer) {
    const TrainingSet set = sample_set();
    const auto one = CostModel(set, 1).predict(set.features), again = CostModel(set, 1).predict(set.features);
    EXPECT_EQ(one, again);
    EXPECT_NE(one, CostModel(set, 2).predict(set.features));
    EXPECT_NE(one[0], one[1]);
}

TEST(CostModel, RefusesWhatItCannotLearnFrom) {
    EXPECT_NE(error_of([] { CostModel({}, 1); }).find("0 rows"), std::string::npos);
    TrainingSet set = sample_set();
    set.labels.pop_back();
    EXPECT_NE(error_of([&] { CostModel(set, 1); }).find("63 labels"), std::string::npos);
    set.labels.push_back(std::numeric_limits<float>::infinity());
    EXPECT_NE(error_of([&] { CostModel(set, 1); }).find("not finite"), std::string::npos);
    set = sample_set();
    set.weights[0] = 0;
    EXPECT_NE(error_of([&] { CostModel(set, 1); }).find("weight"), std::string::npos);
    EXPECT_NE(error_of([&] { set.features.add({1}); }).find("1 features, want 3"), std::string::npos);
    FeatureRows narrow;
    narrow.add({1, 2});
    const CostModel model(sample_set(), 1);
    EXPECT_NE(error_of([&] { model.predict(narrow); }).find("2 features, trained on 3"), std::string::npos);
}

/// The direct plans of a problem on AVX2 and a made-up cost: best where the rows are few, whatever arithmetic
/// says.
class LearnedTest : public ::testing::Test {
protected:
    static Space space_of(const std::string &key) {
        PlanRequest fixed;
        fixed.variant = "direct";
        fixed.schedule = "x86_avx2";
        return enumerate_space(ConvDesc::parse(key), parse_target("x86_avx2"), fixed);
    }

    static double cost_of(const Plan &plan) {
        const Params &p = plan.params;
        return 1 + std::fabs(p.at("co_vectors") - 1) + 0.2 * std::fabs(p.at("tile_p") - 3) +
               0.1 * std::fabs(p.at("rows") - 4);
    }

    /// Records of every `every`-th plan of a problem.
    static void record_all(Contents &contents, const std::string &key, size_t every = 1) {
        const Space space = space_of(key);
        for (size_t i = 0; i < space.plans.size(); i += every)
            add(contents, key, space.plans[i], cost_of(space.plans[i]));
    }

    static Record &add(Contents &contents, const std::string &key, const Plan &plan, double cost) {
        Record record = new_record(ConvDesc::parse(key), plan, 1);
        record.probe_ns = 1000;
        record.ns = {cost * 1000, cost * 1000, 9, 1};
        contents.lines.push_back({static_cast<int64_t>(contents.lines.size() + 1), "", record, ""});
        return *contents.lines.back().record;
    }

    static History history_of(const Contents &contents, const std::string &key) {
        return read_history({contents}, ConvDesc::parse(key), parse_target("x86_avx2"), 1);
    }

    /// The best cost among what a strategy tries first.
    static double best_of_first(Strategy &strategy, const Space &space, int batches) {
        double best = std::numeric_limits<double>::infinity();
        for (int batch = 0; batch < batches; batch++) {
            for (const size_t i : strategy.propose(8)) {
                const double cost = cost_of(space.plans[i]);
                strategy.learn(i, cost);
                best = std::min(best, cost);
            }
        }
        return best;
    }

    static constexpr const char *kKey = "conv_ci32_i14x14_co32_k3_p1";
    static constexpr const char *kNear = "conv_ci32_i14x14_co64_k3_p1_relu";
    static constexpr const char *kFar = "conv_ci512_i7x7_co512_k1";
};

TEST_F(LearnedTest, FindsTheBestOfASmoothSpaceInFewMeasurements) {
    const Space space = space_of(kKey);
    const ConvDesc desc = ConvDesc::parse(kKey);
    ASSERT_GT(space.plans.size(), 500u);
    const auto learned = strategy_info("learned").make(desc, space, 1, {});
    const auto analytic = strategy_info("analytic").make(desc, space, 1, {});
    constexpr int kBatches = 8;
    const double best = best_of_first(*learned, space, kBatches);
    EXPECT_LT(best, best_of_first(*analytic, space, kBatches));
    EXPECT_LE(best, 1.3);
}

TEST_F(LearnedTest, TimesOfOtherProblemsSaveMeasurements) {
    Contents contents;
    record_all(contents, kNear, 3);
    const Space space = space_of(kKey);
    const ConvDesc desc = ConvDesc::parse(kKey);
    const auto blind = strategy_info("learned").make(desc, space, 1, {});
    const auto taught = strategy_info("learned").make(desc, space, 1, history_of(contents, kKey));
    const double best = best_of_first(*taught, space, 1);
    EXPECT_LT(best, best_of_first(*blind, space, 1));
    EXPECT_LE(best, 1.5);
}

TEST_F(LearnedTest, EndsWhenNothingPromisesAGain) {
    const Space space = space_of(kKey);
    const auto learned = strategy_info("learned").make(ConvDesc::parse(kKey), space, 1, {});
    size_t measured = 0;
    for (;;) {
        const std::vector<size_t> batch = learned->propose(8);
        if (batch.empty())
            break;
        measured += batch.size();
        for (const size_t i : batch)
            learned->learn(i, 1 + 0.05 * static_cast<double>(i % 7)); // the planner's own is as good as any
    }
    EXPECT_GE(measured, 24u);
    EXPECT_LT(measured, space.plans.size() / 4);
}

TEST_F(LearnedTest, ReplaysAskForWhatWasRecorded) {
    Contents contents;
    record_all(contents, kKey, 3);
    add(contents, kFar, space_of(kFar).plans[3], 1); // too few to search
    const size_t plans = contents.lines.size() - 1;
    ReplayOptions options;
    options.strategy = "random";
    const std::vector<Replay> all = replay({contents}, options);
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].key, ConvDesc::parse(kKey).key());
    EXPECT_EQ(all[0].plans, plans);
    EXPECT_EQ(all[0].measured, plans);
    EXPECT_DOUBLE_EQ(all[0].ratio, 1);
    EXPECT_GT(all[0].until_near, 0u);
    EXPECT_LE(all[0].until_near, plans);
    EXPECT_DOUBLE_EQ(all[0].own_ratio, 0) << "the planner's own is a Winograd plan, which has no time";

    options.most = 40; // whole batches of 8, the first without the time of the planner's own plan
    options.strategy = "learned";
    const Replay learned = replay({contents}, options).at(0);
    EXPECT_EQ(learned.measured, 47u);
    EXPECT_LE(learned.ratio, 1.3);
    EXPECT_DOUBLE_EQ(replay({contents}, options).at(0).ratio, learned.ratio);

    record_all(contents, kNear, 3);
    options.strategy = "learned";
    options.is_warm = true;
    std::vector<Replay> warm = replay({contents}, options);
    ASSERT_EQ(warm.size(), 2u);
    EXPECT_LE(warm[0].until_near, 9u) << "the other problem's best plan is near this one's";
}

TEST_F(LearnedTest, ReplayRefusesWhatItCannotSearch) {
    ReplayOptions options;
    options.strategy = "random";
    Contents contents;
    record_all(contents, kKey, 200);
    ASSERT_LT(contents.lines.size(), 10u);
    const std::string text = error_of([&] { replay({contents}, options); });
    EXPECT_NE(text.find("at least 10"), std::string::npos) << text;
    options.strategy = "lucky";
    record_all(contents, kKey, 3);
    EXPECT_NE(error_of([&] { replay({contents}, options); }).find("lucky"), std::string::npos);
}

TEST_F(LearnedTest, PlansOfTheNearestProblemComeFirst) {
    const Space near = space_of(kNear), space = space_of(kKey);
    // One number differs from what the schedule derives: that one is taken over.
    Plan best = near.plans[0];
    best.params["rows"] = best.params["rows"] == 7 ? 2 : 7;
    Contents contents;
    add(contents, kNear, near.plans[0], 2);
    add(contents, kNear, best, 1);
    add(contents, kFar, space_of(kFar).plans[3], 1);
    const History history = history_of(contents, kKey);
    ASSERT_EQ(history.size(), 2u);
    EXPECT_LT(history[0].distance, history[1].distance);
    EXPECT_DOUBLE_EQ(history[0].own_cost, 1.5); // the median: the planner's own is a Winograd plan
    const std::vector<size_t> first = plans_to_begin_with(ConvDesc::parse(kKey), space, history, 8);
    ASSERT_FALSE(first.empty());
    Plan expected = space.plans[0];
    expected.params["rows"] = best.params["rows"];
    EXPECT_EQ(space.plans[first[0]].text(), expected.text());
    EXPECT_LE(plans_to_begin_with(ConvDesc::parse(kKey), space, history, 1).size(), 1u);

    const auto random = begin_with(first, strategy_info("random").make(ConvDesc::parse(kKey), space, 1, {}));
    std::vector<size_t> all = random->propose(space.plans.size() + 1);
    EXPECT_TRUE(std::equal(first.begin(), first.end(), all.begin()));
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all.size(), space.plans.size());
    EXPECT_TRUE(std::adjacent_find(all.begin(), all.end()) == all.end());
}

TEST_F(LearnedTest, HistoryLeavesOutWhatDoesNotFit) {
    const Plan plan = space_of(kNear).plans[0];
    const auto is_left_out = [&](const std::function<void(Record &)> &change) {
        Contents contents;
        change(add(contents, kNear, plan, 1));
        return history_of(contents, kKey).empty();
    };
    EXPECT_FALSE(is_left_out([](Record &) {}));
    EXPECT_TRUE(is_left_out([](Record &r) { r.key = ConvDesc::parse(kKey).key(); }));
    EXPECT_TRUE(is_left_out([](Record &r) { r.status = Status::WrongResult; }));
    EXPECT_TRUE(is_left_out([](Record &r) { r.status = Status::Timeout; }));
    EXPECT_TRUE(is_left_out([](Record &r) { r.target = parse_target("x86_avx512").halide; }));
    EXPECT_TRUE(is_left_out([](Record &r) { r.threads = 2; }));
    EXPECT_TRUE(is_left_out([](Record &r) { r.params["rows"] = -1; }));
    EXPECT_TRUE(is_left_out([](Record &r) { r.schedule = "of_yesterday"; }));
    EXPECT_TRUE(is_left_out([](Record &r) { r.key = "convolution_of_tomorrow"; }));
    EXPECT_TRUE(is_left_out([](Record &r) { r.key = ConvDesc::parse("maxpool_ci8_i9x9_k3").key(); }));
}

TEST_F(LearnedTest, WrongPlansAreNoExamples) {
    const Plan plan = space_of(kNear).plans[0];
    Contents contents;
    add(contents, kNear, plan, 1);
    Record &elsewhere = add(contents, kNear, plan, 1);
    elsewhere.hardware.cpu = "another";
    elsewhere.status = Status::WrongResult;
    EXPECT_TRUE(history_of(contents, kKey).empty());
}

TEST(Effects, AreFiniteForEveryPlanOfEveryClass) {
    for (const char *key :
         {"conv_ci64_i14x14_co64_k3_p1", "conv_ci32_i9x9_co32_k3_p1_g32", "conv_ci8_i9x9_co8_k3_p1_g8_nchw",
          "deconv_ci16_i5x5_co16_k3_s2_p1", "deform_ci16_i9x9_co16_k3_p1", "maxpool_ci8_i9x9_k3_s2",
          "conv_ci8_i6x6_co8_k3_p1_g8_then_conv_co16_k1", "conv_ci24_i7x7_co48_k3_p1_g4",
          "conv_ci16_i40_co16_k5_p2", "conv_ci16_i4x8x8_co16_k3_p1", "conv_ci256_i1x1_co1000_k1",
          "concat_ci16_i9x9_of_conv_co8_k1_and_maxpool_k3_p1"}) {
        const ConvDesc desc = ConvDesc::parse(key);
        const Target target = parse_target("x86_avx2");
        PlanAnalysis analysis(desc, target);
        for (const Plan &plan : enumerate_space(desc, target).plans) {
            const std::vector<float> features = analysis.features(plan);
            ASSERT_EQ(features.size(), feature_count()) << key;
            for (const float feature : features)
                ASSERT_TRUE(std::isfinite(feature)) << key << ": " << plan.text();
        }
    }
}

} // namespace
} // namespace convsmith::autotune
