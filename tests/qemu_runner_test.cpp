// The emulating runner: ARM kernels of every kind of problem give the oracle's values, a crash costs one job,
// and missing programs are named.
#include "generators/conv_shape.h"
#include "runtime/runner.h"
#include "tests/library_support.h"

#include <cstdlib>

namespace convsmith {
namespace {

RunJob job(const std::string &key, const Problem &problem) {
    const ConvDesc desc = ConvDesc::parse(key);
    return {desc, make_plan(desc, parse_target("arm_neon")), &problem};
}

TEST(QemuRunner, MatchesOracleOnClosedAndOpenKernels) {
    if (!can_emulate_arm())
        GTEST_SKIP() << "needs the packages gcc-aarch64-linux-gnu and qemu-user";
    const std::vector<std::pair<std::string, Sizes>> cases = {
        {"conv_ci3_i7x9_co10_k3x3_s2x1_p1_f32_nhwc_zeros_bias_relu", {}},
        {"conv_n0_ci4_i0x0_co6_k1x1_f64_nchw_zeros_residual", {2, {3, 5, 1}}},
        {"conv_ci4_i3x4x5_co4_k2x2x2_g4_f32_ncdhw2ndhwc", {}},
    };
    std::vector<Problem> problems;
    for (const auto &[key, sizes] : cases) {
        const ConvDesc desc = ConvDesc::parse(key);
        problems.push_back(make_problem(with_sizes(desc, resolve_sizes(desc, sizes)), Fill::Uniform, 11));
    }
    std::vector<RunJob> jobs;
    for (size_t i = 0; i < cases.size(); i++)
        jobs.push_back(job(cases[i].first, problems[i]));
    const auto runner = make_qemu_aarch64_runner();
    EXPECT_FALSE(runner->is_timing_real());
    const std::vector<RunResult> results = runner->run(jobs);
    ASSERT_EQ(results.size(), jobs.size());
    for (size_t i = 0; i < jobs.size(); i++) {
        ASSERT_EQ(results[i].error, "") << cases[i].first;
        const Judgement judgement = judge(problems[i].desc, problems[i].view(), results[i].output.view());
        EXPECT_TRUE(judgement.ok()) << cases[i].first << ": " << judgement.first_wrong;
    }
}

TEST(QemuRunner, AJobThatCrashesCostsOnlyItself) {
    if (!can_emulate_arm())
        GTEST_SKIP() << "needs the packages gcc-aarch64-linux-gnu and qemu-user";
    const std::string key = "conv_ci4_i64x64_co4_k1x1_f32_nhwc";
    const Problem problem = make_problem(ConvDesc::parse(key), Fill::SmallIntegers, 3);
    Problem small = make_problem(ConvDesc::parse("conv_ci4_i2x2_co4_k1x1_f32_nhwc"), Fill::SmallIntegers, 3);
    RunJob wrong = job(key, small); // a kernel for 64x64 on tensors of 2x2 runs into the guard pages
    const auto runner = make_qemu_aarch64_runner();
    const std::vector<RunResult> results = runner->run({job(key, problem), wrong, job(key, problem)});
    EXPECT_EQ(results[0].error, "");
    EXPECT_NE(results[1].error.find("signal 11"), std::string::npos) << results[1].error;
    EXPECT_EQ(results[2].error, "");
    EXPECT_TRUE(judge(problem.desc, problem.view(), results[2].output.view()).ok());
}

TEST(QemuRunner, MissingProgramsAreUnsupportedAndNamePackages) {
    const char *path = std::getenv("PATH");
    const std::string saved = path == nullptr ? "" : path;
    setenv("PATH", "/nonexistent", 1);
    const std::string message = error_of([] { make_qemu_aarch64_runner(); }, ErrorCode::Unsupported);
    setenv("PATH", saved.c_str(), 1);
    EXPECT_NE(message.find("gcc-aarch64-linux-gnu"), std::string::npos) << message;
    EXPECT_NE(message.find("qemu-user"), std::string::npos) << message;
}

} // namespace
} // namespace convsmith
