// Inner loops of the tuned schedules of AVX-512, which few machines can time, and of chains: no
// spills, no shuffles or vector address arithmetic, and, by LLVM's model of Skylake (llvm-mca), arithmetic
// units at work in nine of ten cycles. Those of AVX2 beside chains: schedule_test.cpp.
#include "autotune/machine_model.h"
#include "tests/assembly.h"

#include <gtest/gtest.h>

namespace convsmith {
namespace {

struct LoopCase {
    const char *name, *key;
    Accuracy accuracy = Accuracy::Exact;
    const char *target = "x86_avx512";
    double least = 0.9; ///< part of the cycles in which the model starts arithmetic
};

std::ostream &operator<<(std::ostream &out, const LoopCase &c) {
    return out << c.target << " " << c.key;
}

struct PlannedLoop {
    Plan plan;
    autotune::Loop loop;
};

PlannedLoop planned_loop(const LoopCase &c) {
    const ConvDesc desc = ConvDesc::parse(c.key);
    PlanRequest request;
    request.accuracy = c.accuracy;
    const Plan plan = make_plan(desc, parse_target(c.target), request).plan;
    EXPECT_EQ(plan.schedule, c.target) << plan.text();
    return {plan, autotune::hot_loop(autotune::assembly_of(desc, plan))};
}

void expect_units_at_work(const autotune::Loop &loop, double least) {
    constexpr double kUnits = 2;
    if (autotune::mca_program().empty())
        GTEST_SKIP() << "needs llvm-mca (packages llvm-14 or llvm-19) for the cycles; instructions are as "
                        "they should be";
    const double cycles =
        autotune::modelled_cycles(loop, autotune::machine_model(parse_target("x86_avx512")));
    EXPECT_LE(least * cycles, loop.arithmetic() / kUnits);
}

/// What "...{1to16}" operands and broadcasts load together.
int broadcasts(const autotune::Loop &loop) {
    int sum = loop.count("vbroadcast");
    for (const std::string &instruction : loop.instructions)
        sum += instruction.find("{1to") != std::string::npos ? 1 : 0;
    return sum;
}

class DenseLoop : public ::testing::TestWithParam<LoopCase> {};

TEST_P(DenseLoop, StartsMultiplyAddsInNearlyEveryCycle) {
    const auto [plan, loop] = planned_loop(GetParam());
    SCOPED_TRACE(plan.text() + "\n" + loop.text());
    const bool is_chain = plan.variant == "chain";
    const int multiply_adds = loop.count("vfmadd");
    EXPECT_GT(multiply_adds, 0);
    if (!is_chain) {
        const int positions = plan.params.at(plan.variant == "winograd" ? "tile_t" : "tile_p");
        const int unroll_ci = plan.params.at("unroll_ci");
        EXPECT_EQ(multiply_adds, plan.params.at("co_vectors") * positions * unroll_ci);
        EXPECT_LE(broadcasts(loop), positions * unroll_ci);
    } else {
        EXPECT_LE(broadcasts(loop) * plan.params.at("co_vectors"), multiply_adds);
    }
    EXPECT_EQ(loop.stack_accesses(), 0);
    testing::expect_no_vector_addressing(loop);
    testing::expect_none(loop, {"vblend", "vcmp", "kmov"});
    expect_units_at_work(loop, GetParam().least);
}

INSTANTIATE_TEST_SUITE_P(
    Avx512, DenseLoop,
    ::testing::Values(LoopCase{"tile_4x6", "conv_ci64_i56x56_co64_k3x3_p1_bias_relu"},
                      LoopCase{"tile_3x7_of_a_row", "conv_ci64_i28x28_co96_k3x3_p1"},
                      LoopCase{"tile_3x6_of_a_row", "conv_ci64_i54x54_co96_k3x3_p1"},
                      LoopCase{"tile_2x14_of_a_row", "conv_ci128_i56x56_co32_k3x3_p1_bias"},
                      LoopCase{"tile_2x14_stride_2", "conv_ci128_i56x56_co32_k3x3_s2_p1_bias"},
                      LoopCase{"weights_beyond_l2", "conv_ci512_i28x28_co512_k3x3_p1"},
                      LoopCase{"tile_1x28_of_a_row", "conv_ci64_i56x56_co16_k3x3_p1_bias"},
                      LoopCase{"few_channels", "conv_ci64_i56x56_co2_k3x3_p1_bias"},
                      LoopCase{"first_layer_of_a_row", "conv_ci3_i224x224_co32_k3x3_s2_p1_bias"},
                      LoopCase{"small_map", "conv_ci512_i7x7_co512_k3x3_p1_bias_relu"},
                      LoopCase{"pointwise", "conv_ci256_i14x14_co1024_k1x1_bias_relu"},
                      LoopCase{"pointwise_stride_2", "conv_ci256_i56x56_co512_k1x1_s2_bias"},
                      LoopCase{"first_layer", "conv_ci3_i224x224_co64_k7x7_s2_p3_bias_relu"},
                      LoopCase{"grouped", "conv_ci64_i28x28_co64_k3x3_p1_g4"},
                      LoopCase{"joined_groups", "conv_ci128_i56x56_co128_k3x3_p1_g32_bias_relu"},
                      LoopCase{"deconv_k2x2", "deconv_ci256_i100x100_co128_k2x2_s2_bias"},
                      LoopCase{"deconv_k3x3", "deconv_ci64_i56x56_co64_k3x3_s2_p1_o1_bias"},
                      LoopCase{"deformable", "deform_ci64_i38x63_co64_k3x3_p2_d2_og4_mask_relu"},
                      LoopCase{"conv1d", "conv_ci64_i1000_co64_k9_p4_bias"},
                      LoopCase{"conv3d", "conv_ci32_i8x28x28_co64_k3x3x3_p1_bias"},
                      LoopCase{"channels_first", "conv_ci64_i56x56_co64_k3x3_p1_nchw_bias_relu"},
                      LoopCase{"f64", "conv_ci64_i28x28_co64_k3x3_p1_f64_bias_relu"},
                      LoopCase{"winograd", "conv_ci64_i56x56_co64_k3x3_p1_bias_relu", Accuracy::Fast},
                      LoopCase{"winograd_3_vectors", "conv_ci64_i28x28_co96_k3x3_p1", Accuracy::Fast},
                      LoopCase{"winograd_f2", "conv_ci512_i7x7_co512_k3x3_p1", Accuracy::Fast},
                      LoopCase{"chain", "conv_ci64_i112x112_co64_k3_p1_g64_relu6_then_conv_co128_k1_bias"}),
    [](const auto &info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Avx2, DenseLoop,
    ::testing::Values(
        LoopCase{"separable", "conv_ci64_i112x112_co64_k3_p1_g64_relu6_then_conv_co128_k1_bias",
                 Accuracy::Exact, "x86_avx2"},
        LoopCase{"bottleneck",
                 "conv_ci24_i56x56_co144_k1_relu6_then_conv_co144_k3_p1_g144_relu6_then_conv_co24_k1",
                 Accuracy::Exact, "x86_avx2"},
        LoopCase{"stacked", "conv_ci64_i56x56_co64_k3_p1_relu_then_conv_co64_k3_p1_relu", Accuracy::Exact,
                 "x86_avx2"}),
    [](const auto &info) { return std::string(info.param.name); });

class ChannelwiseLoop : public ::testing::TestWithParam<LoopCase> {};

TEST_P(ChannelwiseLoop, StartsArithmeticInNearlyEveryCycle) {
    const auto [plan, loop] = planned_loop(GetParam());
    SCOPED_TRACE(plan.text() + "\n" + loop.text());
    EXPECT_GE(loop.count("vfmadd"),
              plan.params.at("co_vectors") * plan.params.at("tile_x") * plan.params.at("tile_y"));
    // As on AVX2, some inputs may wait on the stack for the next row of taps.
    EXPECT_LE(loop.stack_accesses(), loop.count("vfmadd") / 3);
    testing::expect_no_vector_addressing(loop);
    testing::expect_none(loop, {"vblend", "vcmp", "kmov"});
    expect_units_at_work(loop, GetParam().least);
}

INSTANTIATE_TEST_SUITE_P(
    Avx512, ChannelwiseLoop,
    ::testing::Values(LoopCase{"k3x3", "conv_ci144_i56x56_co144_k3x3_p1_g144_bias_relu"},
                      LoopCase{"k3x3_stride_2", "conv_ci96_i112x112_co96_k3x3_s2_p1_g96_bias_relu"},
                      LoopCase{"k3x3_small_map", "conv_ci960_i7x7_co960_k3x3_p1_g960_bias"},
                      LoopCase{"k3x3_two_tiles_a_row", "conv_ci576_i14x14_co576_k3x3_p1_g576_bias_relu"},
                      LoopCase{"k5x5", "conv_ci120_i28x28_co120_k5x5_p2_g120_bias_relu"},
                      // Timed on an Ice Lake, a tile of 4 x 4, which the model likes better, is no faster.
                      LoopCase{"dilated", "conv_ci64_i56x56_co64_k3x3_p2_d2_g64_bias_relu", Accuracy::Exact,
                               "x86_avx512", 0.84},
                      LoopCase{"channel_tail", "conv_ci45_i56x56_co45_k3x3_p1_g45_bias_relu"},
                      LoopCase{"f64", "conv_ci64_i28x28_co64_k3x3_p1_g64_f64_bias"}),
    [](const auto &info) { return std::string(info.param.name); });

} // namespace
} // namespace convsmith
