// What README.md adds under "How to add", compiled as it stands there against this tree's tables (by
// cmake/readme_extension.cmake) and judged by the oracle: an epilogue stage and a variant.
#include "generators/variant.h"
#include "runtime/check.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace convsmith {
namespace {

/// Problems of the variant with the stage: both layouts, one to three dimensions, types, open sizes.
const char *const kKeys[] = {
    "conv_ci1_i9x11_co12_k3_s2_p1_bias_softsign", "conv_n2_ci1_i8x7_co16_k3x2_d2x1_nchw_softsign_relu",
    "conv_n0_ci1_i0_co5_k4_p1_softsign",          "conv_ci1_i4x5x6_co3_k2_f64_reflect_p1_softsign",
    "conv_ci1_i14x14_co32_k5_p2_bias_softsign",
};

std::vector<CheckOutcome> check_all(const std::string &schedule) {
    CheckOptions options;
    options.jit.cache_dir = "-"; // the cache's key does not know of this program's tables
    options.request.schedule = schedule;
    std::vector<Layer> layers;
    for (const char *key : kKeys) {
        Layer layer;
        layer.name = key;
        layer.desc = ConvDesc::parse(key);
        layers.push_back(layer);
    }
    return check_layers(layers, options).outcomes;
}

TEST(Extension, StageHasItsFormula) {
    EXPECT_EQ(epilogue_reference(epilogue_stage("softsign"), -3, 0), -0.75);
    EXPECT_EQ(epilogue_reference(epilogue_stage("softsign"), 1, 0), 0.5);
    EXPECT_EQ(epilogue_table().back().name, "softsign");
}

TEST(Extension, VariantAndStageMatchTheOracleOnTheGenericSchedule) {
    for (const CheckOutcome &outcome : check_all("generic")) {
        EXPECT_EQ(outcome.verdict, Verdict::Passed) << outcome.name << ": " << outcome.detail;
        EXPECT_EQ(outcome.plan.find("one_channel/generic"), 0u) << outcome.plan;
    }
}

TEST(Extension, VariantIsTunedWhereAScheduleNamesIt) {
    const bool is_avx2 = host_target().name == "x86_avx2";
    int tuned = 0;
    for (const CheckOutcome &outcome : check_all("")) {
        EXPECT_EQ(outcome.verdict, Verdict::Passed) << outcome.name << ": " << outcome.detail;
        EXPECT_EQ(outcome.plan.find("one_channel/"), 0u) << outcome.plan;
        tuned += outcome.plan.find("one_channel/x86_avx2") == 0 ? 1 : 0;
    }
    EXPECT_EQ(tuned, is_avx2 ? 3 : 0);
}

TEST(Extension, OtherConvolutionsKeepTheirVariant) {
    EXPECT_EQ(make_plan(ConvDesc::parse("conv_ci2_i8x8_co8_k3"), host_target()).plan.variant, "direct");
    EXPECT_EQ(make_plan(ConvDesc::parse("conv_ci1_i8x8_co8_k1"), host_target()).plan.variant, "pointwise");
}

} // namespace
} // namespace convsmith
