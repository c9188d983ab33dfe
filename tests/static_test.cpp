// The static cost: loops by a machine model whose known errors are corrected, and runs that tune for a CPU
// that is not at hand.
#include "autotune/static_cost.h"
#include "autotune/static_tuner.h"
#include "runtime/records/lookup.h"
#include "runtime/temp_dir.h"
#include "schedules/gpu/roofline.h"
#include "tests/error_of.h"

#include <gtest/gtest.h>

namespace convsmith::autotune {
namespace {

const MachineModel &model_of(const std::string &target, const std::string &cpu) {
    return machine_model(parse_target(target), cpu);
}

Loop loop_of(const std::vector<std::string> &instructions) {
    Loop loop{instructions, false};
    loop.instructions.emplace_back("jne .LBB0_1");
    return loop;
}

std::vector<std::string> independent(int count, const std::string &before, const std::string &after) {
    std::vector<std::string> all;
    for (int i = 0; i < count; i++)
        all.push_back(before + std::to_string(i) + after);
    return all;
}

constexpr const char *kNeedsMca = "needs llvm-mca (packages llvm-14 or llvm-19)";

TEST(MachineModel, KnownErrorsAreCorrected) {
    if (mca_program().empty())
        GTEST_SKIP() << kNeedsMca;
    const Loop fmas = loop_of(independent(12, "vfmadd231ps %ymm14, %ymm15, %ymm", ""));
    const MachineModel &zen3 = model_of("x86_avx2", "znver3");
    EXPECT_NEAR(modelled_cycles(fmas, zen3), 6, 0.1); // 2 a cycle
    MachineModel as_modelled = zen3;
    as_modelled.errors.clear();
    EXPECT_NEAR(modelled_cycles(fmas, as_modelled), 12, 0.2) << "LLVM has corrected it: drop the row";
    EXPECT_NEAR(modelled_cycles(fmas, model_of("x86_avx2", "skylake")), 6, 0.1);

    const Loop arm = loop_of(independent(16, "fmla v", ".4s, v30.4s, v31.s[0]"));
    EXPECT_NEAR(modelled_cycles(arm, model_of("arm_neon", "cortex-a72")), 16, 0.2); // 1 a cycle
    EXPECT_NEAR(modelled_cycles(arm, model_of("arm_neon", "cortex-a76")), 8, 0.1);
}

TEST(MachineModel, CorrectedInstructionsStillWaitForEachOther) {
    if (mca_program().empty())
        GTEST_SKIP() << kNeedsMca;
    const MachineModel &zen3 = model_of("x86_avx2", "znver3");
    EXPECT_NEAR(modelled_cycles(loop_of({"vfmadd231ps %ymm1, %ymm2, %ymm0"}), zen3), 4, 0.1);
    EXPECT_NEAR(modelled_cycles(
                    loop_of({"vfmadd231ps %ymm1, %ymm2, %ymm0", "vfmadd231ps (%rax), %ymm2, %ymm0"}), zen3),
                8, 0.2);
}

TEST(MachineModel, CorrectedInstructionsStillLoad) {
    if (mca_program().empty())
        GTEST_SKIP() << kNeedsMca;
    // 4 multiply-adds would take 2 cycles, but with 8 loads beside their own they wait for 12 loads.
    std::vector<std::string> loop = independent(4, "vfmadd231ps 64(%rax), %ymm15, %ymm", "");
    for (const std::string &load : independent(8, "vmovups (%rbx), %ymm", ""))
        loop.push_back(load);
    EXPECT_GE(modelled_cycles(loop_of(loop), model_of("x86_avx2", "znver3")), 4);
}

TEST(MachineModel, UnknownCpusAndClassesAreNamed) {
    EXPECT_NE(error_of([] {
                  model_of("arm_neon", "znver3");
              }).find("cortex-a76, neoverse-n1, cortex-a55, cortex-a72, apple-m1"),
              std::string::npos);
    error_of([] { model_of("cuda", ""); }, ErrorCode::Unsupported); // static_machine knows GPUs
    EXPECT_EQ(model_of("arm_neon", "").cpu, "cortex-a76");
    for (const MachineModel &model : machine_model_table())
        EXPECT_FALSE(model.source.empty()) << model.cpu;
}

TEST(HotLoop, IsFoundInBothAssemblies) {
    const std::string x86 = "kernel:\n  movq %rsp, %rbp\n.LBB0_1: # loop\n  vmovups (%rax), %ymm1\n"
                            "  vfmadd231ps %ymm1, %ymm2, %ymm3\n  jne .LBB0_1\n  retq\n";
    EXPECT_EQ(hot_loop(x86).instructions.size(), 3u);
    EXPECT_EQ(loop_work(hot_loop(x86)), 8);
    const std::string arm =
        "kernel:\n.LBB0_1: // loop\n  subs x8, x8, #1\n  ldr q1, [x9, #16]\n"
        "  fmla v0.4s, v1.4s, v2.s[0]\n  fmla v3.2d, v1.2d, v2.2d\n  b.ne .LBB0_1\n  ret\n"
        ".LBB0_2:\n  fmadd s0, s1, s2, s3\n  cbnz x8, .LBB0_2\n";
    const Loop loop = hot_loop(arm);
    ASSERT_EQ(loop.instructions.size(), 2u) << loop.text(); // denser
    EXPECT_EQ(loop_work(loop), 1);
    EXPECT_EQ(loop_work(hot_loop(arm.substr(0, arm.find(".LBB0_2")))), 6);
    EXPECT_TRUE(hot_loop("kernel:\n  ret\n").instructions.empty());
    // The last tile has a loop of its own, a little denser; the other one is inside of a loop over tiles.
    const std::string tiles =
        "kernel:\n.LBB0_1:\n  mov x9, x1\n.LBB0_2:\n  subs x8, x8, #1\n  add x9, x9, #4\n"
        "  fmla v0.4s, v1.4s, v2.s[0]\n  fmla v3.4s, v1.4s, v2.s[1]\n  fmla v4.4s, v1.4s, v2.s[2]\n  b.ne "
        ".LBB0_2\n"
        "  subs x7, x7, #1\n  b.ne .LBB0_1\n"
        ".LBB0_3:\n  subs x8, x8, #1\n  fmla v0.4s, v1.4s, v2.s[0]\n  fmla v3.4s, v1.4s, v2.s[1]\n"
        "  fmla v4.4s, v1.4s, v2.s[2]\n  b.ne .LBB0_3\n  ret\n";
    EXPECT_EQ(hot_loop(tiles).instructions.size(), 6u) << hot_loop(tiles).text();
}

TEST(StaticCost, PrefersTheWideTileToTheNarrowOne) {
    if (mca_program().empty())
        GTEST_SKIP() << kNeedsMca;
    const ConvDesc desc = ConvDesc::parse("conv_ci32_i16x18_co64_k3_p1");
    const Target target = parse_target("x86_avx2");
    const auto cost = [&](int co_vectors, int tile_p) {
        PlanRequest request;
        request.variant = "direct";
        request.params = {{"co_vectors", co_vectors}, {"tile_p", tile_p}};
        return static_cost(desc, make_plan(desc, target, request).plan, "znver3");
    };
    EXPECT_LT(1.5 * cost(2, 6), cost(1, 2));
    EXPECT_LT(cost(2, 6), cost(2, 3));
}

TEST(StaticCost, KnowsWhatAGpuDoes) {
    const Target cuda = parse_target("cuda");
    const auto cost = [&](const char *key, const PlanRequest &request, const char *device) {
        const ConvDesc desc = ConvDesc::parse(key);
        return static_cost(desc, make_plan(desc, cuda, request).plan, device);
    };
    const char *const dense = "conv_n8_ci128_i28x28_co128_k3_p1";
    PlanRequest wide, narrow, fast;
    wide.variant = narrow.variant = "direct";
    wide.params = {{"co_vector", 2}, {"tile_p", 14}, {"chunk_ci", 16}};
    narrow.params = {{"co_vector", 1}, {"tile_p", 2}, {"chunk_ci", 16}};
    fast.variant = "winograd";
    EXPECT_LT(1.5 * cost(dense, wide, "h100"), cost(dense, narrow, "h100"));
    EXPECT_LT(cost(dense, fast, "h100"), cost(dense, wide, "h100")) << "F(4,3) saves three quarters";
    EXPECT_LT(1.5 * cost(dense, wide, "h100"), cost(dense, wide, "a100")) << "half the lanes";
    // Every output is written and every input read once, through L2: 253 cycles.
    const double bytes = 8 * 56 * 56 * 32, rate = 132 * 24;
    EXPECT_GT(cost("conv_ci32_i56x56_co32_k3_p1_g32", PlanRequest(), "h100"), bytes / rate);
    PlanRequest fallback;
    fallback.schedule = "generic";
    EXPECT_NE(error_of([&] { cost(dense, fallback, "h100"); }, ErrorCode::Unsupported).find("no model"),
              std::string::npos);
    EXPECT_NE(error_of([&] { static_machine(cuda, "voodoo"); }).find("h100, a100"), std::string::npos);
    EXPECT_EQ(static_machine(cuda, "a100").family, "sm_80");
    for (const gpu::Device &device : gpu::device_table())
        EXPECT_FALSE(device.source.empty()) << device.name;
}

class StaticTunerTest : public ::testing::Test {
protected:
    StaticTunerTest() {
        options_.budget_seconds = 600;
        options_.worker = {CONVSMITH_BINARY_DIR "/bin/convsmith", "worker"};
    }

    StaticResult run(const char *target = "arm_neon") {
        return tune_static(desc_, parse_target(target), "", database_, options_);
    }

    TempDir dir_;
    Database database_{dir_ / "db.jsonl"};
    ConvDesc desc_ = ConvDesc::parse("conv_ci8_i6x6_co16_k3_p1_relu");
    TuneOptions options_;
};

TEST_F(StaticTunerTest, RanksTheCandidatesOfAForeignTargetAndJudgesTheBest) {
    if (mca_program().empty())
        GTEST_SKIP() << kNeedsMca;
    options_.fixed.schedule = "generic"; // few enough to try all
    const StaticResult result = run();
    EXPECT_EQ(result.machine, "cortex-a76");
    EXPECT_EQ(result.tuned.record.status, Status::Modelled) << result.tuned.record.error;
    EXPECT_LE(result.tuned.ratio, 1);
    EXPECT_EQ(result.tuned.progress.tried, result.tuned.progress.total);
    const bool has_runner = runner_for(parse_target("arm_neon")) != RunnerKind::None;
    EXPECT_EQ(result.judged_by.empty(), !has_runner);

    const Contents contents = database_.read();
    EXPECT_TRUE(contents.problems().empty());
    for (const Record *record : contents.records()) {
        EXPECT_EQ(record->status, Status::Modelled) << record->error;
        EXPECT_EQ(record->ns.rounds, 0);
        EXPECT_GE(record->cost(), result.tuned.record.cost());
        EXPECT_EQ(record->hardware.cpu, "cortex-a76 (llvm-mca)");
    }
    const StaticResult again = run();
    EXPECT_EQ(again.tuned.progress.tried, 0);
    EXPECT_EQ(again.tuned.best.text(), result.tuned.best.text());
}

TEST_F(StaticTunerTest, RanksPlansOfAGpuAndJudgesTheBestOnTheEmulator) {
    options_.fixed.variant = "direct";
    options_.fixed.params = {{"chunk_ci", 8}};
    const StaticResult result = run("cuda");
    EXPECT_EQ(result.machine, "h100");
    EXPECT_EQ(result.tuned.record.status, Status::Modelled) << result.tuned.record.error;
    EXPECT_EQ(result.tuned.best.schedule, "cuda");
    EXPECT_GT(result.tuned.progress.tried, 1);
    EXPECT_GT(total(result.tuned.rejected), 0) << "too many sums, no divisor of the channels";
    EXPECT_EQ(result.judged_by.empty(), runner_for(parse_target("cuda")) == RunnerKind::None);
    Query query;
    query.key = desc_.key();
    query.target = parse_target("cuda").halide;
    query.hardware = hardware_for(parse_target("cuda"));
    const Layers layers = {database_.read()};
    const LookUp found = look_up(layers, query);
    ASSERT_TRUE(found.found);
    EXPECT_NE(found.found->text().find("h100 (roofline), not measured"), std::string::npos);
    EXPECT_EQ(found.found->record->plan_text(), result.tuned.best.text());
}

TEST_F(StaticTunerTest, MeasuredRecordsGoBeforeModelledOnes) {
    if (mca_program().empty())
        GTEST_SKIP() << kNeedsMca;
    const StaticResult result = run();
    Query query;
    query.key = desc_.key();
    query.target = parse_target("arm_neon").halide;
    Contents modelled = database_.read();
    const LookUp found = look_up({modelled}, query);
    ASSERT_TRUE(found.found);
    EXPECT_EQ(found.found->record->plan_text(), result.tuned.best.text());
    EXPECT_NE(found.found->text().find("not measured"), std::string::npos) << found.found->text();

    // Of a far machine, in a layer behind, and not chosen: measured all the same.
    Record measured = *modelled.records().front();
    measured.status = Status::Ok;
    measured.is_chosen = false;
    measured.modelled_cost = 0;
    measured.hardware.cpu = measured.hardware.microarchitecture = "of another kind";
    measured.ns = {1e9, 1e9, 1, 0};
    measured.probe_ns = 1;
    Contents behind;
    behind.name = "behind";
    behind.lines.push_back({1, "", measured, ""});
    EXPECT_EQ(look_up({modelled, behind}, query).found->layer, "behind");
    EXPECT_EQ(look_up({behind, modelled}, query).found->layer, "behind");
}

TEST_F(StaticTunerTest, ModelledRecordsWithTimesAreNone) {
    Record record = new_record(desc_, make_plan(desc_, parse_target("arm_neon")).plan, 1);
    record.status = Status::Modelled;
    record.modelled_cost = 0.5;
    const std::string line = to_line(record);
    const Record read = parse_record(line, "db:1");
    EXPECT_EQ(read.status, Status::Modelled);
    EXPECT_DOUBLE_EQ(read.cost(), 0.5);
    EXPECT_EQ(to_line(read), line);
    Json json = Json::parse(line);
    json["ns"] = {{"min", 1}, {"median", 1}, {"spread", 0}, {"rounds", 1}};
    EXPECT_NE(error_of([&] { parse_record(json.dump(), "db:1"); }).find("no ns"), std::string::npos);
    json.erase("ns");
    json["modelled_cost"] = -1;
    error_of([&] { parse_record(json.dump(), "db:1"); });
    json.erase("modelled_cost");
    EXPECT_NE(error_of([&] { parse_record(json.dump(), "db:1"); }).find("missing"), std::string::npos);
}

TEST_F(StaticTunerTest, KernelsThatMultiplyNothingAreRefused) {
    if (mca_program().empty())
        GTEST_SKIP() << kNeedsMca;
    desc_ = ConvDesc::parse("maxpool_ci16_i8x8_k2_s2");
    const StaticResult result = run();
    EXPECT_NE(result.tuned.record.status, Status::Modelled);
    EXPECT_NE(result.tuned.record.error.find("no inner loop that multiplies"), std::string::npos)
        << result.tuned.record.error;
}

TEST_F(StaticTunerTest, OpenSizesAndTargetsWithoutModelAreRefused) {
    error_of([&] { run("opencl"); }, ErrorCode::Unsupported);
    desc_ = ConvDesc::parse("conv_ci8_i0x0_co8_k3");
    EXPECT_NE(error_of([&] { run(); }).find("open"), std::string::npos);
}

} // namespace
} // namespace convsmith::autotune
