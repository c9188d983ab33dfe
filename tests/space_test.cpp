// The candidates of a tuning run: legal, distinct, complete, in the same order each time.
#include "autotune/capacity.h"
#include "autotune/effects.h"
#include "autotune/space.h"
#include "tests/error_of.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace convsmith::autotune {
namespace {

constexpr const char *kDense = "conv_ci64_i14x14_co64_k3_p1";

Space space_of(const std::string &key, const std::string &target = "x86_avx2",
               const PlanRequest &fixed = {}) {
    return enumerate_space(ConvDesc::parse(key), parse_target(target), fixed);
}

std::set<std::string> pairs_of(const Space &space) {
    std::set<std::string> pairs;
    for (const Plan &plan : space.plans)
        pairs.insert(plan.variant + "/" + plan.schedule);
    return pairs;
}

class SpaceOf : public ::testing::TestWithParam<const char *> {};

TEST_P(SpaceOf, EveryPlanIsLegalAndDistinct) {
    for (const char *key : {kDense, "conv_ci32_i9x9_co32_k3_p1_g32", "deconv_ci16_i5x5_co16_k3_s2_p1",
                            "maxpool_ci8_i9x9_k3_s2", "conv_ci16_i6x6_co16_k3_p1_g16_then_conv_co16_k1",
                            "conv_ci24_i7x7_co48_k3_p1_g4", "conv_ci256_i14x14_co256_k1"}) {
        const ConvDesc desc = ConvDesc::parse(key);
        const Space space = space_of(key, GetParam());
        std::set<std::string> texts;
        for (const Plan &plan : space.plans) {
            EXPECT_TRUE(texts.insert(plan.text()).second) << key << ": " << plan.text() << " twice";
            PlanRequest request;
            request.variant = plan.variant;
            request.schedule = plan.schedule;
            request.params = plan.params;
            EXPECT_EQ(make_plan(desc, plan.target, request).plan.text(), plan.text()) << key;
        }
        EXPECT_GT(space.plans.size(), 1u) << key;
    }
}

INSTANTIATE_TEST_SUITE_P(Targets, SpaceOf, ::testing::Values("x86_avx2", "x86_avx512"),
                         [](const auto &info) { return std::string(info.param); });

TEST(Space, FirstPlanIsThePlannersOwn) {
    const Space space = space_of(kDense);
    EXPECT_EQ(space.plans.front().text(),
              make_plan(ConvDesc::parse(kDense), parse_target("x86_avx2")).plan.text());
}

TEST(Space, HoldsEveryVariantAndScheduleThatTakesTheProblem) {
    EXPECT_EQ(pairs_of(space_of(kDense)), (std::set<std::string>{"direct/generic", "direct/x86_avx2",
                                                                 "winograd/generic", "winograd/x86_avx2"}));
    EXPECT_EQ(pairs_of(space_of(kDense, "arm_neon")),
              (std::set<std::string>{"direct/generic", "direct/arm_neon", "winograd/generic",
                                     "winograd/arm_neon"}));
    EXPECT_EQ(pairs_of(space_of(kDense, "x86_64")),
              (std::set<std::string>{"direct/generic", "winograd/generic"}));
    EXPECT_EQ(pairs_of(space_of("conv_n0_ci64_i0x0_co64_k3_p1")), (std::set<std::string>{"direct/generic"}));
}

TEST(Space, WinogradKeepsNoMoreChannelsThanThereAre) {
    const Space space = space_of(kDense);
    for (const Plan &plan : space.plans) {
        if (plan.variant == "winograd" && plan.schedule == "x86_avx2" && plan.params.at("co_blocks") > 1) {
            EXPECT_LE(plan.params.at("co_blocks") * plan.params.at("co_vectors") * 8, 64) << plan.text();
        }
    }
    EXPECT_GT(
        space.rejected.at("x86_avx2 winograd: co_blocks x co_vectors keeps N channels, the problem has N"),
        0);
}

TEST(Space, RejectionsAreCountedByReason) {
    const Space space = space_of(kDense);
    const auto registers =
        space.rejected.find("x86_avx2 direct: co_vectors x tile_p needs N registers, the target has N");
    ASSERT_NE(registers, space.rejected.end());
    EXPECT_GT(registers->second, 100);
    for (const auto &[reason, count] : space.rejected)
        EXPECT_EQ(reason.find("conv_n1"), std::string::npos)
            << reason; // else every problem has reasons of its own
    EXPECT_GT(total(space.rejected), registers->second);
}

TEST(Space, TilesThatComputeTwiceWhatIsWantedAreRejected) {
    // 7 positions a row of one, 8 channels: tiles of 16 and 24 positions or 3 vectors are mostly waste.
    const std::string key = "conv_ci32_i7_co8_k1";
    const ConvDesc desc = ConvDesc::parse(key);
    const Space space = space_of(key);
    const auto waste = std::find_if(space.rejected.begin(), space.rejected.end(),
                                    [](const auto &row) { return row.first.rfind("tile waste", 0) == 0; });
    ASSERT_NE(waste, space.rejected.end());
    EXPECT_GT(waste->second, 3);
    for (const Plan &plan : space.plans)
        EXPECT_LE(tile_waste(desc, plan), 2) << plan.text();

    PlanRequest request; // 3 vectors for one
    request.params = {{"co_vectors", 3}, {"tile_p", 4}};
    const Plan wide = make_plan(desc, parse_target("x86_avx2"), request).plan;
    EXPECT_DOUBLE_EQ(tile_waste(desc, wide), 3 * 8.0 / 7);
    EXPECT_NE(over_waste(desc, wide, space.plans.front()), "");
    EXPECT_EQ(over_waste(desc, wide, wide), "") << "what the schedule derives is never refused";
}

TEST(Space, BlocksFarBeyondTheCachesAreRejected) {
    const std::string wide = "conv_ci256_i112x112_co64_k3_p1"; // 112 rows of 114 x 256: 13 MB
    const ConvDesc desc = ConvDesc::parse(wide);
    const Space space = space_of(wide);
    const auto beyond = space.rejected.find("L2 block: a block keeps N KiB, more than N x N KiB");
    ASSERT_NE(beyond, space.rejected.end());
    EXPECT_GT(beyond->second, 10);
    for (size_t i = 1; i < space.plans.size(); i++)
        EXPECT_LE(block_bytes(desc, space.plans[i]), int64_t{8} * space.plans[i].target.l2_bytes)
            << space.plans[i].text();
    for (const auto &[reason, count] : space_of(kDense).rejected)
        EXPECT_EQ(reason.find("L2 block"), std::string::npos) << "56 rows of 58 x 64 fit";

    const Space planes = space_of("conv_ci64_i512x512_co64_k3_p1_g64_nchw");
    EXPECT_EQ(planes.rejected.count("L1 panel: a block keeps N KiB, more than N x N KiB"), 1u);
}

TEST(Space, ExactAccuracyLeavesOutApproximateVariants) {
    PlanRequest exact;
    exact.accuracy = Accuracy::Exact;
    EXPECT_EQ(pairs_of(space_of(kDense, "x86_avx2", exact)),
              (std::set<std::string>{"direct/generic", "direct/x86_avx2"}));
}

TEST(Space, WhatIsFixedStays) {
    PlanRequest fixed;
    fixed.variant = "direct";
    fixed.schedule = "x86_avx2";
    fixed.params["rows"] = 7;
    const Space space = space_of(kDense, "x86_avx2", fixed);
    EXPECT_GT(space.plans.size(), 10u);
    for (const Plan &plan : space.plans) {
        EXPECT_EQ(plan.variant, "direct");
        EXPECT_EQ(plan.params.at("rows"), 7);
    }
    fixed.params["no_such"] = 1;
    EXPECT_NE(error_of([&] { space_of(kDense, "x86_avx2", fixed); }).find("no_such"), std::string::npos);
}

TEST(Space, SameArgumentsGiveTheSameOrder) {
    const Space one = space_of(kDense), other = space_of(kDense);
    ASSERT_EQ(one.plans.size(), other.plans.size());
    EXPECT_TRUE(std::equal(one.plans.begin(), one.plans.end(), other.plans.begin(),
                           [](const Plan &a, const Plan &b) { return a.text() == b.text(); }));
    EXPECT_EQ(one.rejected, other.rejected);
}

} // namespace
} // namespace convsmith::autotune
