// What LLVM makes of the hot loops of the schedules tuned for AVX2. Those of AVX-512 and of chains:
// hot_loop_test.cpp; which schedule is taken and why: planner_test.cpp.
#include "generators/error.h"
#include "generators/halide_compat.h"
#include "schedules/cpu/tiles.h"
#include "schedules/plan.h"
#include "tests/assembly.h"
#include "tests/error_of.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace convsmith {
namespace {

/// A problem and the parameters to force; every tuned tile and every kind of addressing appears once.
struct HotLoopCase {
    const char *name;
    const char *key;
    Params params;
};

void PrintTo(const HotLoopCase &c, std::ostream *out) {
    *out << c.key;
}

/// The plan for AVX2 and the loop where its kernel spends its time.
struct PlannedLoop {
    Plan plan;
    autotune::Loop loop;
};

PlannedLoop planned_loop(const std::string &key, const PlanRequest &request) {
    const ConvDesc desc = ConvDesc::parse(key);
    const Plan plan = make_plan(desc, parse_target("x86_avx2"), request).plan;
    return {plan, autotune::hot_loop(autotune::assembly_of(desc, plan))};
}

/// A request for the tuned schedule with the numbers of a case.
PlanRequest tuned_request(const HotLoopCase &c) {
    PlanRequest request;
    request.schedule = "x86_avx2";
    request.params = c.params;
    return request;
}

class HotLoop : public ::testing::TestWithParam<HotLoopCase> {};

TEST_P(HotLoop, HasOnlyFmasLoadsAndScalarAddressing) {
    PlanRequest request = tuned_request(GetParam());
    request.accuracy = Accuracy::Exact;
    const auto [plan, loop] = planned_loop(GetParam().key, request);
    SCOPED_TRACE(plan.text() + "\n" + loop.text());

    const int vectors = plan.params.at("co_vectors");
    const int tile_p = plan.params.at("tile_p");
    const int unroll_ci = plan.params.at("unroll_ci");
    const int steps = unroll_ci * cpu::choose_unroll_taps(ConvDesc::parse(GetParam().key), unroll_ci);
    EXPECT_EQ(loop.count("vfmadd"), vectors * tile_p * steps);
    EXPECT_LE(loop.count("vbroadcast"), tile_p * steps);
    EXPECT_EQ(loop.stack_accesses(), 0);
    testing::expect_no_vector_addressing(loop);
    // What is left: one load per vector of weights (or none, as a memory operand) and pointer increments.
    const int overhead = static_cast<int>(loop.instructions.size()) - loop.count("vfmadd") -
                         loop.count("vbroadcast") - loop.count("vmov");
    EXPECT_LE(overhead, tile_p + 5);
}

INSTANTIATE_TEST_SUITE_P(
    Avx2, HotLoop,
    ::testing::Values(
        HotLoopCase{"k3x3", "conv_ci64_i56x56_co64_k3x3_p1_bias_relu", {}},
        HotLoopCase{
            "k3x3_tile_2x6", "conv_ci64_i54x54_co64_k3x3_p1_bias_relu", {{"co_vectors", 2}, {"tile_p", 6}}},
        HotLoopCase{"k3x3_tile_3x4", "conv_ci64_i56x56_co96_k3x3_p1", {{"co_vectors", 3}, {"tile_p", 4}}},
        HotLoopCase{"k3x3_stride_2", "conv_ci128_i56x56_co128_k3x3_s2_p1_bias", {}},
        HotLoopCase{"small_map", "conv_ci512_i7x7_co512_k3x3_p1_bias_relu", {}},
        HotLoopCase{"pointwise", "conv_ci256_i14x14_co1024_k1x1_bias_relu", {}},
        HotLoopCase{"pointwise_stride_2", "conv_ci256_i56x56_co512_k1x1_s2_bias", {}},
        HotLoopCase{"pointwise_tile_5x2", "conv_ci120_i28x28_co40_k1x1_bias", {}},
        HotLoopCase{"first_layer", "conv_ci3_i224x224_co64_k7x7_s2_p3_bias_relu", {}},
        HotLoopCase{"first_layer_3x3", "conv_ci3_i224x224_co32_k3x3_s2_p1_bias_relu", {}},
        HotLoopCase{"dilated", "conv_ci64_i28x28_co64_k3x3_p2_d2", {}},
        HotLoopCase{"grouped", "conv_ci64_i28x28_co64_k3x3_p1_g4", {}},
        HotLoopCase{"channel_tail", "conv_ci64_i28x28_co43_k3x3_p1_bias_relu", {}},
        HotLoopCase{"conv1d", "conv_ci64_i1000_co64_k9_p4_bias", {}},
        HotLoopCase{"conv3d", "conv_ci32_i8x28x28_co64_k3x3x3_p1_bias", {}},
        HotLoopCase{"channels_first", "conv_ci64_i56x56_co64_k3x3_p1_nchw_bias_relu", {}},
        HotLoopCase{"f64", "conv_ci64_i28x28_co64_k3x3_p1_f64_bias_relu", {}},
        HotLoopCase{"joined_groups", "conv_ci128_i56x56_co128_k3x3_p1_g32_bias_relu", {}},
        HotLoopCase{"joined_uneven_groups", "conv_ci136_i28x28_co136_k1_g4_relu", {}},
        HotLoopCase{"deformable", "deform_ci64_i38x63_co64_k3x3_p2_d2_og4_mask_relu", {}},
        HotLoopCase{"deconv_k2x2", "deconv_ci256_i100x100_co128_k2x2_s2_bias", {}},
        HotLoopCase{"deconv_k3x3", "deconv_ci64_i56x56_co64_k3x3_s2_p1_o1_bias", {}},
        HotLoopCase{"deconv_k4x4_tail", "deconv_ci64_i32x32_co43_k4x4_s2_p1_bias_relu", {}},
        HotLoopCase{"deconv_1d", "deconv_ci64_i500_co32_k8_s4_p2", {}}),
    [](const auto &info) { return info.param.name; });

class ChannelwiseLoop : public ::testing::TestWithParam<HotLoopCase> {};

TEST_P(ChannelwiseLoop, SumsATileWithoutSelectsOrVectorAddressing) {
    const auto [plan, loop] = planned_loop(GetParam().key, tuned_request(GetParam()));
    SCOPED_TRACE(plan.text() + "\n" + loop.text());

    EXPECT_GE(loop.count("vfmadd"),
              plan.params.at("co_vectors") * plan.params.at("tile_x") * plan.params.at("tile_y"));
    testing::expect_no_vector_addressing(loop);
    testing::expect_none(loop, {"vblend", "vcmp", "vand"});
    // Where a whole window is one block, some inputs wait on the stack for the next row of taps; that takes
    // less time than a loop over rows.
    EXPECT_LE(loop.stack_accesses(), loop.count("vfmadd") / 3);
    EXPECT_GE(loop.count("vfmadd"), 5 * static_cast<int>(loop.instructions.size()) / 12);
}

INSTANTIATE_TEST_SUITE_P(
    Avx2, ChannelwiseLoop,
    ::testing::Values(HotLoopCase{"k3x3", "conv_ci144_i56x56_co144_k3x3_p1_g144_bias_relu", {}},
                      HotLoopCase{"k3x3_stride_2", "conv_ci96_i112x112_co96_k3x3_s2_p1_g96_bias_relu", {}},
                      HotLoopCase{"k3x3_shared_sets", "conv_ci512_i14x14_co512_k3x3_p1_g512_bias", {}},
                      HotLoopCase{"k3x3_small_map", "conv_ci960_i7x7_co960_k3x3_p1_g960_bias", {}},
                      HotLoopCase{"k5x5", "conv_ci120_i28x28_co120_k5x5_p2_g120_bias_relu", {}},
                      HotLoopCase{"k9x9", "conv_ci32_i64x64_co32_k9x9_p4_g32", {}},
                      HotLoopCase{"dilated", "conv_ci64_i56x56_co64_k3x3_p2_d2_g64_bias_relu", {}},
                      HotLoopCase{"channel_tail", "conv_ci45_i56x56_co45_k3x3_p1_g45_bias_relu", {}},
                      HotLoopCase{"reflected", "conv_ci64_i56x56_co64_k3x3_p1_g64_reflect_bias", {}},
                      HotLoopCase{"f64", "conv_ci64_i28x28_co64_k3x3_p1_g64_f64_bias", {}}),
    [](const auto &info) { return info.param.name; });

class PlanewiseLoop : public ::testing::TestWithParam<HotLoopCase> {};

TEST_P(PlanewiseLoop, SumsATileWithoutSelectsShufflesOrVectorAddressing) {
    const auto [plan, loop] = planned_loop(GetParam().key, tuned_request(GetParam()));
    SCOPED_TRACE(plan.text() + "\n" + loop.text());

    EXPECT_GE(loop.count("vfmadd") + loop.count("vmulps"),
              plan.params.at("x_vectors") * plan.params.at("tile_y"));
    testing::expect_no_vector_addressing(loop);
    testing::expect_none(loop, {"vblend", "vcmp", "vand", "vshuf"});
    // Weights and what the epilogue clamps to wait on the stack; that takes less time than to broadcast them.
    EXPECT_LE(loop.stack_accesses(), loop.count("vfmadd"));
    EXPECT_GE(loop.count("vfmadd"), static_cast<int>(loop.instructions.size()) / 3);
}

INSTANTIATE_TEST_SUITE_P(
    Avx2, PlanewiseLoop,
    ::testing::Values(HotLoopCase{"k3x3", "conv_ci144_i56x56_co144_k3x3_p1_g144_nchw_bias_relu", {}},
                      HotLoopCase{"k3x3_stride_2", "conv_ci96_i112x112_co96_k3x3_s2_p1_g96_nchw_bias", {}},
                      HotLoopCase{"k5x5", "conv_ci120_i56x56_co120_k5x5_p2_g120_nchw_bias_relu", {}},
                      HotLoopCase{"dilated", "conv_ci64_i56x56_co64_k3x3_p2_d2_g64_nchw_bias", {}},
                      HotLoopCase{"reflected", "conv_ci64_i56x56_co64_k3x3_p1_g64_reflect_nchw_bias", {}},
                      HotLoopCase{"no_padding", "conv_ci64_i58x58_co64_k3x3_g64_nchw_bias", {}}),
    [](const auto &info) { return info.param.name; });

TEST(PlanewiseInPlace, MasksOnlyTheVectorsAtBorders) {
    const auto [plan, loop] =
        planned_loop("conv_ci512_i28x14_co512_k3x3_p1_g512_nchw_bias_relu", PlanRequest());
    SCOPED_TRACE(plan.text() + "\n" + loop.text());
    // Two vectors of a row: the first column of taps of one, the last of the other, for each row of a tile.
    const int rows = plan.params.at("tile_y") + 2;
    EXPECT_EQ(loop.count("vmaskmov"), 2 * rows);
    EXPECT_LE(loop.count("vblend"), 2 * rows);
    EXPECT_GE(loop.count("vfmadd"), 2 * 8 * plan.params.at("tile_y"));
    EXPECT_LE(loop.stack_accesses(), loop.count("vfmadd") / 3);
    testing::expect_none(loop, {"vpextr", "vpinsr", "vpadd", "vpcmp", "vgather", "vperm", "vunpck", "call"});
}

TEST(PlanewiseStrip, IsSplitIntoPhasesInRegisters) {
    const ConvDesc desc = ConvDesc::parse("conv_ci96_i112x112_co96_k3x3_s2_p1_g96_nchw_bias");
    const Plan plan = make_plan(desc, parse_target("x86_avx2")).plan;
    const std::string assembly = autotune::assembly_of(desc, plan);
    EXPECT_NE(assembly.find("vshufps"), std::string::npos);
    for (const char *unwanted : {"vgather", "vinsertps", "vextractps", "vpinsr", "vpextr"})
        EXPECT_EQ(assembly.find(unwanted), std::string::npos) << unwanted;
}

TEST(WinogradHotLoop, HasOnlyFmasLoadsAndScalarAddressing) {
    for (const char *key : {"conv_ci64_i56x56_co64_k3x3_p1_bias_relu", "conv_ci256_i13x13_co384_k3x3_p1_bias",
                            "conv_ci512_i7x7_co512_k3x3_p1", "conv_ci64_i28x28_co64_k3x3_p1_nchw"}) {
        const auto [plan, loop] = planned_loop(key, PlanRequest());
        ASSERT_EQ(plan.variant, "winograd") << key;
        SCOPED_TRACE(plan.text() + "\n" + loop.text());
        const int tile_t = plan.params.at("tile_t");
        const int unroll_ci = plan.params.at("unroll_ci");
        EXPECT_EQ(loop.count("vfmadd"), plan.params.at("co_vectors") * tile_t * unroll_ci);
        EXPECT_LE(loop.count("vbroadcast"), tile_t * unroll_ci);
        EXPECT_EQ(loop.stack_accesses(), 0);
        testing::expect_no_vector_addressing(loop);
        const int overhead = static_cast<int>(loop.instructions.size()) - loop.count("vfmadd") -
                             loop.count("vbroadcast") - loop.count("vmov");
        EXPECT_LE(overhead, tile_t + 5);
    }
}

/// Lines of weights that an iteration of the hot loop multiplies.
int lines_of_step(const Plan &plan) {
    return plan.params.at("co_vectors") * plan.params.at("unroll_ci") * plan.target.vector_bytes / 64;
}

TEST(WeightPrefetch, IsSharedByTheTilesOfABlock) {
    const auto prefetches = [](const char *key, const char *target, const Params &params) {
        PlanRequest request;
        request.params = params;
        const ConvDesc desc = ConvDesc::parse(key);
        const Plan plan = make_plan(desc, parse_target(target), request).plan;
        const autotune::Loop loop = autotune::hot_loop(autotune::assembly_of(desc, plan));
        SCOPED_TRACE(plan.text() + "\n" + loop.text());
        EXPECT_EQ(loop.count("prefetch"), loop.count("prefetcht1")) << "into L2";
        return std::pair(loop.count("prefetch") + loop.count("prfm"), lines_of_step(plan));
    };
    const char *winograd = "conv_ci256_i28x28_co256_k3_p1", *pointwise = "conv_ci512_i7x7_co2048_k1";
    // 28 tiles of a strip, 7 at a time: 4; 49 positions, 7 at a time: 7.
    EXPECT_EQ(prefetches(winograd, "x86_avx2", {{"rows", 4}, {"tile_t", 7}, {"co_vectors", 1}, {"tile", 4}}),
              std::pair(1, 2));
    EXPECT_EQ(prefetches(winograd, "x86_avx512", {{"rows", 4}, {"tile_t", 4}, {"tile", 4}}), std::pair(3, 16))
        << "7 tiles";
    EXPECT_EQ(prefetches(pointwise, "x86_avx512", {{"rows", 49}, {"tile_p", 5}}), std::pair(2, 16))
        << "10 tiles";
    EXPECT_EQ(prefetches(pointwise, "x86_avx2", {{"rows", 49}, {"tile_p", 5}}), std::pair(1, 4));
    EXPECT_EQ(prefetches("conv_ci512_i2x3_co2048_k1", "x86_avx512", {{"tile_p", 6}}), std::pair(16, 16))
        << "a single tile";
    EXPECT_EQ(prefetches(pointwise, "arm_neon", {{"prefetch", cpu::kPrefetch}, {"rows", 49}, {"tile_p", 5}}),
              std::pair(1, 4))
        << "prfm";
    EXPECT_EQ(prefetches(pointwise, "x86_avx512", {{"prefetch", cpu::kNoPrefetch}}), std::pair(0, 16));
}

TEST(HotLoopReader, SeesSpillsAndVectorIntegerArithmetic) {
    const std::string assembly =
        ".L1:\n\tvfmadd231ps %ymm1, %ymm2, %ymm3 # comment\n\tvmovaps %ymm3, 32(%rsp)\n"
        "\tvpextrq $1, %xmm1, %rax\n\tjne .L1\n";
    const autotune::Loop loop = autotune::hot_loop(assembly);
    EXPECT_EQ(loop.count("vfmadd"), 1);
    EXPECT_EQ(loop.stack_accesses(), 1);
    EXPECT_EQ(loop.count("vpextr"), 1);
}

TEST(HotLoopReader, TellsAFramePointerFromAPointerInRbp) {
    const std::string body = ".L1:\n\tvfmadd231ps -32(%rbp), %ymm2, %ymm3\n\tjne .L1\n";
    EXPECT_EQ(autotune::hot_loop("kernel:\n" + body).stack_accesses(), 0);
    EXPECT_EQ(autotune::hot_loop("kernel:\n\tmovq\t%rsp, %rbp\n" + body).stack_accesses(), 1);
}

TEST(HotLoopReader, TakesTheInnermostLoopOfANest) {
    const std::string assembly =
        ".outer:\n\tvfmadd231ps %ymm1, %ymm2, %ymm3\n.inner:\n\tvfmadd231ps %ymm1, %ymm2, %ymm3\n"
        "\tvfmadd231ps %ymm1, %ymm2, %ymm4\n\tjne .inner\n\tjne .outer\n";
    EXPECT_EQ(autotune::hot_loop(assembly).count("vfmadd"), 2);
}

TEST(PrepareHalide, TurnsTheSlpVectoriserOff) {
    prepare_halide();
    const char *args = std::getenv("HL_LLVM_ARGS");
    ASSERT_NE(args, nullptr);
    EXPECT_NE(std::string(args).find("-vectorize-slp=false"), std::string::npos);
}

} // namespace
} // namespace convsmith
