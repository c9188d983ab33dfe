// Which schedule the planner takes with which numbers, why not another, and what it refuses. What LLVM makes
// of the plans: schedule_test.cpp.
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "schedules/cpu/tiles.h"
#include "schedules/plan.h"
#include "tests/error_of.h"

#include <gtest/gtest.h>

namespace convsmith {
namespace {

/// Why a variant, or a variant's schedule, was not taken; empty if it was not refused.
std::string reason_of(const PlanChoice &choice, const std::string &schedule) {
    for (const Rejection &rejection : choice.rejected) {
        if (rejection.schedule == schedule)
            return rejection.reason;
    }
    return "";
}

TEST(Planner, TakesTheTunedScheduleOnItsTarget) {
    const ConvDesc desc = ConvDesc::parse("conv_ci64_i56x56_co64_k7x7_p3");
    const PlanChoice choice = make_plan(desc, parse_target("x86_avx2"));
    EXPECT_EQ(choice.plan.schedule, "x86_avx2");
    EXPECT_EQ(choice.source, "default");
    EXPECT_EQ(choice.rejected.size(), 4u) << "the special variants of conv";
    EXPECT_EQ(reason_of(choice, "pointwise"), "takes conv with a kernel of 1, one group, no padding");
}

TEST(Planner, FallsBackVisiblyOnOtherTargets) {
    const ConvDesc desc = ConvDesc::parse("conv_ci64_i56x56_co64_k3x3_p1");
    const PlanChoice choice = make_plan(desc, parse_target("x86-64-linux"));
    EXPECT_EQ(choice.plan.schedule, "generic");
    EXPECT_EQ(reason_of(choice, "direct/x86_avx2"), "tuned for target x86_avx2, not x86_64");
}

TEST(Planner, JoinsGroupsOfFewChannels) {
    const auto plan = [](const char *key) {
        return make_plan(ConvDesc::parse(key), parse_target("x86_avx2")).plan;
    };
    EXPECT_EQ(plan("conv_ci32_i56x56_co32_k3x3_p1_g8").text(),
              "joined/x86_avx2/co_vectors=1,rows=56,tile_p=8,unroll_ci=4");
    EXPECT_EQ(plan("conv_n2_ci272_i14x14_co272_k1_g4").params.at("co_vectors"), 2)
        << "groups of 68: few blocks span two";
    EXPECT_EQ(plan("conv_ci64_i28x28_co64_k3_p1_g8").variant, "direct") << "whole vectors: nothing to join";
}

TEST(Planner, GivesTheRowsBetweenAPairHalfOfL2) {
    const Target target = parse_target("x86_avx2");
    const PlanChoice pair =
        make_plan(ConvDesc::parse("conv_ci64_i224x224_co64_k3_p1_g64_relu6_then_conv_co64_k1_bias"), target);
    EXPECT_EQ(pair.plan.text(), "chain/x86_avx2/co_vectors=2,rows=4") << "56 KiB a row";
    const PlanChoice grouped =
        make_plan(ConvDesc::parse("conv_ci64_i28x28_co64_k3_p1_g4_then_conv_co64_k1"), target);
    EXPECT_EQ(grouped.plan.schedule, "generic");
    EXPECT_EQ(reason_of(grouped, "chain/x86_avx2"), "grouped convolution");
}

TEST(Planner, GivesEveryRowOfChannelwiseOpsToOneTask) {
    for (const int height : {7, 13, 56, 57, 111, 112, 113}) {
        const std::string depthwise = "conv_ci32_i" + std::to_string(height) + "x112_co32_k3x3_p1_g32_bias";
        for (const std::string &key : {depthwise, depthwise + "_then_conv_co64_k1x1"}) {
            for (const int asked : {0, 5, 20, 1000}) {
                PlanRequest request;
                request.params = {{"rows", asked}};
                const Plan plan = make_plan(ConvDesc::parse(key), parse_target("x86_avx2"), request).plan;
                EXPECT_EQ(plan.schedule, "x86_avx2") << key;
                EXPECT_EQ(height % plan.params.at("rows"), 0) << key << ", asked for " << asked;
            }
        }
    }
    EXPECT_EQ(cpu::choose_task_rows(112, 20, 2), 16);
    EXPECT_EQ(cpu::choose_task_rows(112, 27, 2), 28);
    EXPECT_EQ(cpu::choose_task_rows(112, 1, 2), 2);
    EXPECT_EQ(cpu::choose_task_rows(113, 20, 2), 113);
}

TEST(Planner, SaysWhyAProblemIsNotTuned) {
    const Target target = parse_target("x86_avx2");
    const PlanChoice grouped = make_plan(ConvDesc::parse("conv_ci32_i56x56_co4_k3x3_p1_g2"), target);
    EXPECT_EQ(grouped.plan.schedule, "generic");
    EXPECT_NE(reason_of(grouped, "direct/x86_avx2").find("co per group is 2"), std::string::npos);
    EXPECT_NE(reason_of(grouped, "joined/x86_avx2").find("co is 4"), std::string::npos);
    const PlanChoice depthwise = make_plan(ConvDesc::parse("conv_ci6_i56x56_co6_k3x3_p1_g6"), target);
    EXPECT_EQ(depthwise.plan.schedule, "generic");
    EXPECT_NE(reason_of(depthwise, "depthwise/x86_avx2").find("co = 6"), std::string::npos);
    const PlanChoice open = make_plan(ConvDesc::parse("conv_n0_ci32_i0x0_co32_k3x3_p1"), target);
    EXPECT_EQ(open.plan.schedule, "generic");
    EXPECT_NE(reason_of(open, "direct/x86_avx2").find("open extents"), std::string::npos);
}

/// What make_plan says of a request that it refuses.
std::string plan_error(const char *key, const PlanRequest &request, ErrorCode code = ErrorCode::BadArgument) {
    return error_of([&] { make_plan(ConvDesc::parse(key), parse_target("x86_avx2"), request); }, code);
}

TEST(Planner, TakesTheMostSpecialVariant) {
    const struct {
        const char *key, *variant;
    } rows[] = {
        {"conv_ci16_i8x8_co32_k1", "pointwise"},      {"conv_ci16_i8x8_co32_k1_s2", "pointwise"},
        {"conv_ci16_i8x8_co32_k1_p1", "direct"},      {"conv_ci16_i8x8_co32_k1_g2", "direct"},
        {"conv_ci16_i8x8_co32_k3_p1", "direct"},      {"conv_ci16_i8x8_co32_k3_g16", "depthwise"},
        {"conv_ci1_i8x8_co1_k3", "direct"},           {"deconv_ci4_i8x8_co4_k3_s2", "transposed"},
        {"deform_ci4_i8x8_co4_k3", "deformable"},     {"maxpool_ci4_i8x8_k2_s2", "max_pool"},
        {"avgpool_ci4_i8x8_k2_s2", "average_pool"},   {"lppool_ci4_i8x8_k2_s2", "lp_pool"},
        {"identity_ci4_i8x8_p1_reflect", "identity"},
    };
    for (const auto &row : rows) {
        for (const char *target : {"x86_avx2", "arm_neon"})
            EXPECT_EQ(make_plan(ConvDesc::parse(row.key), parse_target(target)).plan.variant, row.variant)
                << row.key;
    }
    PlanRequest request;
    request.variant = "direct";
    EXPECT_EQ(make_plan(ConvDesc::parse("conv_ci16_i8x8_co32_k1"), host_target(), request).plan.variant,
              "direct");
    request.variant = "max_pool";
    EXPECT_NE(plan_error("conv_ci16_i8x8_co32_k1", request, ErrorCode::Unsupported)
                  .find("max_pool: takes any maxpool"),
              std::string::npos);
}

TEST(Planner, ExplicitRequestIsItsSource) {
    PlanRequest request;
    request.schedule = "generic";
    const PlanChoice choice =
        make_plan(ConvDesc::parse("conv_ci64_i8x8_co64_k3x3"), parse_target("x86_avx2"), request);
    EXPECT_EQ(choice.plan.schedule, "generic");
    EXPECT_EQ(choice.source, "explicit");
}

TEST(Planner, NamesUnknownSchedulesAndParameters) {
    PlanRequest request;
    request.schedule = "fastest";
    EXPECT_EQ(plan_error("conv_ci64_i8x8_co64_k3x3", request),
              "schedule: got 'fastest', want one of x86_avx2, x86_avx512, arm_neon, arm_a55, arm_apple, "
              "generic, cuda, "
              "opencl");
    request.schedule = "x86_avx2";
    request.params = {{"tile_q", 3}};
    EXPECT_EQ(plan_error("conv_ci64_i8x8_co64_k3x3", request),
              "parameter 'tile_q': schedule x86_avx2 has none of that name");
}

TEST(Planner, RefusesATileThatDoesNotFitTheRegisters) {
    PlanRequest request;
    request.schedule = "x86_avx2";
    request.params = {{"co_vectors", 2}, {"tile_p", 8}};
    EXPECT_EQ(plan_error("conv_ci64_i8x8_co64_k3x3", request),
              "x86_avx2 direct: co_vectors x tile_p needs 19 registers, the target has 16");
}

TEST(Planner, RefusesAChannelwiseTileThatDoesNotFitTheRegisters) {
    PlanRequest request;
    request.schedule = "x86_avx2";
    request.params = {{"co_vectors", 2}, {"tile_x", 4}, {"tile_y", 2}};
    EXPECT_EQ(plan_error("conv_ci64_i8x8_co64_k3x3_p1_g64", request),
              "x86_avx2 channelwise: co_vectors x tile_x x tile_y needs 19 registers, the target has 16");
}

TEST(Planner, ChannelwiseTilesSpanCacheLinesWherePositionsShareSets) {
    const auto vectors = [](const char *key) {
        return make_plan(ConvDesc::parse(key), parse_target("x86_avx2")).plan.params.at("co_vectors");
    };
    EXPECT_EQ(vectors("conv_ci480_i14x14_co480_k3x3_p1_g480"), 1);
    EXPECT_EQ(vectors("conv_ci512_i14x14_co512_k3x3_p1_g512"), 2);
    EXPECT_EQ(vectors("avgpool_ci2048_i7x7_k7"), 8) << "one position: accumulators of several vectors";
}

TEST(Planner, PlanewiseTakesChannelsFirst) {
    const Target target = parse_target("x86_avx2");
    const PlanChoice planes =
        make_plan(ConvDesc::parse("conv_ci48_i14x14_co48_k3_p1_g48_reflect_nchw_bias"), target);
    EXPECT_EQ(planes.plan.variant + "/" + planes.plan.schedule, "depthwise/x86_avx2");
    EXPECT_GT(planes.plan.params.at("strip_channels"), 1) << "planes of several channels fit half of L1";
    const PlanChoice mixed = make_plan(ConvDesc::parse("avgpool_ci16_i8x8_k3_nchw2nhwc"), target);
    EXPECT_EQ(mixed.plan.schedule, "generic");
}

TEST(Planner, PlanewiseReadsShortRowsInPlace) {
    const Target target = parse_target("x86_avx2");
    const auto is_in_place = [&](const char *key) {
        const ConvDesc desc = ConvDesc::parse(key);
        return make_plan(desc, target).plan.masks_columns(desc);
    };
    EXPECT_TRUE(is_in_place("conv_ci64_i7x7_co64_k3_p1_g64_nchw"));
    EXPECT_TRUE(is_in_place("conv_ci64_i99x32_co64_k3_p1_g64_nchw"));
    EXPECT_FALSE(is_in_place("conv_ci64_i99x33_co64_k3_p1_g64_nchw")) << "a fifth vector";
    EXPECT_FALSE(is_in_place("conv_ci64_i14x14_co64_k5_p2_g64_nchw")) << "two vectors of 25 taps";
    EXPECT_FALSE(is_in_place("conv_ci64_i28x28_co64_k3_p1_s2_g64_nchw")) << "lanes are not neighbours";
    EXPECT_FALSE(is_in_place("conv_ci64_i28x28_co64_k3_p1_g64_reflect_nchw")) << "padding has values";
    EXPECT_FALSE(is_in_place("conv_ci64_i7x7_co64_k3_p1_g64")) << "channels last";
}

TEST(Planner, PlanewiseTilesHideTheLatencyOfMultiplyAdds) {
    const auto rows = [](const char *key) {
        return make_plan(ConvDesc::parse(key), parse_target("x86_avx2")).plan.params.at("tile_y");
    };
    EXPECT_EQ(rows("conv_ci120_i28x28_co120_k5_p2_g120_nchw"), 7) << "8 would compute 32 of 28 rows";
    EXPECT_EQ(rows("conv_ci32_i112x112_co32_k3_p1_g32_nchw"), 8);
    EXPECT_EQ(rows("conv_ci512_i14x14_co512_k3_p1_g512_nchw"), 7);
}

TEST(Planner, RefusesAPlanewiseTileThatDoesNotFitTheRegisters) {
    PlanRequest request;
    request.schedule = "x86_avx2";
    request.params = {{"x_vectors", 4}, {"tile_y", 4}};
    EXPECT_EQ(plan_error("conv_ci64_i56x56_co64_k3x3_p1_g64_nchw", request),
              "x86_avx2 planewise: x_vectors x tile_y needs 18 registers, the target has 16");
}

TEST(Planner, RefusesAnUnrollThatDoesNotDivideTheChannels) {
    PlanRequest request;
    request.schedule = "x86_avx2";
    request.params = {{"unroll_ci", 4}};
    EXPECT_EQ(plan_error("conv_ci30_i8x8_co64_k3x3", request),
              "x86_avx2 direct: unroll_ci is 4, want a divisor of ci / groups = 30");
}

TEST(Planner, RefusesANamedScheduleThatCannotServe) {
    PlanRequest request;
    request.schedule = "x86_avx2";
    const std::string message = plan_error("conv_ci32_i8x8_co4_k3x3_g2", request, ErrorCode::Unsupported);
    EXPECT_NE(message.find("no schedule takes conv_"), std::string::npos) << message;
    EXPECT_NE(message.find("co per group is 2"), std::string::npos) << message;
}

TEST(Planner, TileWastesTheFewestPositions) {
    // 49 positions: 10 tiles of 5 compute 50, 9 tiles of 6 compute 54.
    PlanRequest request;
    request.accuracy = Accuracy::Exact;
    const PlanChoice choice =
        make_plan(ConvDesc::parse("conv_ci512_i7x7_co512_k3x3_p1"), parse_target("x86_avx2"), request);
    EXPECT_EQ(choice.plan.params.at("tile_p"), 5);
}

TEST(Planner, MembersOfADispatchingLibraryShareThePacking) {
    const ConvDesc desc = ConvDesc::parse("conv_ci64_i56x56_co64_k3x3_p1");
    const PlanChoice best = make_plan(desc, parse_target("x86_avx2"));
    PlanRequest request;
    request.co_block = best.plan.packing(desc).co_block;
    request.tile = best.plan.packing(desc).tile;
    const PlanChoice baseline = make_plan(desc, parse_target("x86_64"), request);
    EXPECT_EQ(best.plan.variant, "winograd");
    EXPECT_EQ(baseline.plan.text(), "winograd/generic/co_block=16,tile=4");
    EXPECT_EQ(baseline.plan.packing(desc), best.plan.packing(desc));
}

TEST(Planner, BlocksOfWeightsNarrowerThanAVectorAreLeftToTheGenericSchedule) {
    PlanRequest request;
    request.co_block = 8;
    request.accuracy = Accuracy::Exact;
    const ConvDesc desc = ConvDesc::parse("conv_ci16_i9x9_co32_k3_p1");
    EXPECT_EQ(make_plan(desc, parse_target("x86_avx2"), request).plan.text(),
              "direct/x86_avx2/"
              "ci_block=16,co_blocks=1,co_vectors=1,prefetch=1,rows=9,streams=1,tile_p=8,unroll_ci=4");
    const PlanChoice wide = make_plan(desc, parse_target("x86_avx512"), request);
    EXPECT_EQ(wide.plan.schedule, "generic");
    EXPECT_EQ(wide.plan.packing(desc).co_block, 8);
    EXPECT_NE(reason_of(wide, "direct/x86_avx512").find("less than the 16 lanes"), std::string::npos);
}

TEST(Planner, FewerChannelsThanLanesHaveARegisterTile) {
    for (const char *target : {"x86_avx2", "x86_avx512"}) {
        for (const char *key :
             {"conv_ci64_i9x9_co2_k3_p1", "conv_ci8_i9x9_co1_k1", "deconv_ci8_i9x9_co3_k2_s2"})
            EXPECT_EQ(make_plan(ConvDesc::parse(key), parse_target(target)).plan.schedule, target) << key;
    }
    EXPECT_EQ(make_plan(ConvDesc::parse("conv_ci8_i9x9_co8_k3_g2"), parse_target("x86_avx2")).plan.variant,
              "joined");
}

TEST(Planner, TilesOfARowAreKnownWhereRowsAreAMultipleOfThem) {
    const auto row_tile = [](const char *key, const char *target, const Params &params) {
        const ConvDesc desc = ConvDesc::parse(key);
        PlanRequest request;
        request.accuracy = Accuracy::Exact;
        request.params = params;
        return make_plan(desc, parse_target(target), request).plan.row_tile(desc);
    };
    EXPECT_EQ(row_tile("conv_ci64_i56x56_co32_k3_p1", "x86_avx512", {}), 14);
    EXPECT_EQ(row_tile("conv_ci64_i56x56_co64_k3_p1", "x86_avx512", {}), 0) << "6 of 56";
    EXPECT_EQ(row_tile("conv_ci64_i56x56_co64_k3_p1", "x86_avx512", {{"tile_p", 4}}), 4);
    EXPECT_EQ(row_tile("conv_ci64_i54x54_co64_k3_p1", "x86_avx2", {{"tile_p", 6}}), 6);
    EXPECT_EQ(row_tile("conv_ci64_i56x56_co32_k1", "x86_avx512", {}), 0) << "positions as they lie";
    EXPECT_EQ(row_tile("conv_ci32_i28x28_co32_k3_p1_g8", "x86_avx512", {{"tile_p", 14}}), 14) << "joined";
    EXPECT_EQ(row_tile("conv_ci64_i28x28_co64_k3_p1_g64", "x86_avx512", {}), 0) << "not flattened";
}

TEST(Planner, BlocksOfInputChannelsDivideThemAndKeepTilesWhole) {
    const auto plan = [](const char *key, const Params &params) {
        PlanRequest request;
        request.accuracy = Accuracy::Exact;
        request.params = params;
        return make_plan(ConvDesc::parse(key), parse_target("x86_avx2"), request).plan;
    };
    const char *far = "conv_ci1024_i38x66_co64_k3_p1", *near = "conv_ci32_i28x28_co64_k3_p1";
    const Plan blocks = plan(far, {});
    EXPECT_EQ(1024 % blocks.params.at("ci_block"), 0);
    EXPECT_EQ(66 * blocks.params.at("rows") % blocks.params.at("tile_p"), 0) << blocks.text();
    EXPECT_FALSE(blocks.fills_tiles(ConvDesc::parse(far)));
    EXPECT_FALSE(blocks.settles(ConvDesc::parse(far), "ci_block"));
    const Plan whole = plan("conv_ci1024_i7x7_co64_k3_p1", {});
    EXPECT_LT(whole.params.at("ci_block"), 1024);
    EXPECT_TRUE(whole.fills_tiles(ConvDesc::parse("conv_ci1024_i7x7_co64_k3_p1"))) << "tiles of 5 of 49";
    EXPECT_EQ(plan(near, {}).params.at("ci_block"), 32);
    EXPECT_TRUE(plan(near, {}).settles(ConvDesc::parse(near), "ci_block"));
    EXPECT_THROW(plan(near, {{"ci_block", 16}}), Error) << "weights of all are near";
    EXPECT_THROW(plan(far, {{"ci_block", 100}}), Error) << "divides no 1024";
    EXPECT_THROW(plan(far, {{"ci_block", 2048}}), Error) << "more than there are";
    EXPECT_THROW(plan(far, {{"ci_block", 64}, {"rows", 1}, {"tile_p", 4}}), Error) << "66 positions";
}

TEST(Planner, BlocksOfRowsAreWholeWhereADivisorIsNear) {
    for (const char *target : {"x86_avx2", "x86_avx512", "arm_neon"}) {
        for (const auto &[key, rows] :
             {std::pair("conv_ci1_i572x572_co64_k3", 570), std::pair("conv_ci16_i54x54_co64_k3_p1", 54),
              std::pair("conv_ci512_i38x63_co72_k3_p2_d2", 38)}) {
            const Plan plan = make_plan(ConvDesc::parse(key), parse_target(target)).plan;
            EXPECT_EQ(rows % plan.params.at("rows"), 0) << key << ": " << plan.text();
        }
    }
    const auto row_tile = [](int rows) {
        PlanRequest request;
        request.params = {{"rows", rows}, {"tile_p", 6}};
        const ConvDesc desc = ConvDesc::parse("conv_ci1_i572x572_co64_k3");
        return make_plan(desc, parse_target("x86_avx512"), request).plan.row_tile(desc);
    };
    EXPECT_EQ(row_tile(57), 6);
    EXPECT_EQ(row_tile(72), 0) << "the last block begins where none of its tiles would";
}

TEST(Planner, WeightsBeyondL2ArePrefetched) {
    const auto plan = [](const char *key, const char *target, const Params &params = {}) {
        PlanRequest request;
        request.params = params;
        return make_plan(ConvDesc::parse(key), parse_target(target), request).plan;
    };
    const auto prefetches = [&](const char *key, const char *target = "x86_avx512") {
        const int prefetch = plan(key, target).params.at("prefetch");
        EXPECT_TRUE(prefetch == cpu::kPrefetch || prefetch == cpu::kNoPrefetch) << key;
        return prefetch == cpu::kPrefetch;
    };
    const char *winograd = "conv_ci512_i28x28_co512_k3_p1", *near = "conv_ci48_i56x56_co48_k3_p1";
    const char *pointwise = "conv_ci512_i7x7_co2048_k1", *one_position = "conv_ci4096_i1_co4096_k1";
    EXPECT_TRUE(prefetches(winograd));
    EXPECT_FALSE(prefetches(near)) << "332 KB, a third of L2";
    EXPECT_TRUE(prefetches(near, "x86_avx2")) << "two thirds";
    EXPECT_TRUE(prefetches(pointwise));
    EXPECT_FALSE(prefetches(one_position)) << "read in streams";
    EXPECT_TRUE(prefetches("conv_ci512_i2x7x7_co512_k3_p1")) << "in blocks of input channels";
    EXPECT_FALSE(prefetches("conv_ci256_i28x28_co256_k3_s2_p1")) << "two blocks take over half of L2";
    EXPECT_FALSE(prefetches(winograd, "arm_neon")) << "not measured there";

    const auto settles = [&](const char *key) {
        return plan(key, "x86_avx512").settles(ConvDesc::parse(key), "prefetch");
    };
    EXPECT_FALSE(settles(winograd) || settles(pointwise));
    EXPECT_FALSE(settles("conv_ci256_i28x28_co256_k3_s2_p1")) << "legal, not the default";
    EXPECT_TRUE(settles(near));
    EXPECT_TRUE(settles("conv_ci64_i56x56_co64_k1"));
    const Params forced = {{"prefetch", cpu::kPrefetch}};
    EXPECT_NE(error_of([&] {
                  plan(near, "x86_avx512", forced);
              }).find("winograd: prefetch is 2, want 1: weights of 331776 bytes stay in L2"),
              std::string::npos);
    EXPECT_NE(error_of([&] {
                  plan("conv_ci64_i56x56_co64_k1", "x86_avx512", forced);
              }).find("direct: prefetch is 2, want 1: weights of 16384 bytes stay in L2"),
              std::string::npos);
    EXPECT_NE(error_of([&] { plan(one_position, "x86_avx512", forced); }).find("read in streams"),
              std::string::npos);
}

TEST(Planner, ATileMeetsSeveralBlocksOfChannelsWhereStoresTakeLongerThanSums) {
    const auto plan = [](const char *key, const char *target, const Params &params = {}) {
        PlanRequest request;
        request.accuracy = Accuracy::Exact;
        request.params = params;
        return make_plan(ConvDesc::parse(key), parse_target(target), request).plan;
    };
    const auto co_blocks = [&](const char *key, const char *target) {
        const Plan made = plan(key, target);
        EXPECT_EQ(made.settles(ConvDesc::parse(key), "co_blocks"), made.params.at("co_blocks") == 1) << key;
        return made.params.at("co_blocks");
    };
    EXPECT_EQ(co_blocks("conv_ci64_i56x56_co256_k1", "x86_avx2"), 16) << "all, of 2 vectors";
    EXPECT_EQ(co_blocks("conv_ci64_i56x56_co256_k1", "x86_avx512"), 4) << "all, of 4 vectors";
    EXPECT_EQ(co_blocks("conv_ci64_i56x56_co256_k1", "arm_neon"), 16) << "all, of 4 vectors";
    EXPECT_EQ(co_blocks("conv_ci256_i14x14_co1024_k1", "x86_avx2"), 16) << "a quarter of 1 MiB of weights";
    EXPECT_EQ(co_blocks("conv_ci64_i7x7_co256_k1", "x86_avx2"), 1) << "few outputs";
    EXPECT_EQ(co_blocks("conv_ci64_i56x56_co256_k3_p1", "x86_avx2"), 1) << "many products";
    EXPECT_EQ(co_blocks("conv_ci64_i56x56_co256_k1_g2", "x86_avx2"), 1) << "groups read other channels";
    EXPECT_EQ(co_blocks("conv_ci64_i56x56_co256_k1_nhwc2nchw", "x86_avx2"), 1) << "planes";
    EXPECT_LE(plan("conv_ci3_i224x224_co64_k3_p1", "x86_avx2").params.at("rows"), 28)
        << "threads share rows instead of channels";
    EXPECT_EQ(plan("conv_ci128_i28x28_co512_k1", "x86_avx512").params.at("rows") % 6, 0) << "whole tiles";
    const char *key = "conv_ci64_i56x56_co256_k1";
    EXPECT_EQ(plan(key, "x86_avx2", {{"co_blocks", 4}}).params.at("co_blocks"), 4);
    EXPECT_THROW(plan(key, "x86_avx2", {{"co_blocks", 17}}), Error) << "more than there are";
    EXPECT_THROW(plan("conv_ci64_i9x9_co256_k1_g2", "x86_avx2", {{"co_blocks", 2}}), Error) << "groups";
    EXPECT_THROW(plan("conv_ci1024_i1x1_co256_k1", "x86_avx2", {{"co_blocks", 2}}), Error) << "streams";
    EXPECT_THROW(plan("conv_ci1024_i7x7_co64_k3_p1", "x86_avx2", {{"co_blocks", 2}}), Error)
        << "blocks of input channels";
}

TEST(Planner, ThreadsFindEqualShares) {
    const auto rows = [](const char *key, const char *target) {
        return make_plan(ConvDesc::parse(key), parse_target(target)).plan.params.at("rows");
    };
    for (const char *target : {"x86_avx2", "x86_avx512"}) {
        // One block of channels, or three: an even number of blocks of positions, or many.
        for (const char *key : {"conv_ci512_i14x14_co32_k1", "conv_ci480_i14x14_co192_k1"}) {
            const int of_block = rows(key, target), blocks = (196 + of_block - 1) / of_block;
            EXPECT_GT(blocks, 1) << key << " " << target;
            EXPECT_TRUE(blocks % 2 == 0 || blocks > 16) << key << " " << target << ": " << blocks;
        }
        EXPECT_EQ(rows("conv_ci512_i14x14_co512_k3_p1_g512_then_conv_co512_k1", target), 7) << target;
        EXPECT_EQ(rows("conv_ci384_i14x14_co384_k3_p1_g384", target), 7) << target;
        EXPECT_EQ(28 / rows("conv_ci136_i28x28_co136_k3_p1_g136", target) % 2, 0) << "7 tasks would not be";
        EXPECT_EQ(rows("conv_ci16_i4x4_co16_k3_p1", target), 4) << "too little work to share";
    }
    EXPECT_EQ(rows("conv_ci512_i7x7_co256_k1", "x86_avx512"), 49) << "four blocks of channels";
    EXPECT_EQ(rows("conv_ci512_i14x14_co32_k1", "x86_avx512"), 98) << "tiles of 14: nothing twice";
    EXPECT_EQ(rows("conv_ci512_i14x14_co144_k1", "x86_avx512"), 98) << "tiles of 7 of 8: nothing twice";
    EXPECT_EQ(rows("conv_ci48_i7x7_co128_k5_p2", "x86_avx512"), 2) << "two equal strips of Winograd's tiles";
    EXPECT_EQ(rows("conv_ci25_i784_co25_k7_p768x0_d128_nwc", "x86_avx512"), 784)
        << "a block would copy 768 more";
}

TEST(Planner, TapsInThePaddingOfWholeTilesAreLeftOut) {
    const auto tile = [](const char *key, const char *target, const Params &params = {}) {
        PlanRequest request;
        request.params = params;
        const ConvDesc desc = ConvDesc::parse(key);
        return make_plan(desc, parse_target(target), request).plan.row_tile(desc);
    };
    for (const char *target : {"x86_avx2", "x86_avx512", "arm_neon"}) {
        EXPECT_GT(tile("conv_ci10_i84_co24_k5_p60x0_d15_nwc", target), 0) << target;
        EXPECT_EQ(tile("conv_ci10_i84_co24_k5_p2_nwc", target), 0) << "few taps";
        EXPECT_EQ(tile("conv_ci10_i84_co24_k5_p60x0_d15_nwc_reflect", target), 0) << "no zeros";
    }
    EXPECT_GT(tile("conv_ci6_i84_co16_k5_p40x20_d15_nwc", "x86_avx2"), 0) << "padded on both sides";
    EXPECT_EQ(tile("conv_ci10_i84_co24_k5_p60x0_d15_nwc", "x86_avx512", {{"tile_p", 5}}), 0)
        << "shifted tiles";
}

TEST(Planner, TilesLieWithinRowsWhereWholeRowsOfTapsAreLeftOut) {
    const auto plan = [](const char *key, const char *target, const Params &params = {}) {
        PlanRequest request;
        request.accuracy = Accuracy::Exact;
        request.params = params;
        return make_plan(ConvDesc::parse(key), parse_target(target), request).plan;
    };
    const char *slices = "conv_ci512_i2x7x7_co512_k3_p1", *valid = "conv_ci512_i4x9x9_co512_k3";
    EXPECT_EQ(plan(slices, "x86_avx512").params.at("co_vectors"), 3);
    EXPECT_EQ(plan(slices, "x86_avx512").params.at("tile_p"), 7);
    EXPECT_EQ(plan(slices, "x86_avx512").row_tile(ConvDesc::parse(slices)), 7);
    EXPECT_EQ(plan(valid, "x86_avx512").params.at("co_vectors"), 4) << "nothing is padded";
    EXPECT_EQ(plan(slices, "x86_avx2").params.at("co_vectors"), 2) << "no tile of 7 has sums enough";
    EXPECT_EQ(plan(slices, "x86_avx512", {{"co_vectors", 2}}).params.at("tile_p"), 7)
        << "2 x 14 is in two rows";
    EXPECT_EQ(plan("conv_ci512_i2x7x7_co512_k3_p1_reflect", "x86_avx512").params.at("co_vectors"), 4);

    // Per axis: taps met of all. 2 slices: 2 of 3 each; 7 rows: 19 of 21.
    const ConvDesc desc = ConvDesc::parse(slices);
    EXPECT_DOUBLE_EQ(padded_share(desc, 1), 1 - 4.0 / 6);
    EXPECT_DOUBLE_EQ(padded_share(desc, 2), 1 - 4.0 / 6 * 19 / 21);
    EXPECT_EQ(padded_share(ConvDesc::parse(valid), 2), 0);
    EXPECT_TRUE(leaves_out_rows(desc) && leaves_out_slices(desc));
    const ConvDesc image = ConvDesc::parse("conv_ci8_i14x14_co8_k3_p1");
    EXPECT_FALSE(leaves_out_rows(image)) << "2 of 42";
    EXPECT_FALSE(leaves_out_rows(ConvDesc::parse("conv_ci512_i2x7x7_co512_k3_p1_reflect")));
}

TEST(Planner, GroupsOfChannelsThatAreNoWholeVectorsArePackedApart) {
    const auto choice = [](const char *key, const char *target) {
        return make_plan(ConvDesc::parse(key), parse_target(target));
    };
    for (const char *target : {"x86_avx2", "x86_avx512", "arm_neon"}) {
        const char *key = "conv_ci136_i28x28_co136_k1_g4";
        const Plan plan = choice(key, target).plan;
        EXPECT_EQ(plan.variant, "pointwise") << target;
        EXPECT_EQ(plan.schedule, target);
        const Packing packing = plan.packing(ConvDesc::parse(key));
        EXPECT_TRUE(packing.by_group);
        EXPECT_EQ(packing.co_block % vector_lanes(plan.target, DType::F32), 0);
        // Four groups of whole blocks for 34 channels each.
        const int blocks = (34 + packing.co_block - 1) / packing.co_block;
        EXPECT_EQ(packed_filter_shape(ConvDesc::parse(key), packing),
                  (std::vector<int64_t>{4 * blocks, 1, 1, 34, packing.co_block}));
    }
    for (const char *key :
         {"conv_n2_ci136_i28x28_co136_k1_g4", "conv_ci128_i28x28_co128_k1_g4", "conv_ci32_i9x9_co32_k1_g4",
          "conv_n0_ci136_i28x28_co136_k1_g4", "conv_ci136_i28x28_co136_k1_g4_shuffle4",
          "conv_ci136_i28x28_co136_k3_p1_g136", "conv_ci136_i28x28_co136_k1_g4_into200x8"}) {
        const Plan plan = choice(key, "x86_avx2").plan;
        EXPECT_FALSE(plan.packing(ConvDesc::parse(key)).by_group) << key;
    }
}

TEST(Planner, OnePositionOfChannelsApartHasAccumulatorsOfSeveralVectors) {
    const auto vectors = [](const char *key, const char *target) {
        return make_plan(ConvDesc::parse(key), parse_target(target)).plan.params.at("co_vectors");
    };
    EXPECT_EQ(vectors("avgpool_ci512_i7x7_k7", "x86_avx2"), 8);
    EXPECT_EQ(vectors("avgpool_ci120_i28x28_k28", "x86_avx2"), 8) << "of 15, one of them twice";
    EXPECT_EQ(vectors("avgpool_ci72_i28x28_k28", "x86_avx2"), 5) << "of 9, one of them twice";
    EXPECT_EQ(vectors("avgpool_ci72_i28x28_k28", "x86_avx512"), 3) << "of 4 and a half";
    EXPECT_EQ(vectors("avgpool_ci20_i9x9_k9", "x86_avx512"), 1);
    EXPECT_EQ(vectors("conv_ci72_i5x5_co72_k5_g72", "x86_avx2"), 5);
}

TEST(Planner, BlocksOfPositionsAreLargeWhereWeightsCannotStay) {
    const auto rows = [](const char *key, const char *target) {
        return make_plan(ConvDesc::parse(key), parse_target(target)).plan.params.at("rows");
    };
    for (const char *target : {"x86_avx2", "x86_avx512"}) {
        EXPECT_GE(rows("conv_ci1024_i38x63_co2048_k1", target), 90) << "8 MiB of weights";
        EXPECT_LE(rows("conv_ci1024_i38x63_co512_k1", target), 60) << "2 MiB";
    }
}

TEST(Planner, StreamsAreOfOnePosition) {
    const auto plan = [](const char *key, const char *target, const Params &params) {
        PlanRequest request;
        request.params = params;
        return make_plan(ConvDesc::parse(key), parse_target(target), request).plan;
    };
    const char *key = "conv_ci4096_i1_co1000_k1_nwc";
    EXPECT_EQ(plan(key, "x86_avx512", {}).params.at("streams"), 4);
    EXPECT_EQ(plan(key, "x86_avx512", {}).params.at("co_vectors"), 2);
    EXPECT_EQ(plan(key, "arm_neon", {}).params.at("streams"), 1);
    EXPECT_EQ(plan("conv_ci250_i1_co1000_k1_nwc", "x86_avx2", {}).params.at("streams"), 2) << "divides 250";
    EXPECT_EQ(plan("conv_ci4096_i2_co1000_k1_nwc", "x86_avx2", {}).params.at("streams"), 1);
    const Plan odd = plan("conv_ci4095_i1_co1024_k1_nwc", "x86_avx2", {});
    EXPECT_EQ(odd.params.at("streams"), 1);
    EXPECT_EQ(odd.params.at("co_vectors"), 8) << "as many accumulators hide the latency";
    EXPECT_TRUE(odd.settles(ConvDesc::parse("conv_ci4095_i1_co1024_k1_nwc"), "ci_block"));
    EXPECT_THROW(plan(key, "x86_avx512", {{"ci_block", 64}}), Error) << "a single tile";
    EXPECT_THROW(plan(key, "x86_avx2", {{"streams", 8}, {"co_vectors", 2}}), Error) << "16 accumulators";
    EXPECT_THROW(plan("conv_ci4096_i2_co1000_k1_nwc", "x86_avx2", {{"streams", 4}}), Error) << "2 positions";
}

TEST(Planner, WeightsFromFarComeInBlocksOfChannelsOrFewer) {
    const auto plan = [](const char *key, Accuracy accuracy) {
        PlanRequest request;
        request.accuracy = accuracy;
        return make_plan(ConvDesc::parse(key), parse_target("x86_avx512"), request).plan;
    };
    // 4 vectors of 512 channels x 9 taps take 1.1 MiB, more than L2.
    EXPECT_EQ(plan("conv_ci512_i28x28_co512_k3_p1", Accuracy::Exact).params.at("ci_block"), 64);
    EXPECT_EQ(plan("conv_ci128_i28x28_co128_k3_p1", Accuracy::Exact).params.at("ci_block"), 128);
    EXPECT_LT(plan("deconv_ci512_i28x28_co512_k6_s2_p2", Accuracy::Exact).params.at("co_vectors"), 4);
    EXPECT_EQ(plan("deconv_ci64_i28x28_co128_k6_s2_p2", Accuracy::Exact).params.at("co_vectors"), 4);
    // Every slice streams 50 MiB of transformed weights: Winograd saves less than that takes.
    EXPECT_EQ(plan("conv_ci512_i4x14x14_co512_k3_p1", Accuracy::Fast).variant, "direct");
    EXPECT_EQ(plan("conv_ci256_i4x14x14_co256_k3_p1", Accuracy::Fast).variant, "winograd");
    // F(4, 3) has 9 MiB of weights for 16 tiles, F(2, 3) 4 MiB for 49.
    EXPECT_EQ(plan("conv_ci256_i14x14_co256_k3_p1", Accuracy::Fast).params.at("tile"), 2);
    EXPECT_EQ(plan("conv_ci128_i28x28_co128_k3_p1", Accuracy::Fast).params.at("tile"), 4);
}

} // namespace
} // namespace convsmith
