// Inner loops of the tuned schedules of 64-bit ARM, which no machine here can time: no spills, one load for
// four input channels of a position, and, by LLVM's models with their known errors corrected, arithmetic
// units at work in nearly every cycle of an out-of-order core (Cortex-A76, Neoverse N1) and of an in-order
// one (Cortex-A55). All layers of these tables and more CPUs: bench/static_arm.md.
#include "autotune/machine_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

namespace convsmith {
namespace {

constexpr double kA76 = 0.88, kA55 = 0.85; ///< part of the cycles in which arithmetic starts, at least

struct ArmLoop {
    const char *name, *key;
    Accuracy accuracy = Accuracy::Exact;
};

std::ostream &operator<<(std::ostream &out, const ArmLoop &c) {
    return out << c.key;
}

double work(const autotune::Loop &loop, const char *cpu) {
    const autotune::MachineModel &model = autotune::machine_model(parse_target("arm_neon"), cpu);
    return loop.arithmetic() / model.multiply_adds / autotune::modelled_cycles(loop, model);
}

/// Instructions that load two vectors.
int64_t vector_pairs(const autotune::Loop &loop) {
    const std::regex pair(R"(^ldp\s+q)");
    return std::count_if(loop.instructions.begin(), loop.instructions.end(),
                         [&](const std::string &i) { return std::regex_search(i, pair); });
}

class ArmLoops : public ::testing::TestWithParam<ArmLoop> {
protected:
    void SetUp() override {
        const ConvDesc desc = ConvDesc::parse(GetParam().key);
        plan_ = plan_for(desc, "arm_neon");
        loop_ = autotune::hot_loop(autotune::assembly_of(desc, plan_));
        a55_plan_ = plan_for(desc, "arm_a55");
        a55_loop_ = autotune::hot_loop(autotune::assembly_of(desc, a55_plan_));
    }

    static Plan plan_for(const ConvDesc &desc, const char *target) {
        PlanRequest request;
        request.accuracy = GetParam().accuracy;
        Plan plan = make_plan(desc, parse_target(target), request).plan;
        EXPECT_EQ(plan.schedule, target) << plan.text();
        return plan;
    }

    static void expect_clean(const Plan &plan, const autotune::Loop &loop) {
        SCOPED_TRACE(plan.text() + "\n" + loop.text());
        EXPECT_GT(loop.multiply_adds(), 0);
        EXPECT_EQ(loop.stack_accesses(), 0);
        for (const char *mnemonic :
             {"bl", "mul", "madd", "sdiv", "udiv", "tbl", "zip", "uzp", "trn", "ext", "ins"})
            EXPECT_EQ(loop.count(mnemonic), 0) << mnemonic;
    }

    void expect_clean_and_busy() {
        expect_clean(plan_, loop_);
        expect_clean(a55_plan_, a55_loop_);
        EXPECT_EQ(vector_pairs(a55_loop_), 0) << "pairs bind the order of loads\n" << a55_loop_.text();
        if (autotune::mca_program().empty())
            GTEST_SKIP()
                << "needs llvm-mca (packages llvm-14 or llvm-19) for the cycles; instructions are as "
                   "they should be";
        EXPECT_GE(work(loop_, "cortex-a76"), kA76) << loop_.text();
        EXPECT_GE(work(loop_, "neoverse-n1"), kA76) << loop_.text();
        EXPECT_GE(work(a55_loop_, "cortex-a55"), kA55) << a55_plan_.text() << "\n" << a55_loop_.text();
    }

    Plan plan_, a55_plan_; ///< of the classes arm_neon and arm_a55
    autotune::Loop loop_, a55_loop_;
};

class ArmDenseLoop : public ArmLoops {};

TEST_P(ArmDenseLoop, MultipliesByLanesOfWhatItLoadsOnce) {
    expect_clean_and_busy();
    if (plan_.variant == "chain")
        return;
    const int positions = plan_.params.at(plan_.variant == "winograd" ? "tile_t" : "tile_p");
    const int vectors = plan_.params.at("co_vectors"), channels = plan_.params.at("unroll_ci");
    EXPECT_EQ(loop_.multiply_adds() % (vectors * positions * channels), 0) << loop_.text(); // a tap or a few
    const int lanes = vector_lanes(plan_.target, ConvDesc::parse(GetParam().key).acc_type);
    if (channels % lanes == 0) { // weights come in pairs
        EXPECT_GT(vector_pairs(loop_), 0) << loop_.text();
        EXPECT_LE(loop_.loads(), positions * channels / lanes + (vectors * channels + 1) / 2) << loop_.text();
    }
}

INSTANTIATE_TEST_SUITE_P(
    Arm, ArmDenseLoop,
    ::testing::Values(ArmLoop{"k3x3_56", "conv_ci64_i56x56_co64_k3_p1_bias_relu"},
                      ArmLoop{"k3x3_14", "conv_ci256_i14x14_co256_k3_p1_bias_relu"},
                      ArmLoop{"k3x3_7", "conv_ci512_i7x7_co512_k3_p1_bias_relu"},
                      ArmLoop{"k3x3_stride_2", "conv_ci128_i56x56_co128_k3_s2_p1_bias_relu"},
                      ArmLoop{"winograd", "conv_ci64_i56x56_co64_k3_p1_bias_relu", Accuracy::Fast},
                      ArmLoop{"k1x1_56", "conv_ci64_i56x56_co256_k1_bias_relu"},
                      ArmLoop{"k1x1_7", "conv_ci512_i7x7_co2048_k1_bias"},
                      ArmLoop{"k1x1_24_channels", "conv_ci144_i56x56_co24_k1_bias"},
                      ArmLoop{"k1x1_stride_2", "conv_ci256_i56x56_co512_k1_s2_bias"},
                      // 3 channels fill no vector: a load for every 2 or 3 multiply-adds.
                      ArmLoop{"first_layer", "conv_ci3_i224x224_co64_k7_s2_p3_bias_relu"},
                      ArmLoop{"first_layer_3x3", "conv_ci3_i224x224_co32_k3_s2_p1_bias_relu"},
                      ArmLoop{"grouped", "conv_ci64_i28x28_co64_k3_p1_g4"},
                      ArmLoop{"deconv", "deconv_ci64_i56x56_co64_k3_s2_p1_o1_bias"},
                      ArmLoop{"deformable", "deform_ci64_i38x63_co64_k3_p2_d2_og4_mask_relu"},
                      ArmLoop{"conv1d", "conv_ci64_i1000_co64_k9_p4_bias"},
                      ArmLoop{"conv3d", "conv_ci32_i8x28x28_co64_k3x3x3_p1_bias"},
                      ArmLoop{"channels_first", "conv_ci64_i56x56_co64_k3_p1_nchw_bias_relu"},
                      ArmLoop{"f64", "conv_ci64_i28x28_co64_k3_p1_f64_bias_relu"},
                      ArmLoop{"chain", "conv_ci64_i112x112_co64_k3_p1_g64_relu6_then_conv_co128_k1_bias"}),
    [](const auto &info) { return std::string(info.param.name); });

class ArmDepthwiseLoop : public ArmLoops {};

TEST_P(ArmDepthwiseLoop, KeepsTheUnitsAtWork) {
    expect_clean_and_busy();
}

INSTANTIATE_TEST_SUITE_P(
    Arm, ArmDepthwiseLoop,
    ::testing::Values(ArmLoop{"k3x3_112", "conv_ci32_i112x112_co32_k3_p1_g32_bias_relu6"},
                      ArmLoop{"k3x3_56", "conv_ci144_i56x56_co144_k3_p1_g144_bias_relu6"},
                      ArmLoop{"k3x3_14", "conv_ci576_i14x14_co576_k3_p1_g576_bias_relu6"},
                      ArmLoop{"k3x3_7", "conv_ci960_i7x7_co960_k3_p1_g960_bias_relu6"},
                      // A load for every 1.9 arithmetic instructions; tiles with fewer loads spill.
                      ArmLoop{"k3x3_stride_2", "conv_ci96_i112x112_co96_k3_s2_p1_g96_bias_relu6"},
                      ArmLoop{"k5x5", "conv_ci120_i28x28_co120_k5_p2_g120_bias_relu"},
                      ArmLoop{"channels_first", "conv_ci144_i56x56_co144_k3_p1_g144_nchw_bias_relu6"}),
    [](const auto &info) { return std::string(info.param.name); });

} // namespace
} // namespace convsmith
