// The oracle against numbers worked out by hand, and the honesty of its error bound.
#include "runtime/oracle.h"

#include "generators/conv_shape.h"
#include "runtime/oracle_samples.h"
#include "runtime/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace convsmith {
namespace {

void assign(Tensor &tensor, const std::vector<double> &values) {
    ASSERT_EQ(tensor.elements(), static_cast<int64_t>(values.size()));
    for (size_t i = 0; i < values.size(); ++i) {
        tensor.set(static_cast<int64_t>(i), values[i]);
    }
}

/// Tensors of `key` with the given input and filter values.
Problem problem_with(const std::string &key, const std::vector<double> &input,
                     const std::vector<double> &filter) {
    Problem problem = make_problem(ConvDesc::parse(key), Fill::SmallIntegers, 1);
    assign(problem["input"], input);
    assign(problem["filter"], filter);
    return problem;
}

std::vector<double> outputs_of(const Problem &problem) {
    std::vector<double> values;
    const std::vector<int64_t> shape = output_shape(problem.desc);
    const int64_t count = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
    for (int64_t i = 0; i < count; ++i) {
        values.push_back(oracle_at(problem.desc, problem.view(), i).value);
    }
    return values;
}

using Values = std::vector<double>;

/// A kernel of weights 100, 10, 1 writes the three cells it sees as decimal digits.
Values digits(const std::string &key, const Values &input) {
    return outputs_of(problem_with(key, input, {100, 10, 1}));
}

TEST(Oracle, ValidWindowReadsItsCellsInOrder) {
    EXPECT_EQ(digits("conv_ci1_i5_co1_k3", {1, 2, 3, 4, 5}), (Values{123, 234, 345}));
}

TEST(Oracle, DilationSpreadsTaps) {
    EXPECT_EQ(digits("conv_ci1_i5_co1_k3_d2", {1, 2, 3, 4, 5}), (Values{135}));
}

TEST(Oracle, StrideSkipsWindows) {
    EXPECT_EQ(digits("conv_ci1_i6_co1_k3_s2", {1, 2, 3, 4, 5, 6}), (Values{123, 345}));
}

TEST(Oracle, ZeroPaddingAddsNothing) {
    EXPECT_EQ(digits("conv_ci1_i3_co1_k3_p1", {1, 2, 3}), (Values{12, 123, 230}));
}

TEST(Oracle, AsymmetricPaddingStartsWhereTold) {
    EXPECT_EQ(digits("conv_ci1_i3_co1_k3_p2x0", {1, 2, 3}), (Values{1, 12, 123}));
}

TEST(Oracle, PaddingBeyondTheKernelGivesZeros) {
    EXPECT_EQ(digits("conv_ci1_i3_co1_k3_p4x0", {1, 2, 3}), (Values{0, 0, 1, 12, 123}));
}

TEST(Oracle, ConstantPaddingReadsItsValue) {
    EXPECT_EQ(digits("conv_ci1_i3_co1_k3_p1_constant_v7", {1, 2, 3}), (Values{712, 123, 237}));
}

TEST(Oracle, ReflectPaddingMirrorsWithoutTheEdge) {
    EXPECT_EQ(digits("conv_ci1_i3_co1_k3_p2_reflect", {1, 2, 3}), (Values{321, 212, 123, 232, 321}));
}

TEST(Oracle, ReplicatePaddingRepeatsTheEdge) {
    EXPECT_EQ(digits("conv_ci1_i3_co1_k3_p2_replicate", {1, 2, 3}), (Values{111, 112, 123, 233, 333}));
}

TEST(Oracle, CircularPaddingWrapsAround) {
    EXPECT_EQ(digits("conv_ci1_i3_co1_k3_p2_circular", {1, 2, 3}), (Values{231, 312, 123, 231, 312}));
}

TEST(Oracle, SymmetricPaddingRepeatsTheEdgeAndTurnsBack) {
    EXPECT_EQ(digits("conv_ci1_i3_co1_k3_p2_symmetric", {1, 2, 3}), (Values{211, 112, 123, 233, 332}));
}

TEST(Oracle, PaddingOfOneAxisLeavesTheOtherAlone) {
    // Rows 12 and 34 with a zero row below; the 2x1 kernel reads a column pair as digits.
    const Problem problem = problem_with("conv_ci1_i2x2_co1_k2x1_p0x0x1x0", {1, 2, 3, 4}, {10, 1});
    EXPECT_EQ(outputs_of(problem), (Values{13, 24, 30, 40}));
}

TEST(Oracle, GroupsSeeTheirOwnChannels) {
    const Problem problem = problem_with("conv_ci4_i1_co2_k1_g2", {1, 2, 3, 4}, {1, 10, 100, 1000});
    EXPECT_EQ(outputs_of(problem), (Values{21, 4300}));
}

TEST(Oracle, DepthwiseMultiplierRepeatsInputChannels) {
    const Problem problem = problem_with("conv_ci2_i1_co4_k1_g2", {3, 5}, {1, 10, 1, 10});
    EXPECT_EQ(outputs_of(problem), (Values{3, 30, 5, 50}));
}

TEST(Oracle, LayoutsHoldTheSameValues) {
    // Channel 0 is 1 2, channel 1 is 3 4; output channel 0 adds, output channel 1 subtracts.
    const Values filter = {1, 1, 1, -1};
    EXPECT_EQ(outputs_of(problem_with("conv_ci2_i2_co2_k1_nwc", {1, 3, 2, 4}, filter)),
              (Values{4, -2, 6, -2}));
    EXPECT_EQ(outputs_of(problem_with("conv_ci2_i2_co2_k1_ncw", {1, 2, 3, 4}, filter)),
              (Values{4, 6, -2, -2}));
    EXPECT_EQ(outputs_of(problem_with("conv_ci2_i2_co2_k1_nwc2ncw", {1, 3, 2, 4}, filter)),
              (Values{4, 6, -2, -2}));
}

TEST(Oracle, BatchesAreIndependent) {
    const Problem problem = problem_with("conv_n2_ci1_i2_co1_k2", {1, 2, 3, 4}, {10, 1});
    EXPECT_EQ(outputs_of(problem), (Values{12, 34}));
}

TEST(Oracle, ThreeDimensionalValuesOfTheWorkedExample) {
    // Input 1..96 lies as [depth 3][channel 2][4][4], weights as [depth 2][channel 2][3][3].
    const Values weights = {1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0,
                            1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0};
    Problem problem =
        make_problem(ConvDesc::parse("conv_ci2_i3x4x4_co1_k2x3x3_ncdhw"), Fill::SmallIntegers, 1);
    for (int c = 0; c < 2; ++c) {
        for (int d = 0; d < 3; ++d) {
            for (int yx = 0; yx < 16; ++yx) {
                problem["input"].set((c * 3 + d) * 16 + yx, (d * 2 + c) * 16 + yx + 1);
            }
        }
        for (int d = 0; d < 2; ++d) {
            for (int k = 0; k < 9; ++k) {
                problem["filter"].set((c * 2 + d) * 9 + k, weights[(d * 2 + c) * 9 + k]);
            }
        }
    }
    EXPECT_EQ(outputs_of(problem), (Values{321, 332, 365, 376, 673, 684, 717, 728}));
}

// The transposed convolution of the worked example: each input projects the kernel, overlaps add.
constexpr double kProjected[9] = {1, 2, 1, 2, 1, 2, 1, 1, 2};

TEST(Oracle, TransposedConvolutionProjectsTheKernel) {
    const Values kernel(std::begin(kProjected), std::end(kProjected));
    EXPECT_EQ(outputs_of(problem_with("deconv_ci1_i1x1_co1_k3", {55}, kernel)),
              (Values{55, 110, 55, 110, 55, 110, 55, 55, 110}));
}

TEST(Oracle, OverlappingProjectionsAdd) {
    const Values kernel(std::begin(kProjected), std::end(kProjected));
    const Values input = {55, 52, 57, 50};
    Values want(16, 0);
    for (int cell = 0; cell < 4; ++cell) {
        for (int tap = 0; tap < 9; ++tap) {
            want[(cell / 2 + tap / 3) * 4 + cell % 2 + tap % 3] += input[cell] * kernel[tap];
        }
    }
    EXPECT_EQ(outputs_of(problem_with("deconv_ci1_i2x2_co1_k3", input, kernel)), want);
}

TEST(Oracle, TransposedConvolutionRestoresTheSizeOfAConvolution) {
    const ConvDesc conv = ConvDesc::parse("conv_ci1_i4x4_co1_k3");
    EXPECT_EQ(output_shape(conv), (std::vector<int64_t>{1, 2, 2, 1}));
    EXPECT_EQ(output_shape(ConvDesc::parse("deconv_ci1_i2x2_co1_k3")), input_shape(conv));
}

TEST(Oracle, EpilogueStagesApplyInOrder) {
    Problem problem = problem_with("conv_ci1_i2_co1_k1_bias_residual_relu", {1, -1}, {5});
    assign(problem["bias"], {2});
    assign(problem["residual"], {-10, 4});
    EXPECT_EQ(outputs_of(problem), (Values{0, 1})); // relu(5 + 2 - 10), relu(-5 + 2 + 4)
}

TEST(Oracle, ResidualAfterActivationIsNotClamped) {
    Problem problem = problem_with("conv_ci1_i2_co1_k1_relu_residual", {1, -1}, {5});
    assign(problem["residual"], {-10, -4});
    EXPECT_EQ(outputs_of(problem), (Values{-5, -4}));
}

TEST(Oracle, BoundIsTheGrowthOfOneRoundingPerTerm) {
    // Three products, sum|a||b| = 1*4 + 2*5 + 3*6 = 32: 3 * 2^-24 * 32, and less than a hundredth more.
    const Problem problem = problem_with("conv_ci3_i1_co1_k1", {1, -2, 3}, {4, 5, -6});
    const OracleValue value = oracle_at(problem.desc, problem.view(), 0);
    EXPECT_EQ(value.value, -24);
    const double expected = 3 * 0x1p-24 * 32;
    EXPECT_GE(value.bound, expected);
    EXPECT_LE(value.bound, 1.01 * expected);
}

TEST(Oracle, AddedTensorsCountAsTerms) {
    Problem problem = problem_with("conv_ci1_i1_co1_k1_bias", {1}, {1});
    assign(problem["bias"], {-1000});
    const double expected = 2 * 0x1p-24 * 1001; // two terms of magnitudes 1 and 1000
    const OracleValue value = oracle_at(problem.desc, problem.view(), 0);
    EXPECT_GE(value.bound, expected);
    EXPECT_LE(value.bound, 1.01 * expected);
}

TEST(Oracle, RoundingToANarrowerOutputWidensTheBound) {
    const Problem wide = problem_with("conv_ci1_i1_co1_k1_f32xf32xf64xf32", {3}, {7});
    const OracleValue value = oracle_at(wide.desc, wide.view(), 0);
    EXPECT_GE(value.bound, 21 * 0x1p-24);
    EXPECT_LE(value.bound, 1.01 * 21 * 0x1p-24);
}

/// The sum of products in type T, in the order or in reverse, with or without FMA.
template<typename T>
T float_sum(const Problem &problem, bool reverse, bool fused) {
    const int64_t count = problem["filter"].elements();
    T sum = 0;
    for (int64_t i = 0; i < count; ++i) {
        const int64_t at = reverse ? count - 1 - i : i;
        const T x = problem["input"].as<T>()[at];
        const T w = problem["filter"].as<T>()[at];
        if (fused) {
            sum = std::fma(x, w, sum);
        } else {
            const volatile T product = x * w;
            sum += product;
        }
    }
    return sum;
}

template<typename T>
void expect_sums_within_bound(const std::string &key) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        const Problem problem = make_problem(ConvDesc::parse(key), Fill::Uniform, seed);
        const OracleValue exact = oracle_at(problem.desc, problem.view(), 0);
        for (const bool reverse : {false, true}) {
            for (const bool fused : {false, true}) {
                const double error = std::fabs(float_sum<T>(problem, reverse, fused) - exact.value);
                EXPECT_LE(error, exact.bound);
            }
        }
    }
}

TEST(Oracle, AnyOrderOfAnF32SumStaysWithinTheBound) {
    expect_sums_within_bound<float>("conv_ci1000_i1_co1_k1");
}

TEST(Oracle, AnyOrderOfAnF64SumStaysWithinTheBound) {
    expect_sums_within_bound<double>("conv_ci1000_i1_co1_k1_f64");
}

/// The oracle's own values, rounded, as a kernel's output.
Tensor perfect_output(const Problem &problem) {
    Tensor output(problem.desc.out_type, output_shape(problem.desc));
    for (int64_t i = 0; i < output.elements(); ++i) {
        output.set(i, oracle_at(problem.desc, problem.view(), i).value);
    }
    return output;
}

Judgement judge_perturbed(const Problem &problem, double bounds) {
    Tensor output = perfect_output(problem);
    const OracleValue value = oracle_at(problem.desc, problem.view(), 5);
    output.set(5, value.value + bounds * value.bound);
    return judge(problem.desc, problem.view(), output.view());
}

TEST(Judge, AcceptsARoundedPerfectOutput) {
    const Problem problem =
        make_problem(ConvDesc::parse("conv_ci9_i4x5_co3_k3_p1_bias_tanh"), Fill::Uniform, 3);
    const Judgement judgement = judge(problem.desc, problem.view(), perfect_output(problem).view());
    EXPECT_TRUE(judgement.ok()) << judgement.first_wrong;
    EXPECT_EQ(judgement.checked, 4 * 5 * 3);
    EXPECT_LE(judgement.max_bound_ratio, 1);
}

TEST(Judge, FlagsOneValueOutsideItsBound) {
    const Problem problem = make_problem(ConvDesc::parse("conv_ci9_i4x5_co3_k3_p1"), Fill::Uniform, 3);
    EXPECT_TRUE(judge_perturbed(problem, 0.8).ok());
    const Judgement judgement = judge_perturbed(problem, 1.5);
    EXPECT_EQ(judgement.wrong, 1);
    EXPECT_GT(judgement.max_bound_ratio, 1);
    EXPECT_EQ(judgement.first_wrong.rfind("output[0][0][1][2]: got ", 0), 0u) << judgement.first_wrong;
}

TEST(Judge, ExactModeFlagsOneUnitInTheLastPlace) {
    const Problem problem = make_problem(ConvDesc::parse("conv_ci9_i4x5_co3_k3_p1"), Fill::SmallIntegers, 3);
    Tensor output = perfect_output(problem);
    JudgeOptions exact;
    exact.exact = true;
    EXPECT_TRUE(judge(problem.desc, problem.view(), output.view(), exact).ok());
    float &value = output.as<float>()[7];
    value = std::nextafter(value, std::numeric_limits<float>::infinity());
    const Judgement judgement = judge(problem.desc, problem.view(), output.view(), exact);
    EXPECT_EQ(judgement.wrong, 1);
    EXPECT_TRUE(judge(problem.desc, problem.view(), output.view()).ok()) << "one ulp is within the bound";
}

TEST(Judge, FlagsAnElementThatWasNeverWritten) {
    const Problem problem = make_problem(ConvDesc::parse("conv_ci2_i4_co3_k3"), Fill::Uniform, 3);
    Tensor output = perfect_output(problem);
    output.set(2, std::numeric_limits<double>::quiet_NaN());
    const Judgement judgement = judge(problem.desc, problem.view(), output.view());
    EXPECT_EQ(judgement.wrong, 1);
    EXPECT_NE(judgement.first_wrong.find("never written"), std::string::npos);
}

TEST(Judge, SampleFindsAWrongCorner) {
    const Problem problem = make_problem(ConvDesc::parse("conv_ci2_i40x40_co8_k1"), Fill::Uniform, 3);
    Tensor output = perfect_output(problem);
    output.set(output.elements() - 1, 1e3);
    JudgeOptions sampled;
    sampled.max_points = 100;
    const Judgement judgement = judge(problem.desc, problem.view(), output.view(), sampled);
    EXPECT_EQ(judgement.wrong, 1);
    EXPECT_EQ(judgement.checked, 100);
}

TEST(Judge, RefusesATensorOfAnotherShape) {
    const Problem problem = make_problem(ConvDesc::parse("conv_ci2_i4_co3_k3"), Fill::Uniform, 3);
    const Tensor other(DType::F32, {1, 3, 3});
    EXPECT_THROW(judge(problem.desc, problem.view(), other.view()), Error);
}

TEST(SamplePoints, HoldEveryCornerAndStayInside) {
    const std::vector<int64_t> shape = {2, 30, 40, 17};
    const int64_t total = 2 * 30 * 40 * 17;
    const std::vector<int64_t> points = sample_points(shape, 500, 7);
    EXPECT_EQ(points.size(), 500u);
    EXPECT_TRUE(std::is_sorted(points.begin(), points.end()));
    EXPECT_EQ(std::adjacent_find(points.begin(), points.end()), points.end());
    EXPECT_GE(points.front(), 0);
    EXPECT_LT(points.back(), total);
    for (const int64_t corner :
         {int64_t{0}, int64_t{16}, int64_t{39 * 17}, total / 2 - 1, total / 2, total - 1}) {
        EXPECT_TRUE(std::binary_search(points.begin(), points.end(), corner)) << corner;
    }
    EXPECT_EQ(points, sample_points(shape, 500, 7));
    EXPECT_NE(points, sample_points(shape, 500, 8));
}

TEST(Fill, SmallIntegersCoverTheirRangeAndRepeat) {
    Tensor a(DType::F32, {1000});
    Tensor b(DType::F32, {1000});
    fill(a, Fill::SmallIntegers, 5);
    fill(b, Fill::SmallIntegers, 5);
    std::array<int, 5> seen = {};
    for (int i = 0; i < 1000; ++i) {
        ASSERT_EQ(a.get(i), b.get(i));
        ASSERT_EQ(a.get(i), std::trunc(a.get(i)));
        ASSERT_LE(std::fabs(a.get(i)), 2);
        ++seen[static_cast<size_t>(a.get(i) + 2)];
    }
    EXPECT_GT(*std::min_element(seen.begin(), seen.end()), 100);
}

TEST(Fill, UniformStaysInItsIntervalAroundZero) {
    Tensor a(DType::F64, {10000});
    fill(a, Fill::Uniform, 5);
    double sum = 0;
    for (int64_t i = 0; i < a.elements(); ++i) {
        ASSERT_LE(std::fabs(a.get(i)), 1);
        sum += a.get(i);
    }
    EXPECT_LT(std::fabs(sum / 10000), 5 / std::sqrt(3.0 * 10000)); // five standard deviations of the mean
}

TEST(MakeProblem, RefusesOpenExtents) {
    EXPECT_THROW(make_problem(ConvDesc::parse("conv_n0_ci1_i4_co1_k1"), Fill::Uniform, 1), Error);
}

} // namespace
} // namespace convsmith
