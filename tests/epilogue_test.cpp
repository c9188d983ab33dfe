// The epilogue table: every stage against values worked outside the program, its error bound against dense
// grids, its expression column (the kernels' side) against its reference column (the oracle's side).
#include "generators/epilogue.h"
#include "generators/error.h"
#include "tests/error_of.h"

#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <cmath>
#include <limits>
#include <set>

namespace convsmith {
namespace {

constexpr double kFloatRoundoff = 0x1p-24;

/// A number of type T whose every operation rounds, with the helpers that expressions of the table use.
template<typename T>
struct Rounded {
    T v;
    Rounded() : v(0) {}
    Rounded(double x) : v(static_cast<T>(x)) {} // NOLINT: literals convert as in a kernel

    friend Rounded operator+(Rounded a, Rounded b) { return make(a.v + b.v); }
    friend Rounded operator-(Rounded a, Rounded b) { return make(a.v - b.v); }
    friend Rounded operator*(Rounded a, Rounded b) { return make(a.v * b.v); }
    friend Rounded operator/(Rounded a, Rounded b) { return make(a.v / b.v); }
    friend bool operator<(Rounded a, Rounded b) { return a.v < b.v; }
    friend Rounded max(Rounded a, Rounded b) { return a.v > b.v ? a : b; }
    friend Rounded min(Rounded a, Rounded b) { return a.v < b.v ? a : b; }
    friend Rounded clamp(Rounded a, Rounded low, Rounded high) { return min(max(a, low), high); }
    friend Rounded expm1_of(Rounded a) { return make(std::expm1(a.v)); }
    friend Rounded tanh_of(Rounded a) { return make(std::tanh(a.v)); }
    friend Rounded erf_of(Rounded a) { return make(std::erf(a.v)); }
    friend Rounded sigmoid_of(Rounded a) { return Rounded(1) / (Rounded(1) + make(std::exp(-a.v))); }
    friend Rounded softplus_of(Rounded a) {
        return make(std::log1p(std::exp(-std::fabs(a.v))) + std::fmax(a.v, T(0)));
    }
    friend Rounded mish_of(Rounded a) {
        return a * make(std::tanh(std::log1p(std::exp(-std::fabs(a.v))) + std::fmax(a.v, T(0))));
    }
    static Rounded make(T value) {
        Rounded r;
        r.v = value;
        return r;
    }
};

template<typename T>
Rounded<T> select(bool condition, Rounded<T> a, Rounded<T> b) {
    return condition ? a : b;
}

/// The stage's expression column with every operation rounded to T.
template<typename T>
double evaluate_expression(const EpilogueStage &stage, double x_value, double t_value) {
    const Rounded<T> x(x_value);
    [[maybe_unused]] const Rounded<T> t(t_value);
    [[maybe_unused]] std::array<Rounded<T>, 4> p;
    for (size_t i = 0; i < stage.params.size(); i++)
        p.at(i) = Rounded<T>(stage.params[i]);
#define CONVSMITH_EPILOGUE(name_, operand_, params_, defaults_, lipschitz_, rounding_, expression_,          \
                           reference_, formula_)                                                             \
    if (stage.name == #name_)                                                                                \
        return Rounded<T>(expression_).v;
#include "generators/epilogues.inc"
#undef CONVSMITH_EPILOGUE
    ADD_FAILURE() << "no expression for " << stage.name;
    return 0;
}

/// Every stage with its defaults, and unusual parameters.
std::vector<EpilogueStage> all_stages() {
    std::vector<EpilogueStage> stages;
    for (const EpilogueInfo &info : epilogue_table())
        stages.push_back(epilogue_stage(info.name));
    const double inf = std::numeric_limits<double>::infinity();
    for (const EpilogueStage &extra : std::vector<EpilogueStage>{{"leaky_relu", {-0.3}},
                                                                 {"leaky_relu", {3}},
                                                                 {"elu", {2.5}},
                                                                 {"elu", {-0.7}},
                                                                 {"celu", {0.3}},
                                                                 {"celu", {4}},
                                                                 {"hard_sigmoid", {-1.7, 0.1}},
                                                                 {"hard_sigmoid", {1.0 / 6, 0.5}},
                                                                 {"hard_sigmoid", {0.3, 4}},
                                                                 {"clamp", {0.1, 0.7}},
                                                                 {"clamp", {-inf, 1.0 / 3}},
                                                                 {"clamp", {-inf, inf}}})
        stages.push_back(extra);
    return stages;
}

std::string title(const EpilogueStage &stage) {
    std::string text = stage.name;
    for (const double p : stage.params)
        text += " " + std::to_string(p);
    return text;
}

/// Points where stages bend, and from tiny to large.
std::vector<double> grid() {
    std::vector<double> points;
    for (int i = -8000; i <= 8000; i++)
        points.push_back(i / 400.0);
    for (double x = 1e-30; x < 1e6; x *= 1.7) {
        points.push_back(x);
        points.push_back(-x);
    }
    return points;
}

TEST(Epilogue, ValuesWorkedByHand) {
    const struct {
        EpilogueStage stage;
        double x, t, want;
    } rows[] = {
        {epilogue_stage("bias"), 1.5, 2, 3.5},
        {epilogue_stage("residual"), -1, 0.25, -0.75},
        {epilogue_stage("channel_scale"), -1.5, 0.5, -0.75},
        {epilogue_stage("gate"), 3, 0.25, 0.75},
        {epilogue_stage("prelu"), -2, 0.25, -0.5},
        {epilogue_stage("prelu"), 2, 0.25, 2},
        {epilogue_stage("celu"), -1, 0, -0.63212055882855768},
        {{"celu", {2}}, -1, 0, -0.78693868057473315},
        {{"celu", {2}}, 1, 0, 1},
        {epilogue_stage("softplus"), 0, 0, 0.69314718055994531},
        {epilogue_stage("softplus"), 1, 0, 1.3132616875182228},
        {epilogue_stage("softplus"), -2, 0, 0.12692801104297252},
        {epilogue_stage("softplus"), 1000, 0, 1000},
        {epilogue_stage("relu"), -2, 0, 0},
        {epilogue_stage("relu"), 2, 0, 2},
        {epilogue_stage("relu6"), -1, 0, 0},
        {epilogue_stage("relu6"), 3.5, 0, 3.5},
        {epilogue_stage("relu6"), 7, 0, 6},
        {epilogue_stage("clamp"), -5, 0, -1},
        {epilogue_stage("clamp"), 0.5, 0, 0.5},
        {epilogue_stage("clamp"), 5, 0, 1},
        {{"clamp", {2, 3}}, 0, 0, 2},
        {epilogue_stage("leaky_relu"), -2, 0, -0.02},
        {epilogue_stage("leaky_relu"), 2, 0, 2},
        {{"leaky_relu", {0.5}}, -3, 0, -1.5},
        {epilogue_stage("elu"), -1, 0, -0.63212055882855768},
        {epilogue_stage("elu"), 4, 0, 4},
        {{"elu", {2}}, -1, 0, -1.26424111765711536},
        {epilogue_stage("selu"), 1, 0, 1.0507009873554805},
        {epilogue_stage("selu"), -1, 0, -1.1113307378125625},
        {epilogue_stage("tanh"), 0.5, 0, 0.46211715726000976},
        {epilogue_stage("tanh"), -100, 0, -1},
        {epilogue_stage("sigmoid"), 0, 0, 0.5},
        {epilogue_stage("sigmoid"), 2, 0, 0.88079707797788243},
        {epilogue_stage("sigmoid"), -1000, 0, 0},
        {epilogue_stage("hard_sigmoid"), 1, 0, 0.7},
        {epilogue_stage("hard_sigmoid"), 2.5, 0, 1},
        {epilogue_stage("hard_sigmoid"), -3, 0, 0},
        {{"hard_sigmoid", {0.25, 0.25}}, 1, 0, 0.5},
        {epilogue_stage("silu"), 1, 0, 0.73105857863000488},
        {epilogue_stage("silu"), -2, 0, -0.23840584404423517},
        {epilogue_stage("silu"), -1000, 0, 0},
        {epilogue_stage("hard_swish"), 1, 0, 2.0 / 3},
        {epilogue_stage("hard_swish"), -1, 0, -1.0 / 3},
        {epilogue_stage("hard_swish"), -4, 0, 0},
        {epilogue_stage("hard_swish"), 4, 0, 4},
        {epilogue_stage("gelu"), 1, 0, 0.84134474606854295},
        {epilogue_stage("gelu"), -1, 0, -0.15865525393145705},
        {epilogue_stage("gelu"), 2, 0, 1.9544997361036416},
        {epilogue_stage("fast_gelu"), 1, 0, 0.8411919906082768},
        {epilogue_stage("fast_gelu"), -1, 0, -0.1588080093917232},
        {epilogue_stage("mish"), 1, 0, 0.86509838826731035},
        {epilogue_stage("mish"), -1, 0, -0.30340146137410891},
        {epilogue_stage("mish"), 3, 0, 2.9865350049679575},
        {epilogue_stage("mish"), 1000, 0, 1000},
    };
    std::set<std::string> seen;
    for (const auto &row : rows) {
        EXPECT_NEAR(epilogue_reference(row.stage, row.x, row.t), row.want, 4e-16 * (1 + std::fabs(row.want)))
            << title(row.stage) << " of " << row.x;
        seen.insert(row.stage.name);
    }
    EXPECT_EQ(seen.size(), epilogue_table().size()) << "a stage without a worked value";
}

TEST(Epilogue, RowsAreWellFormed) {
    std::set<std::string> names;
    for (const EpilogueInfo &info : epilogue_table()) {
        SCOPED_TRACE(info.name);
        EXPECT_TRUE(names.insert(info.name).second) << "a name given twice";
        ASSERT_FALSE(info.name.empty());
        EXPECT_NE(std::islower(info.name[0]), 0);
        EXPECT_EQ(info.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string::npos);
        EXPECT_NE(info.name[0], 'v') << "would read as a number";
        EXPECT_EQ(info.param_names.size(), info.param_defaults.size());
        EXPECT_FALSE(info.formula.empty());
    }
}

TEST(Epilogue, UnknownStageListsTheKnownOnes) {
    const std::string message = error_of([] { epilogue_stage("relu7"); });
    EXPECT_NE(message.find("'relu7'"), std::string::npos) << message;
    EXPECT_NE(message.find("leaky_relu"), std::string::npos) << message;
}

TEST(EpilogueBound, CoversTheSteepestSlopeAndNotMuchMore) {
    for (const EpilogueStage &stage : all_stages()) {
        double steepest = 0;
        for (int i = -200000; i < 200000; i++) {
            const double a = i / 10000.0, b = (i + 1) / 10000.0;
            const double rise = std::fabs(epilogue_reference(stage, b, 0) - epilogue_reference(stage, a, 0));
            steepest = std::fmax(steepest, rise / (b - a));
        }
        const double lipschitz = epilogue_error_bound(stage, 0.3, 0, 1, 0);
        EXPECT_GE(lipschitz, steepest * (1 - 1e-9)) << title(stage);
        EXPECT_LE(lipschitz, 1.01 * std::fmax(steepest, 0)) << title(stage) << ": looser than needed";
    }
}

TEST(EpilogueBound, CoversErrorsOfTheArgument) {
    for (const EpilogueStage &stage : all_stages()) {
        for (const double x : grid()) {
            for (const double error : {1e-6, 0.01, 2.0}) {
                for (const double shifted : {x - error, x + error}) {
                    const double got = std::fabs(epilogue_reference(stage, shifted, 0.5) -
                                                 epilogue_reference(stage, x, 0.5));
                    // Both references round, each to double.
                    ASSERT_LE(got, epilogue_error_bound(stage, x, 0.5, std::fabs(shifted - x), 2 * 0x1p-53))
                        << title(stage) << " at " << x << " +- " << error;
                }
            }
        }
    }
}

TEST(EpilogueBound, CoversTheRoundingOfTheExpression) {
    for (const EpilogueStage &stage : all_stages()) {
        double worst = 0;
        for (const double x : grid()) {
            for (const double t : {0.0, 0.1f * 3.0, -1234.5}) {
                // The argument is exact, so all error is the stage's own (and that of a float t).
                const double exact_x = static_cast<float>(x), exact_t = static_cast<float>(t);
                const double got = evaluate_expression<float>(stage, exact_x, exact_t);
                const double want = epilogue_reference(stage, exact_x, exact_t);
                const double bound = epilogue_error_bound(stage, exact_x, exact_t, 0, kFloatRoundoff);
                ASSERT_LE(std::fabs(got - want), bound) << title(stage) << " at " << x << ", t " << t;
                worst = std::fmax(worst, bound == 0 ? 0 : std::fabs(got - want) / bound);
            }
        }
        RecordProperty(stage.name, std::to_string(worst));
    }
}

TEST(EpilogueBound, ExpressionAndReferenceAgreeInDouble) {
    for (const EpilogueStage &stage : all_stages()) {
        for (const double x : grid()) {
            const double got = evaluate_expression<double>(stage, x, 0.25);
            const double want = epilogue_reference(stage, x, 0.25);
            ASSERT_LE(std::fabs(got - want), 2 * epilogue_error_bound(stage, x, 0.25, 0, 0x1p-53))
                << title(stage) << " at " << x;
        }
    }
}

} // namespace
} // namespace convsmith
