// Whole tuning runs on a small problem, in which candidates are planted that are wrong, crash, hang or take
// all memory.
#include "autotune/budget.h"
#include "autotune/retime.h"
#include "generators/conv_shape.h"
#include "runtime/kernel.h"
#include "runtime/records/lookup.h"
#include "tests/tuner_support.h"

#include <set>

namespace convsmith::autotune {
namespace {

TEST_F(TunerTest, EveryCandidateIsJudgedTimedAndRecorded) {
    const TuneResult result = run();
    const Contents contents = database_.read();
    EXPECT_TRUE(contents.problems().empty());
    std::set<std::string> plans;
    for (const Record *record : contents.records()) {
        EXPECT_EQ(record->status, Status::Ok) << record->error;
        EXPECT_EQ(record->key, desc_.key());
        EXPECT_GT(record->cost(), 0);
        EXPECT_GT(record->relative, 0);
        if (!record->is_chosen && record->plan_text() == result.default_plan.text()) {
            EXPECT_EQ(record->relative, 1);
        }
        EXPECT_EQ(record->seed, options_.seed);
        plans.insert(record->plan_text());
    }
    EXPECT_EQ(plans.size(), space().plans.size());
    ASSERT_EQ(chosen(contents).size(), 1u);
    EXPECT_EQ(chosen(contents)[0]->plan_text(), result.best.text());
    EXPECT_LE(result.ratio, 1.0);
    EXPECT_EQ(result.progress.tried, static_cast<int64_t>(plans.size()));

    EXPECT_EQ(best_plan(contents), result.best.text());
}

TEST_F(TunerTest, WhatIsMeasuredIsNotMeasuredAgain) {
    run();
    const size_t before = database_.read().records().size();
    const TuneResult again = run();
    EXPECT_EQ(again.progress.known, static_cast<int64_t>(space().plans.size()));
    EXPECT_EQ(database_.read().records().size(), before + 1); // the choice, confirmed
    EXPECT_LE(again.progress.tried, 2);                       // the planner's own plan and the best so far
}

TEST_F(TunerTest, TerribleCandidatesCostThemselvesOnly) {
    const std::vector<Plan> plans = space().plans;
    const std::vector<std::string> mischief = {"wrong", "segfault", "hang", "memory"};
    ASSERT_GT(plans.size(), mischief.size());
    options_.limits.seconds = 15; // for the one that hangs
    options_.worker = {CONVSMITH_BINARY_DIR "/bin/planted_worker"};
    for (size_t i = 0; i < mischief.size(); i++)
        options_.worker.push_back(plans[i].text() + "=" + mischief[i]); // the planner's own is wrong
    const TuneResult result = run();
    EXPECT_EQ(result.outcomes.at(Status::WrongResult), 1);
    EXPECT_EQ(result.outcomes.at(Status::Crash), 1);
    EXPECT_EQ(result.outcomes.at(Status::Timeout), 1);
    EXPECT_EQ(result.outcomes.at(Status::OutOfMemory), 1);
    EXPECT_EQ(result.record.status, Status::Ok);
    for (size_t i = 0; i < mischief.size(); i++)
        EXPECT_NE(result.best.text(), plans[i].text());
    const Contents contents = database_.read();
    EXPECT_TRUE(contents.problems().empty());
    EXPECT_EQ(chosen(contents).size(), 1u);
}

TEST_F(TunerTest, NextBestIsChosenWhereTheBestFailsOnFreshData) {
    const std::vector<Plan> plans = space().plans;
    options_.worker = {CONVSMITH_BINARY_DIR "/bin/planted_worker"};
    const size_t right = 3;
    for (size_t i = 0; i < plans.size(); i++) {
        if (i != right)
            options_.worker.push_back(plans[i].text() + "=fresh");
    }
    const TuneResult result = run();
    EXPECT_EQ(result.best.text(), plans[right].text());
    EXPECT_EQ(result.record.status, Status::Ok);
    const Contents contents = database_.read();
    ASSERT_EQ(chosen(contents).size(), 1u);
    EXPECT_EQ(chosen(contents)[0]->plan_text(), plans[right].text());
    EXPECT_EQ(best_plan(contents), plans[right].text());
    EXPECT_EQ(wrong_plans(contents).count(plan_anywhere(*chosen(contents)[0])), 0u);
    EXPECT_GE(wrong_plans(contents).size(), 1u);
}

TEST_F(TunerTest, ListedPlansAreTriedAndNoOthers) {
    const std::vector<Plan> plans = space().plans;
    options_.plans = {plans[4], plans[2]};
    const TuneResult result = run();
    EXPECT_EQ(result.progress.total, 3);
    std::set<std::string> tried;
    for (const Record *record : database_.read().records())
        tried.insert(record->plan_text());
    EXPECT_EQ(tried, (std::set<std::string>{plans[0].text(), plans[2].text(), plans[4].text()}));
}

TEST_F(TunerTest, StaleRecordsAreJudgedAndTimedAgainBeforeTheyCount) {
    const std::vector<Plan> plans = space().plans;
    for (const size_t i : {1, 2, 3}) {
        Record stale = new_record(desc_, plans[i], 1);
        stale.versions.algorithm = "another";
        stale.ns = {1, 1000.0 * static_cast<double>(i), 9, 0};
        stale.probe_ns = 50;
        database_.append(stale);
    }
    const StaleRecords stale = stale_records(database_.read(), 2);
    ASSERT_EQ(stale.problems.size(), 1u);
    const StaleProblem &problem = stale.problems[0];
    ASSERT_EQ(problem.plans.size(), 2u);
    EXPECT_EQ(problem.plans[0].text(), plans[1].text()) << "fastest first";
    EXPECT_EQ(problem.left, 1);
    EXPECT_EQ(best_plan(database_.read()), "");

    options_.plans = problem.plans;
    options_.worker = {CONVSMITH_BINARY_DIR "/bin/planted_worker", plans[1].text() + "=wrong"};
    const TuneResult result = tune(problem.desc, problem.target, database_, options_);
    EXPECT_EQ(result.outcomes.at(Status::WrongResult), 1);
    EXPECT_NE(best_plan(database_.read()), "");
    EXPECT_NE(best_plan(database_.read()), plans[1].text()) << "it was right once and is wrong now";
    const StaleRecords after = stale_records(database_.read(), 9);
    ASSERT_EQ(after.problems.size(), 1u);
    ASSERT_EQ(after.problems[0].plans.size(), 1u) << "the one that was left";
    EXPECT_EQ(after.problems[0].plans[0].text(), plans[3].text());
}

TEST_F(TunerTest, RecordsHoldTheWorkspace) {
    // Blocks of two rows of 28 x 64 accumulators are rearranged together.
    desc_ = ConvDesc::parse("conv_ci8_i28x28_co64_k3_p1_pixelshuffle2");
    options_.plans = {space().plans[0]};
    const TuneResult result = run();
    EXPECT_GE(result.record.workspace_bytes, 28 * 64 * 4);
    EXPECT_LE(result.record.workspace_bytes, 3 * 28 * 64 * 4);
    for (const Record *record : database_.read().records())
        EXPECT_EQ(record->workspace_bytes, result.record.workspace_bytes);
}

TEST(TuningBudget, SharesFollowWhatLayersCostAndWhatIsLeft) {
    std::vector<Layer> layers(3);
    layers[0].desc = layers[1].desc = ConvDesc::parse("conv_ci8_i8x8_co8_k1");
    layers[2].desc = ConvDesc::parse("conv_ci64_i56x56_co64_k3_p1");
    layers[1].multiplicity = 10;
    const std::vector<double> weights = tuning_weights(layers);
    ASSERT_EQ(weights.size(), 3u);
    EXPECT_GT(weights[0], 0.5) << "every layer gets half of an equal share";
    EXPECT_GT(weights[1], weights[0]);
    EXPECT_GT(weights[2], weights[1]);
    EXPECT_NEAR(weights[0] + weights[1] + weights[2], 3, 1e-9);
    EXPECT_DOUBLE_EQ(share_of(60, {1, 1, 2}, 0), 15);
    EXPECT_DOUBLE_EQ(share_of(59, {1, 1, 1}, 1), 29.5) << "what the first one left is shared";
    EXPECT_DOUBLE_EQ(share_of(7, {1, 1, 2}, 2), 7);
    EXPECT_DOUBLE_EQ(share_of(-1, {1, 1}, 1), 0);
}

TEST_F(TunerTest, BudgetEndsTheRun) {
    options_.fixed = PlanRequest(); // thousands of candidates
    options_.budget_seconds = 5;
    const TuneResult result = run();
    EXPECT_LT(result.progress.tried, result.progress.total);
    EXPECT_EQ(result.record.status, Status::Ok);
}

TEST_F(TunerTest, NoTimeAtAllStillGivesTheDefaultPlan) {
    options_.budget_seconds = 0;
    options_.batch = 6;
    options_.compilers = 1;
    const TuneResult result = run();
    EXPECT_EQ(result.record.status, Status::Ok);
    EXPECT_LT(result.progress.tried, result.progress.total) << "a first batch is cut short as others are";
    EXPECT_LT(result.record.ns.rounds, 10) << "races, too";
}

TEST_F(TunerTest, OpenSizesAndForeignTargetsAreRefused) {
    EXPECT_NE(error_of([&] {
                  tune(ConvDesc::parse("conv_ci8_i0x0_co8_k3"), host_target(), database_, options_);
              }).find("open"),
              std::string::npos);
    error_of([&] { tune(desc_, parse_target("arm_neon"), database_, options_); }, ErrorCode::Unsupported);
}

} // namespace
} // namespace convsmith::autotune
