// Whole tuning runs on a small problem, in which candidates are planted that are wrong, crash, hang or take
// all memory.
#include "autotune/lookup.h"
#include "autotune/tuner.h"
#include "runtime/temp_dir.h"
#include "tests/error_of.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

namespace convsmith::autotune {
namespace {

class TunerTest : public ::testing::Test {
protected:
    TunerTest() {
        // A space of six candidates of the generic schedule: the same on every machine, quickly compiled.
        options_.fixed.schedule = "generic";
        options_.budget_seconds = 600;
        options_.limits = {120, int64_t{2} << 30};
        options_.batch = 3;
        options_.worker = {CONVSMITH_BINARY_DIR "/bin/convsmith", "worker"};
    }

    TuneResult run() { return tune(desc_, host_target(), database_, options_); }

    Space space() const { return enumerate_space(desc_, host_target(), options_.fixed); }

    std::vector<const Record *> chosen(const Contents &contents) const {
        std::vector<const Record *> records;
        for (const Record *record : contents.records()) {
            if (record->is_chosen)
                records.push_back(record);
        }
        return records;
    }

    TempDir dir_;
    Database database_{dir_ / "db.jsonl"};
    ConvDesc desc_ = ConvDesc::parse("conv_ci8_i6x6_co16_k3_p1");
    TuneOptions options_;
};

TEST_F(TunerTest, EveryCandidateIsJudgedTimedAndRecorded) {
    const TuneResult result = run();
    const Contents contents = database_.read();
    EXPECT_TRUE(contents.problems().empty());
    std::set<std::string> plans;
    for (const Record *record : contents.records()) {
        EXPECT_EQ(record->status, Status::Ok) << record->error;
        EXPECT_EQ(record->key, desc_.key());
        EXPECT_GT(record->cost(), 0);
        EXPECT_EQ(record->seed, options_.seed);
        plans.insert(record->plan_text());
    }
    EXPECT_EQ(plans.size(), space().plans.size());
    ASSERT_EQ(chosen(contents).size(), 1u);
    EXPECT_EQ(chosen(contents)[0]->plan_text(), result.best.text());
    EXPECT_LE(result.ratio, 1.0);
    EXPECT_EQ(result.progress.tried, static_cast<int64_t>(plans.size()));

    Query query;
    query.key = desc_.key();
    query.target = host_target().halide;
    const Contents project = database_.read();
    const LookUp found = look_up({project}, query);
    ASSERT_TRUE(found.found);
    EXPECT_EQ(found.found->record->plan_text(), result.best.text());
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

TEST_F(TunerTest, FullDiskIsReportedAndTheRunGoesOn) {
    const Database full("/dev/full");
    const TuneResult result = tune(desc_, host_target(), full, options_);
    EXPECT_NE(result.store_error.find("No space left"), std::string::npos) << result.store_error;
    EXPECT_EQ(result.record.status, Status::Ok);
    EXPECT_GT(result.record.ns.median, 0);
}

TEST_F(TunerTest, KilledRunIsResumed) {
    for (int i = 0; i < 5; i++) {
        const pid_t child = fork();
        if (child == 0) {
            setenv("TMPDIR", dir_.string().c_str(), 1); // it will not clean up
            run();
            _exit(0);
        }
        usleep(400 * 1000 * (i + 1));
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
    }
    const TuneResult result = run();
    const Contents contents = database_.read();
    std::multiset<std::string> measured;
    for (const Record *record : contents.records()) {
        if (!record->is_chosen)
            measured.insert(record->plan_text());
    }
    for (const Plan &plan : space().plans)
        EXPECT_EQ(measured.count(plan.text()), 1u) << plan.text();
    EXPECT_EQ(result.record.status, Status::Ok);
}

TEST_F(TunerTest, BudgetEndsTheRun) {
    options_.fixed = PlanRequest(); // thousands of candidates
    options_.budget_seconds = 5;
    const TuneResult result = run();
    EXPECT_LT(result.progress.tried, result.progress.total);
    EXPECT_EQ(result.record.status, Status::Ok);
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
