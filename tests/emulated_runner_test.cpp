// The emulating runners (ARM under qemu-user, AVX-512 under Bochs): kernels of every kind of problem give the
// oracle's values, a crash costs one job, missing programs are named, and the emulator's known mistake is
// mended.
#include "generators/conv_shape.h"
#include "runtime/runner.h"
#include "tests/library_support.h"
#include "tests/scoped_environment.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace convsmith {
namespace {

struct EmulatedTarget {
    const char *name; ///< class that it runs
    const char *runner;
    std::unique_ptr<Runner> (*make)();
};

std::ostream &operator<<(std::ostream &out, const EmulatedTarget &target) {
    return out << target.name;
}

class EmulatingRunner : public testing::TestWithParam<EmulatedTarget> {
protected:
    void SetUp() override {
        try {
            runner_ = GetParam().make();
        } catch (const Error &reason) {
            GTEST_SKIP() << reason.what();
        }
    }

    RunJob job(const std::string &key, const Problem &problem) const {
        const ConvDesc desc = ConvDesc::parse(key);
        return {desc, make_plan(desc, parse_target(GetParam().name)), &problem};
    }

    std::unique_ptr<Runner> runner_;
};

TEST_P(EmulatingRunner, MatchesOracleOnClosedAndOpenKernels) {
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
    EXPECT_EQ(runner_->name(), GetParam().runner);
    EXPECT_FALSE(runner_->is_timing_real());
    const std::vector<RunResult> results = runner_->run(jobs);
    ASSERT_EQ(results.size(), jobs.size());
    for (size_t i = 0; i < jobs.size(); i++) {
        ASSERT_EQ(results[i].error, "") << cases[i].first;
        const Judgement judgement = judge(problems[i].desc, problems[i].view(), results[i].output.view());
        EXPECT_TRUE(judgement.ok()) << cases[i].first << ": " << judgement.first_wrong;
    }
}

TEST_P(EmulatingRunner, AJobThatCrashesCostsOnlyItself) {
    const std::string key = "conv_ci4_i64x64_co4_k1x1_f32_nhwc";
    const Problem problem = make_problem(ConvDesc::parse(key), Fill::SmallIntegers, 3);
    Problem small = make_problem(ConvDesc::parse("conv_ci4_i2x2_co4_k1x1_f32_nhwc"), Fill::SmallIntegers, 3);
    RunJob wrong = job(key, small); // a kernel for 64x64 on tensors of 2x2 runs into the guard pages
    const std::vector<RunResult> results = runner_->run({job(key, problem), wrong, job(key, problem)});
    EXPECT_EQ(results[0].error, "");
    EXPECT_NE(results[1].error.find("signal 11"), std::string::npos) << results[1].error;
    ASSERT_EQ(results[2].error, "");
    EXPECT_TRUE(judge(problem.desc, problem.view(), results[2].output.view()).ok());
}

INSTANTIATE_TEST_SUITE_P(Target, EmulatingRunner,
                         testing::Values(EmulatedTarget{"arm_neon", "qemu-aarch64", make_qemu_aarch64_runner},
                                         EmulatedTarget{"x86_avx512", "bochs-avx512", make_avx512_runner}),
                         [](const auto &info) { return std::string(info.param.name); });

/// Tuned kernels of some kinds, exact and by Winograd, and problems for them.
class QemuRunner : public testing::Test {
protected:
    void SetUp() override {
        try {
            runner_ = make_qemu_aarch64_runner();
        } catch (const Error &reason) {
            GTEST_SKIP() << reason.what();
        }
    }

    void fill(Fill kind) {
        problems_.clear();
        for (const char *key : kKeys)
            problems_.push_back(make_problem(ConvDesc::parse(key), kind, 5));
    }

    std::vector<RunJob> jobs(const Target &target, Accuracy accuracy) const {
        PlanRequest request;
        request.accuracy = accuracy;
        std::vector<RunJob> jobs;
        for (const Problem &problem : problems_)
            jobs.push_back({problem.desc, make_plan(problem.desc, target, request), &problem});
        return jobs;
    }

    static constexpr const char *kKeys[] = {
        "conv_ci16_i20x20_co24_k3_p1_bias_relu", "conv_ci32_i24x24_co32_k3_p1", "conv_ci40_i9x9_co72_k1_bias",
        "conv_ci24_i30x30_co24_k3_p1_g24_bias", "deconv_ci8_i12x12_co16_k3_s2_p1"};
    std::unique_ptr<Runner> runner_;
    std::vector<Problem> problems_; ///< jobs point to them
};

TEST_F(QemuRunner, ThreadsDoNotChangeAnyBit) {
    fill(Fill::Uniform);
    const std::vector<RunJob> jobs = this->jobs(parse_target("arm_neon"), Accuracy::Fast);
    const auto run = [&](const char *threads) {
        const ScopedEnvironment variable("CONVSMITH_THREADS", threads);
        return runner_->run(jobs);
    };
    const std::vector<RunResult> one = run("1"), four = run("4");
    for (size_t i = 0; i < jobs.size(); i++) {
        ASSERT_EQ(one[i].error + four[i].error, "") << kKeys[i];
        const size_t bytes = one[i].output.bytes();
        EXPECT_EQ(std::memcmp(one[i].output.data(), four[i].output.data(), bytes), 0) << kKeys[i];
        JudgeOptions options;
        options.relative_error = jobs[i].choice.plan.relative_error();
        EXPECT_TRUE(judge(problems_[i].desc, problems_[i].view(), four[i].output.view(), options).ok())
            << kKeys[i];
    }
}

TEST_F(QemuRunner, ResultsAreThoseOfThisMachine) {
    for (const Accuracy accuracy : {Accuracy::Exact, Accuracy::Fast}) {
        // Exact sums of small integers are the same everywhere; others may round twice as far apart as each
        // may from what is right: 2e-5 of the largest result, Winograd's bound.
        const bool is_exact = accuracy == Accuracy::Exact;
        fill(is_exact ? Fill::SmallIntegers : Fill::Uniform);
        const auto native = make_native_runner()->run(jobs(host_target(), accuracy));
        const auto there = runner_->run(jobs(parse_target("arm_neon"), accuracy));
        for (size_t i = 0; i < problems_.size(); i++) {
            SCOPED_TRACE(kKeys[i]);
            ASSERT_EQ(native[i].error + there[i].error, "");
            double largest = 0, apart = 0;
            for (int64_t e = 0; e < native[i].output.view().elements(); e++) {
                largest = std::max(largest, std::fabs(native[i].output.get(e)));
                apart = std::max(apart, std::fabs(native[i].output.get(e) - there[i].output.get(e)));
            }
            EXPECT_GT(largest, 0);
            EXPECT_LE(apart, is_exact ? 0 : 2 * 2e-5 * largest);
        }
    }
}

TEST(QemuPrograms, MissingProgramsAreUnsupportedAndNamePackages) {
    const ScopedEnvironment path("PATH", "/nonexistent");
    const std::string message = error_of([] { make_qemu_aarch64_runner(); }, ErrorCode::Unsupported);
    EXPECT_NE(message.find("gcc-aarch64-linux-gnu"), std::string::npos) << message;
    EXPECT_NE(message.find("qemu-user"), std::string::npos) << message;
}

TEST(Avx512Runner, AMissingMachineIsUnsupportedAndNamesItsSetup) {
    const ScopedEnvironment cache("XDG_CACHE_HOME", "/nonexistent");
    EXPECT_EQ(avx512_emulator(), "");
    const Target target = parse_target("x86_avx512");
    const auto make = [&] { runs_natively(target) ? make_avx512_runner() : make_runner(target); };
    const std::string message = error_of(make, ErrorCode::Unsupported);
    EXPECT_NE(message.find("tests/emulated/setup.sh"), std::string::npos) << message;
}

TEST(Avx512Runner, TakesWhatTheMachineHas) {
    EXPECT_TRUE(avx512_emulator_runs(parse_target("x86_avx512")));
    EXPECT_TRUE(avx512_emulator_runs(parse_target("x86-64-linux-avx512")));
    EXPECT_FALSE(avx512_emulator_runs(parse_target("x86-64-linux-avx512_cannonlake")));
    EXPECT_FALSE(avx512_emulator_runs(parse_target("arm_neon")));
    EXPECT_FALSE(avx512_emulator_runs(parse_target("cuda")));
}

/// A program for the emulated machine: tests the top lane of a mask, and copies its input.
constexpr const char *kProbe = R"(
#include <immintrin.h>
#include <stdio.h>
int main(int argc, char **argv) {
    volatile unsigned mask = 0x8001;
    FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[2], "wb");
    for (int byte = getc(in); byte != EOF; byte = getc(in))
        putc(byte, out);
    fclose(out);
    printf("argc %d right %d left %d\n", argc, (int)_kshiftri_mask16((__mmask16)mask, 15),
           (int)_kshiftli_mask16((__mmask16)mask, 15));
    return 7;
}
)";

TEST(EmulatedMachine, RunsAProgramAndShiftsMasksByFifteen) {
    const std::string boot = avx512_emulator();
    if (boot.empty())
        GTEST_SKIP() << "needs the emulated machine of tests/emulated/setup.sh";
    const TempDir files;
    write_text(files / "probe.c", kProbe);
    std::string input(100000, '\0');
    for (size_t i = 0; i < input.size(); i++)
        input[i] = static_cast<char>(i % 251);
    write_text(files / "input", input);
    const ProcessResult compiled = run_process(
        {"gcc", "-O1", "-mavx512f", "-mavx512dq", "-static", "-o", files / "probe", files / "probe.c"});
    ASSERT_TRUE(compiled.ok()) << compiled.text();
    const ProcessResult ran = run_process({boot, files / "probe", files / "input", files / "output"});
    EXPECT_EQ(ran.exit_code, 7) << ran.text();
    EXPECT_NE(ran.output.find("argc 3 right 1 left 32768"), std::string::npos) << ran.text();
    EXPECT_TRUE(read_text(files / "output") == input);
}

} // namespace
} // namespace convsmith
