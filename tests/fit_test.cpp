// Fitting the analytic ranking to measured times.
#include "autotune/effects.h"
#include "autotune/fit.h"
#include "autotune/space.h"
#include "runtime/records/curate.h"
#include "tests/error_of.h"
#include "tests/record_samples.h"

#include <gtest/gtest.h>

#include <cmath>

namespace convsmith::autotune {
namespace {

constexpr const char *kKey = "conv_ci64_i14x14_co64_k3_p1";

/// Records whose times are what other weights of the effects would give.
Contents planted(const std::vector<double> &weights, size_t plans) {
    const ConvDesc desc = ConvDesc::parse(kKey);
    const Target target = parse_target("x86_avx2");
    PlanRequest fixed;
    fixed.variant = "direct";
    fixed.schedule = "x86_avx2";
    const Space space = enumerate_space(desc, target, fixed);
    PlanAnalysis analysis(desc, target);
    Contents contents;
    for (size_t i = 0; i < plans; i++) {
        const Plan &plan = space.plans[i * 37 % space.plans.size()];
        const Effects effects = analysis.effects(plan);
        double log_cost = 3; // of the problem: left open
        for (size_t e = 0; e < effects.size(); e++)
            log_cost += effects[e] * weights[e];
        Record record = new_record(desc, plan, 1);
        record.probe_ns = 1000;
        record.ns = {0, 1000 * std::exp(log_cost), 9, 1};
        contents.lines.push_back({static_cast<int64_t>(i + 1), "", record, ""});
    }
    return contents;
}

std::vector<double> table_weights() {
    std::vector<double> weights;
    for (const EffectInfo &row : effect_table())
        weights.push_back(row.weight);
    return weights;
}

TEST(Fit, FindsTheWeightsBehindTheTimes) {
    std::vector<double> weights = table_weights();
    const auto rows = static_cast<size_t>(Effect::FewerRows);
    const auto unrolled = static_cast<size_t>(Effect::LessUnrolled);
    weights[rows] = 0.4;
    weights[unrolled] = 0.3;
    const Fit fit = fit_effects({planted(weights, 300)});
    EXPECT_NEAR(fit.weights[rows], 0.4, 0.05);
    EXPECT_NEAR(fit.weights[unrolled], 0.3, 0.05);
    const auto winograd = static_cast<size_t>(Effect::Winograd); // in no record
    EXPECT_DOUBLE_EQ(fit.weights[winograd], table_weights()[winograd]);
    ASSERT_EQ(fit.problems.size(), 1u);
    EXPECT_EQ(fit.problems[0].key, ConvDesc::parse(kKey).key());
    EXPECT_GT(fit.problems[0].rank_after, 0.98);
    EXPECT_GT(fit.problems[0].rank_after, fit.problems[0].rank_before);
    EXPECT_LE(fit.problems[0].best_of_30_after, fit.problems[0].best_of_30_before);
}

TEST(Fit, NeedsSeveralPlansOfAProblem) {
    EXPECT_NE(error_of([] { fit_effects({planted(table_weights(), 9)}); }).find("at least 10"),
              std::string::npos);
    Contents stale = planted(table_weights(), 20);
    for (Line &line : stale.lines)
        line.record->versions.algorithm = "of yesterday";
    error_of([&] { fit_effects({stale}); });
}

TEST(Fit, RankCorrelationKnowsOrderOnly) {
    EXPECT_DOUBLE_EQ(rank_correlation({1, 2, 3, 4}, {10, 20, 25, 1000}), 1);
    EXPECT_DOUBLE_EQ(rank_correlation({1, 2, 3}, {3, 2, 1}), -1);
    EXPECT_DOUBLE_EQ(rank_correlation({1, 1, 1}, {3, 2, 1}), 0);
    EXPECT_NEAR(rank_correlation({1, 2, 2, 3}, {1, 2, 3, 4}), 0.9487, 1e-4); // ties share their places
}

TEST(SteadyCosts, ComparePlansAsTheirRoundsDid) {
    Record own = sample_record(1, 10), quiet = sample_record(2, 8), old = sample_record(4, 12);
    own.relative = 1;
    quiet.relative = 1.2; // measured in a fast phase: only 8 us, but slower than the planner's own then
    const std::map<const Record *, double> costs = steady_costs({&own, &quiet, &old});
    EXPECT_DOUBLE_EQ(costs.at(&own), own.cost());
    EXPECT_DOUBLE_EQ(costs.at(&quiet), 1.2 * own.cost());
    EXPECT_DOUBLE_EQ(costs.at(&old), old.cost()) << "of an older version";
    EXPECT_DOUBLE_EQ(steady_costs({&quiet}).at(&quiet), quiet.cost()) << "nothing to relate it to";
}

} // namespace
} // namespace convsmith::autotune
