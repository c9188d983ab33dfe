// Winograd: its transforms, when the planner takes it, and its kernels against the oracle with the bound that
// their plan names.
#include "generators/winograd_transform.h"

#include "generators/conv_shape.h"
#include "runtime/check.h"
#include "runtime/library/pack_reference.h"
#include "runtime/random.h"
#include "tests/error_of.h"
#include "tests/jit_support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace convsmith {
namespace {

/// matrix * x
std::vector<double> times(const WinogradTransform::Matrix &matrix, const std::vector<double> &x) {
    std::vector<double> result;
    for (const std::vector<double> &row : matrix) {
        double sum = 0;
        for (size_t i = 0; i < x.size(); i++)
            sum += row[i] * x[i];
        result.push_back(sum);
    }
    return result;
}

TEST(WinogradTransform, ComputesACorrelation) {
    Random random(7);
    for (const auto &[tile, kernel] :
         {std::pair(2, 3), std::pair(4, 3), std::pair(2, 5), std::pair(1, 1), std::pair(3, 2)}) {
        const WinogradTransform f = winograd_transform(tile, kernel);
        std::vector<double> filter, input;
        for (int k = 0; k < kernel; k++)
            filter.push_back(random.between(-9, 9));
        for (int i = 0; i < f.size(); i++)
            input.push_back(random.between(-9, 9));
        std::vector<double> product = times(f.g, filter);
        const std::vector<double> transformed = times(f.bt, input);
        for (size_t j = 0; j < product.size(); j++)
            product[j] *= transformed[j];
        const std::vector<double> outputs = times(f.at, product);
        for (int i = 0; i < tile; i++) {
            double want = 0;
            for (int k = 0; k < kernel; k++)
                want += filter[k] * input[i + k];
            EXPECT_NEAR(outputs[i], want, 1e-11) << "F(" << tile << "," << kernel << ") output " << i;
        }
    }
}

TEST(WinogradTransform, BoundFollowsFromTheAmplification) {
    const auto amplification = [](int tile, int taps = 3) {
        const double along = winograd_amplification(winograd_transform(tile, taps));
        return along * along;
    };
    EXPECT_NEAR(amplification(4), 10.4, 0.1);
    EXPECT_NEAR(amplification(2, 5), 7.8, 0.1);
    EXPECT_NEAR(amplification(2), 1.7, 0.1);
    const double u = std::exp2(-24);
    EXPECT_LE(u / std::sqrt(3) * std::sqrt(kWinogradMaxChannels / 2.0) * amplification(4),
              kWinogradRelativeError);
}

PlanChoice plan_of(const char *key, const PlanRequest &request = PlanRequest(),
                   const char *target = "x86_avx2") {
    return make_plan(ConvDesc::parse(key), parse_target(target), request);
}

std::string rejection_of(const PlanChoice &choice, const std::string &candidate) {
    for (const Rejection &rejection : choice.rejected) {
        if (rejection.schedule == candidate)
            return rejection.reason;
    }
    return "";
}

constexpr const char *kLayer = "conv_ci64_i56x56_co64_k3_p1_bias_relu";

TEST(WinogradPlan, IsTakenWhereFastIsAllowedAndSaysWhichBoundApplies) {
    const PlanChoice choice = plan_of(kLayer);
    EXPECT_EQ(choice.plan.variant, "winograd");
    EXPECT_EQ(choice.plan.schedule, "x86_avx2");
    EXPECT_EQ(choice.plan.relative_error(), kWinogradRelativeError);
    EXPECT_EQ(accuracy_name(choice.accuracy), "fast");
    EXPECT_EQ(choice.accuracy_source, "default");
}

TEST(WinogradPlan, ExactAccuracyExcludesIt) {
    PlanRequest request;
    request.accuracy = Accuracy::Exact;
    const PlanChoice choice = plan_of(kLayer, request);
    EXPECT_EQ(choice.plan.variant, "direct");
    EXPECT_EQ(choice.plan.relative_error(), 0);
    EXPECT_EQ(choice.accuracy_source, "explicit");
    EXPECT_EQ(rejection_of(choice, "winograd"), "accuracy is exact");
    request.variant = "winograd";
    EXPECT_NE(error_of([&] { plan_of(kLayer, request); }, ErrorCode::Unsupported).find("accuracy is exact"),
              std::string::npos);
}

TEST(WinogradPlan, OtherTypesAndProblemsNeverGetIt) {
    for (const char *key : {"conv_ci64_i56x56_co64_k3_p1_f64", "conv_ci64_i56x56_co64_k3_p1_f32xf32xf64xf32",
                            "conv_ci64_i56x56_co64_k3_p1_s2", "conv_ci64_i56x56_co64_k3_p2_d2",
                            "conv_ci64_i56x56_co64_k3_p1_g64", "conv_ci64_i56x56_co64_k7_p3",
                            "conv_ci64_i56x56_co64_k3x4", "conv_n0_ci64_i56x56_co64_k3_p1",
                            "conv_ci768_i8x9x9_co64_k3_p1", "conv_ci64_i56x56_co64_k3_p1_pixelshuffle2"}) {
        EXPECT_NE(plan_of(key).plan.variant, "winograd") << key;
        PlanRequest request;
        request.variant = "winograd";
        EXPECT_NE(error_of([&] { plan_of(key, request); }, ErrorCode::Unsupported), "") << key;
    }
}

TEST(WinogradPlan, BlocksOfChannelsLieWithinAGroup) {
    const PlanChoice halves = plan_of("conv_ci128_i28x28_co96_k3_p1_g2"); // 48 channels are 3 blocks of 16
    EXPECT_EQ(halves.plan.variant, "winograd");
    EXPECT_EQ(48 % halves.plan.packing(ConvDesc::parse("conv_ci128_i28x28_co96_k3_p1_g2")).co_block, 0);
    EXPECT_NE(rejection_of(plan_of("conv_n2_ci128_i28x28_co72_k3_p1_g2"), "winograd/x86_avx2")
                  .find("36, not a multiple"),
              std::string::npos);
    const ConvDesc apart = ConvDesc::parse("conv_ci128_i28x28_co72_k3_p1_g2");
    const PlanChoice each = plan_of("conv_ci128_i28x28_co72_k3_p1_g2");
    EXPECT_EQ(each.plan.variant, "winograd");
    EXPECT_TRUE(each.plan.packing(apart).by_group) << "one image: blocks of each group's own";
    EXPECT_NE(rejection_of(plan_of("conv_ci64_i28x28_co128_k3_p1_g4"), "winograd/x86_avx2")
                  .find("fewer than 32 channels of a group"),
              std::string::npos);
    PlanRequest request;
    request.variant = "winograd";
    request.params = {{"co_vectors", 4}}; // 32 channels
    EXPECT_NE(error_of([&] { plan_of("conv_ci128_i28x28_co96_k3_p1_g2", request); }, ErrorCode::BadArgument)
                  .find("do not divide the 48 of a group"),
              std::string::npos);
}

TEST(WinogradPlan, IsLeftOutWhereItIsNotExpectedToBeFaster) {
    EXPECT_NE(rejection_of(plan_of("conv_ci16_i56x56_co64_k3_p1"), "winograd/x86_avx2")
                  .find("fewer than 32 channels"),
              std::string::npos);
    EXPECT_NE(rejection_of(plan_of("conv_ci64_i3x3_co64_k3"), "winograd/x86_avx2"), "");
    EXPECT_NE(rejection_of(plan_of(kLayer, {}, "x86_64"), "winograd/generic").find("not tuned"),
              std::string::npos);
    PlanRequest request;
    request.params = {{"tile_p", 5}};
    EXPECT_EQ(rejection_of(plan_of(kLayer, request), "winograd/x86_avx2"), "has no parameter 'tile_p'");
}

TEST(WinogradPlan, RefusesOtherTiles) {
    PlanRequest request;
    request.variant = "winograd";
    request.params = {{"tile", 3}};
    EXPECT_EQ(error_of([&] { plan_of(kLayer, request); }, ErrorCode::BadArgument),
              "x86_avx2 winograd: tile is 3, want 2 or 4");
    request.params = {{"tile", 4}};
    EXPECT_EQ(error_of([&] { plan_of("conv_ci64_i27x27_co64_k5_p2", request); }, ErrorCode::BadArgument),
              "x86_avx2 winograd: tile is 4, want 2 for 5 taps");
}

/// Every padding mode, both layouts, tiles that overhang on either axis, channels that fill no block,
/// epilogues.
constexpr const char *kKeys[] = {
    "conv_ci32_i13x15_co40_k3_p1_bias_relu",
    "conv_ci33_i15x14_co43_k3_p1_bias_residual_relu",
    "conv_n2_ci32_i9x11_co32_k3_nchw_bias_hard_swish",
    "conv_ci32_i14x13_co32_k3_p2x1x0x3_reflect_prelu",
    "conv_ci32_i14x14_co32_k3_p1_circular",
    "conv_ci32_i14x13_co32_k3_p1_replicate_nhwc2nchw",
    "conv_ci32_i14x13_co32_k3_p2_symmetric_nchw2nhwc",
    "conv_ci32_i14x13_co32_k3_p1_constant_v3_sigmoid",
    "conv_ci40_i17x17_co48_k1x3_p0x1x0x1_bias",
    "conv_ci40_i17x17_co48_k3x1_p1x0x1x0_gate",
    "conv_ci64_i101_co64_k3_p1",
    "conv_ci5_i7x6_co3_k3_p1_bias",
    "conv_ci128_i7x7_co96_k3_p1_bias",
    "conv_ci32_i4x9x9_co32_k1x3x3_p0x1x1x0x1x1",
    "conv_ci32_i20x20_co32_k3_p1_into64x16_bias_relu",
    "conv_ci8_i6x5_co8_k3_p1_nchw_residual",
    "conv_ci20_i13x15_co24_k5_p2_bias_relu",
    "conv_ci16_i12x9_co24_k5x3_p2x1x2x1_nchw",
    "conv_n2_ci16_i5x9x11_co24_k3_p1_bias_relu",
    "conv_ci10_i6x9x8_co16_k2x3x5_p0x1x2x1x1x2_residual",
    "conv_ci9_i5x5x6_co12_k3x3x1_p1x1x0x1x1x0_reflect",
};

/// Whether a tile of 4 is none for the key.
bool has_five_taps(const ConvDesc &desc) {
    return std::count(desc.kernel.begin(), desc.kernel.begin() + desc.rank, 5) > 0;
}

class Winograd : public testing::TestWithParam<const char *> {
protected:
    /// The planner's Winograd kernel, compiled once for all tests.
    static std::shared_ptr<const Kernel> kernel(const ConvDesc &desc) {
        static Jit jit(no_disk());
        PlanRequest request;
        request.variant = "winograd";
        return jit.kernel(desc, request);
    }
};

TEST_P(Winograd, MatchesOracleWithinItsBound) {
    for (const char *schedule : {"x86_avx2", "generic"}) {
        for (const int tile : {2, 4}) {
            if (tile == 4 && has_five_taps(ConvDesc::parse(GetParam())))
                continue;
            CheckOptions options;
            options.jit = no_disk();
            options.request.variant = "winograd";
            options.request.schedule = schedule;
            options.request.params = {{"tile", tile}};
            Layer layer;
            layer.name = GetParam();
            layer.desc = ConvDesc::parse(GetParam());
            const CheckReport report = check_layers({layer}, options);
            for (const CheckOutcome &outcome : report.outcomes)
                EXPECT_NE(outcome.verdict, Verdict::Failed) << outcome.plan << ": " << outcome.detail;
        }
    }
}

TEST_P(Winograd, OneTwoAndEightThreadsGiveTheSameBits) {
    const ConvDesc desc = ConvDesc::parse(GetParam());
    const auto kernel = Winograd::kernel(desc);
    const Problem problem = make_problem(desc, Fill::Uniform, 5);
    set_num_threads(1);
    const Tensor one = run(*kernel, problem);
    for (const int threads : {2, 8}) {
        set_num_threads(threads);
        const Tensor many = run(*kernel, problem);
        EXPECT_EQ(std::memcmp(one.data(), many.data(), one.bytes()), 0) << threads << " threads";
    }
    set_num_threads(0);
}

TEST_P(Winograd, PackedWeightsAreThoseOfPlainLoops) {
    const ConvDesc desc = ConvDesc::parse(GetParam());
    const auto kernel = Winograd::kernel(desc);
    const Problem problem = make_problem(desc, Fill::Uniform, 5);
    const PackedFilter filter = kernel->pack(problem.filters());
    const Tensor want = library::pack_reference(desc, filter.packing(), problem["filter"]);
    const Tensor &got = filter.tensor();
    ASSERT_EQ(got.shape(), want.shape());
    for (int64_t i = 0; i < want.elements(); i++)
        ASSERT_NEAR(got.get(i), want.get(i), 1e-6 * std::fabs(want.get(i)) + 1e-7) << "element " << i;
}

INSTANTIATE_TEST_SUITE_P(EdgeShapes, Winograd, testing::ValuesIn(kKeys),
                         [](const auto &info) { return std::string(info.param); });

TEST(WinogradBound, AnErrorAboveItIsFoundAndOneBelowIsNot) {
    const ConvDesc desc = ConvDesc::parse("conv_ci64_i12x12_co32_k3_p1_bias");
    PlanRequest request;
    request.accuracy = Accuracy::Exact;
    Jit jit(no_disk());
    const Problem problem = make_problem(desc, Fill::Uniform, 9);
    Tensor output = run(*jit.kernel(desc, request), problem);
    double largest = 0;
    for (int64_t i = 0; i < output.elements(); i++)
        largest = std::fmax(largest, std::fabs(output.get(i)));
    JudgeOptions options;
    options.relative_error = kWinogradRelativeError;
    EXPECT_TRUE(judge(desc, problem.view(), output.view(), options).ok());
    const double right = output.get(77);
    output.set(77, right + 0.5 * kWinogradRelativeError * largest);
    EXPECT_TRUE(judge(desc, problem.view(), output.view(), options).ok());
    output.set(77, right + 2 * kWinogradRelativeError * largest);
    EXPECT_EQ(judge(desc, problem.view(), output.view(), options).wrong, 1);
}

TEST(WinogradBound, NetworkSizedSumsStayFarBelow) {
    // ReLU networks have inputs without negative numbers; both kinds of data are measured.
    for (const char *key : {"conv_ci512_i14x14_co64_k3_p1", "conv_ci128_i28x28_co64_k3_p1"}) {
        CheckOptions options;
        options.jit = no_disk();
        Layer layer;
        layer.name = key;
        layer.desc = ConvDesc::parse(key);
        const CheckReport report = check_layers({layer}, options);
        ASSERT_EQ(report.outcomes.size(), 1u);
        EXPECT_EQ(report.outcomes[0].verdict, Verdict::Passed) << report.outcomes[0].detail;
        EXPECT_LE(report.outcomes[0].max_bound_ratio, 0.5) << report.outcomes[0].plan;
    }
}

} // namespace
} // namespace convsmith
