// What the planner makes of measured plans, alone (made-up answers) and through tuning records in the JIT,
// `check` and libraries. Whatever a record says, planning succeeds.
#include "runtime/check.h"
#include "runtime/library.h"
#include "runtime/records/recorded_plans.h"
#include "tests/jit_support.h"
#include "tests/record_samples.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <sstream>
#include <sys/stat.h>

namespace convsmith {
namespace {

using autotune::Database;
using autotune::Record;

const ConvDesc kDesc = ConvDesc::parse(autotune::kSampleKey);

/// Answers what the test says and keeps what it was asked.
class Answers : public TunedPlans {
public:
    explicit Answers(TunedAnswer answer) : answer_(std::move(answer)) {}
    TunedAnswer find(const TunedQuery &query) const override {
        asked_ += query.key + " " + query.target.name + " " + std::to_string(query.threads) + " " +
                  accuracy_name(query.accuracy);
        return answer_;
    }
    const std::string &asked() const { return asked_; }

private:
    TunedAnswer answer_;
    mutable std::string asked_;
};

PlanRequest with(const std::vector<TunedPlan> &plans) {
    PlanRequest request;
    request.tuned = std::make_shared<Answers>(TunedAnswer{plans, {}});
    return request;
}

/// A plan of a schedule of this target, as somebody may have measured it.
TunedPlan measured(const std::string &schedule, const Params &params = {},
                   const std::string &target = "x86_avx2") {
    PlanRequest request;
    request.variant = "direct";
    request.schedule = schedule;
    request.params = params;
    const Plan plan = make_plan(kDesc, parse_target(target), request).plan;
    return {plan.variant, plan.schedule, plan.params, "somebody"};
}

const Target kAvx2 = parse_target("x86_avx2");

TEST(TunedPlan, MeasuredPlanGoesBeforeTheDefault) {
    const TunedPlan tuned = measured("generic");
    const PlanChoice choice = make_plan(kDesc, kAvx2, with({tuned, measured("x86_avx2")}));
    EXPECT_EQ(choice.plan.schedule, "generic");
    EXPECT_EQ(choice.plan.params, tuned.params);
    EXPECT_EQ(choice.source, "somebody");
    EXPECT_TRUE(choice.is_tuned);
    EXPECT_TRUE(choice.passed_over.empty());
}

TEST(TunedPlan, QuestionNamesProblemTargetThreadsAndAccuracy) {
    const auto answers = std::make_shared<Answers>(TunedAnswer{{}, {"three stale records"}});
    PlanRequest request;
    request.tuned = answers;
    request.threads = 3;
    request.accuracy = Accuracy::Exact;
    const PlanChoice choice = make_plan(kDesc, kAvx2, request);
    EXPECT_EQ(answers->asked(), kDesc.key() + " x86_avx2 3 exact");
    EXPECT_EQ(choice.passed_over, std::vector<std::string>{"three stale records"});
    EXPECT_EQ(choice.source, "default");
    EXPECT_FALSE(choice.is_tuned);
}

TEST(TunedPlan, RefusedPlansArePassedOverWithTheReason) {
    TunedPlan unknown_schedule = measured("generic"), unknown_variant = unknown_schedule,
              unknown_number = unknown_schedule, incomplete = measured("x86_avx2"),
              other_op = unknown_schedule, illegal = measured("x86_avx2");
    unknown_schedule.schedule = "z80";
    unknown_variant.variant = "magic";
    unknown_number.params["no_such"] = 1;
    incomplete.params.clear();
    other_op.variant = "transposed";
    illegal.params["tile_p"] = 1000; // more registers than there are
    const std::vector<std::pair<TunedPlan, std::string>> rows = {
        {unknown_schedule, "z80"}, {unknown_variant, "magic"}, {unknown_number, "no_such"},
        {incomplete, "numbers"},   {other_op, "transposed"},   {illegal, "registers"}};
    std::vector<TunedPlan> plans;
    for (const auto &[plan, part] : rows)
        plans.push_back(plan);
    const PlanChoice alone = make_plan(kDesc, kAvx2, with(plans));
    EXPECT_EQ(alone.plan.text(), make_plan(kDesc, kAvx2).plan.text());
    EXPECT_FALSE(alone.is_tuned);
    ASSERT_EQ(alone.passed_over.size(), rows.size());
    for (size_t i = 0; i < rows.size(); i++)
        EXPECT_NE(alone.passed_over[i].find(rows[i].second), std::string::npos) << alone.passed_over[i];

    plans.push_back(measured("generic")); // the next best is taken
    const PlanChoice next = make_plan(kDesc, kAvx2, with(plans));
    EXPECT_EQ(next.plan.schedule, "generic");
    EXPECT_TRUE(next.is_tuned);
    EXPECT_EQ(next.passed_over.size(), rows.size());
}

TEST(TunedPlan, WhatTheCallerFixesIsKept) {
    const TunedPlan tuned = measured("x86_avx2", {{"tile_p", 4}});
    PlanRequest request = with({tuned});
    request.schedule = "generic";
    EXPECT_EQ(make_plan(kDesc, kAvx2, request).plan.schedule, "generic");
    EXPECT_EQ(make_plan(kDesc, kAvx2, request).source, "explicit");
    request = with({tuned});
    request.params["tile_p"] = 3;
    EXPECT_EQ(make_plan(kDesc, kAvx2, request).plan.params.at("tile_p"), 3);
    request.params["tile_p"] = 4;
    EXPECT_TRUE(make_plan(kDesc, kAvx2, request).is_tuned);
    request.variant = "pointwise";
    EXPECT_THROW(make_plan(kDesc, kAvx2, request), Error) << "as without records";
    request = with({tuned});
    request.co_block = 8;
    const PlanChoice shared = make_plan(kDesc, kAvx2, request);
    EXPECT_EQ(shared.plan.packing(kDesc).co_block, 8) << shared.plan.text();
}

TEST(TunedPlan, ExactAccuracyTakesNoApproximatePlan) {
    const ConvDesc desc = ConvDesc::parse("conv_ci64_i28x28_co64_k3_p1");
    PlanRequest winograd;
    winograd.variant = "winograd";
    const Plan plan = make_plan(desc, kAvx2, winograd).plan;
    PlanRequest request = with({{plan.variant, plan.schedule, plan.params, "somebody"}});
    EXPECT_TRUE(make_plan(desc, kAvx2, request).is_tuned);
    request.accuracy = Accuracy::Exact;
    const PlanChoice exact = make_plan(desc, kAvx2, request);
    EXPECT_EQ(exact.plan.relative_error(), 0);
    ASSERT_EQ(exact.passed_over.size(), 1u);
    EXPECT_NE(exact.passed_over[0].find("accuracy is exact"), std::string::npos);
}

/// A database of records of this machine and target.
class Records : public ::testing::Test {
protected:
    /// An Ok record of the generic schedule with that block of output channels.
    static Record record(int co_block, double us, int threads = 1) {
        PlanRequest request;
        request.schedule = "generic";
        request.params["co_block"] = co_block;
        Record record = autotune::new_record(kDesc, make_plan(kDesc, host_target(), request).plan, threads);
        record.ns = {us * 990, us * 1000, 9, 0.5};
        record.probe_ns = 50000;
        return record;
    }

    std::string add(const Record &record) const {
        Database(path_).append(record);
        return path_;
    }

    PlanChoice plan() const {
        PlanRequest request;
        request.tuned = autotune::load_recorded_plans(path_);
        return make_plan(kDesc, host_target(), request);
    }

    JitOptions jit_options() const {
        JitOptions options = no_disk();
        options.records = path_;
        return options;
    }

    TempDir dir_;
    std::string path_ = dir_ / "db.jsonl";
};

TEST_F(Records, BestRecordIsThePlanAndSaysWhoseItIs) {
    add(record(4, 20));
    add(record(2, 10));
    const PlanChoice choice = plan();
    EXPECT_EQ(choice.plan.params.at("co_block"), 2);
    EXPECT_EQ(choice.source,
              "tuning record of " + autotune::host_hardware().cpu + " (same hardware) in " + path_);
}

TEST_F(Records, NextBestIsTakenWhereThePlannerRefusesTheBest) {
    Record illegal = record(2, 10);
    illegal.params["co_block"] = 7;
    illegal.params["no_such"] = 1;
    add(illegal);
    add(record(4, 20));
    const PlanChoice choice = plan();
    EXPECT_EQ(choice.plan.params.at("co_block"), 4);
    ASSERT_EQ(choice.passed_over.size(), 1u);
    EXPECT_NE(choice.passed_over[0].find("no_such"), std::string::npos) << choice.passed_over[0];
}

TEST_F(Records, StaleAndWrongOnesAreNamedAndNotTaken) {
    Record stale = record(2, 1);
    stale.versions.algorithm = "another";
    Record wrong = record(4, 10);
    add(stale);
    add(wrong);
    wrong.status = autotune::Status::WrongResult;
    wrong.hardware.cpu = "another machine";
    add(wrong);
    const PlanChoice choice = plan();
    EXPECT_FALSE(choice.is_tuned);
    ASSERT_EQ(choice.passed_over.size(), 2u);
    EXPECT_NE(choice.passed_over[0].find("1 stale record"), std::string::npos) << choice.passed_over[0];
    EXPECT_NE(choice.passed_over[1].find("wrong results"), std::string::npos) << choice.passed_over[1];
}

TEST_F(Records, DamagedFilesStopNobody) {
    std::ofstream(path_) << "garbage\n{\"v\": 99}\n\xff\xfe\n";
    add(record(2, 10));
    std::ofstream(path_, std::ios::app) << "{\"v\": 1, \"key\": ";
    EXPECT_EQ(plan().plan.params.at("co_block"), 2);
}

TEST_F(Records, NamedFileThatIsNotThereIsAnError) {
    const auto message = error_of([&] { autotune::load_recorded_plans(path_); }, ErrorCode::Io);
    EXPECT_NE(message.find("db.jsonl"), std::string::npos);
    JitOptions options = no_disk();
    options.records = path_;
    error_of([&] { const Jit jit(options); }, ErrorCode::Io);
    EXPECT_EQ(autotune::load_recorded_plans("-"), nullptr);
}

TEST_F(Records, UnreadableUserFileIsPassedOver) {
    const char *before = std::getenv("XDG_DATA_HOME");
    const std::string kept = before == nullptr ? "" : before;
    std::ofstream(dir_ / "flat") << "no folder";
    setenv("XDG_DATA_HOME", (dir_ / "flat").c_str(), 1);
    PlanRequest request;
    request.tuned = autotune::load_recorded_plans();
    const PlanChoice choice = make_plan(kDesc, host_target(), request);
    const int64_t compiled = [&] {
        Jit jit(no_disk());
        jit.kernel(kDesc);
        return jit.stats().compiled;
    }();
    if (before == nullptr)
        unsetenv("XDG_DATA_HOME");
    else
        setenv("XDG_DATA_HOME", kept.c_str(), 1);
    EXPECT_EQ(compiled, 1);
    ASSERT_EQ(choice.passed_over.size(), 1u);
    EXPECT_NE(choice.passed_over[0].find("tuning.jsonl"), std::string::npos) << choice.passed_over[0];
}

TEST_F(Records, JitPlansWithThemAndComputesRightly) {
    add(record(2, 10));
    Jit jit(jit_options());
    set_num_threads(1);
    const auto kernel = jit.kernel(kDesc);
    EXPECT_TRUE(kernel->choice().is_tuned);
    EXPECT_EQ(kernel->choice().plan.params.at("co_block"), 2);
    expect_exact(*kernel, kDesc, 3);

    EXPECT_EQ(jit.kernel(kDesc), kernel);
    EXPECT_EQ(jit.stats().memory_hits, 1);
    PlanRequest same = record(2, 10).request();
    EXPECT_EQ(jit.kernel(kDesc, make_plan(kDesc, host_target(), same))->choice().source, "explicit")
        << "one plan from two sources";

    set_num_threads(2); // nothing is known for two
    EXPECT_FALSE(jit.kernel(kDesc)->choice().is_tuned);
    set_num_threads(0);
}

TEST_F(Records, JitWithoutThemTakesTheDefaultPlan) {
    add(record(2, 10));
    JitOptions options = jit_options();
    options.records = "-";
    Jit jit(options);
    const auto kernel = jit.kernel(kDesc);
    EXPECT_EQ(kernel->choice().source, "default");
    EXPECT_EQ(kernel->choice().plan.text(), make_plan(kDesc, host_target()).plan.text());
}

TEST_F(Records, DiskCacheHoldsTunedAndDefaultCodeApart) {
    add(record(2, 10));
    const TempDir cache;
    JitOptions tuned = disk(cache), plain = tuned;
    tuned.records = path_;
    plain.records = "-";
    set_num_threads(1);
    for (int round = 0; round < 2; round++) {
        Jit first(tuned), second(plain);
        EXPECT_NE(first.kernel(kDesc)->choice().plan.text(), second.kernel(kDesc)->choice().plan.text());
        EXPECT_EQ(first.stats().disk_hits + second.stats().disk_hits, 2 * round);
        expect_exact(*first.kernel(kDesc), kDesc, 4);
        expect_exact(*second.kernel(kDesc), kDesc, 4);
    }
    set_num_threads(0);
}

TEST_F(Records, CheckSpellsATunedPlanOutInItsReproducer) {
    CheckOptions options;
    options.request.tuned = autotune::load_recorded_plans(add(record(2, 10)));
    options.jit = no_disk();
    Layer layer;
    layer.name = kDesc.key();
    layer.desc = kDesc;
    const CheckReport report = check_layers({layer}, options);
    ASSERT_EQ(report.passed, 1) << report.outcomes[0].detail;
    EXPECT_NE(report.outcomes[0].reproducer.find("--variant direct --schedule generic --param co_block=2"),
              std::string::npos)
        << report.outcomes[0].reproducer;
}

nlohmann::json manifest_of(const std::string &directory) {
    std::stringstream text;
    text << std::ifstream(directory + "/manifest.json").rdbuf();
    return nlohmann::json::parse(text.str());
}

/// The members of the only kernel of the library of kDesc for AVX2 and what it falls back to.
nlohmann::json library_members(const std::string &directory, const std::string &records) {
    LibraryOptions options;
    options.name = "demo";
    options.directory = directory;
    options.targets = {kAvx2};
    options.request.tuned = autotune::load_recorded_plans(records);
    Layer layer;
    layer.name = "stem";
    layer.desc = kDesc;
    build_library({layer}, options);
    return manifest_of(directory)["kernels"][0]["platforms"]["x86-64-linux"]["members"];
}

TEST_F(Records, LibraryIsBuiltWithThemAndItsManifestSaysSo) {
    Record tuned = autotune::sample_record(2);
    const auto members = library_members(dir_ / "out", add(tuned));
    EXPECT_EQ(members[0]["target"], "x86_avx2");
    EXPECT_EQ(members[0]["plan"], tuned.plan_text());
    EXPECT_EQ(members[0]["tuned"], true);
    EXPECT_NE(members[0]["source"].get<std::string>().find("tuning record"), std::string::npos);
    EXPECT_EQ(members[1]["tuned"], false) << "nothing is known of the plain class";
}

TEST_F(Records, LibraryWhoseOtherClassCannotFollowIsBuiltWithoutThem) {
    Record odd = record(3, 10); // a block that the tuned schedule of the other class has no use for
    odd.target = parse_target("x86_64").halide;
    const auto members = library_members(dir_ / "out", add(odd));
    EXPECT_EQ(members[0]["tuned"], false);
    EXPECT_EQ(members[1]["tuned"], false) << "its weights would be packed otherwise";
}

} // namespace
} // namespace convsmith
