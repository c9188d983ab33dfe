// Target names, Halide target strings and the runner that fits them.
#include "generators/error.h"
#include "runtime/temp_dir.h"
#include "schedules/target.h"
#include "tests/error_of.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace convsmith {
namespace {

/// What parse_target says of a text that it refuses.
std::string refusal_of(const std::string &text) {
    SCOPED_TRACE("'" + text + "'");
    return error_of([&] { parse_target(text); });
}

TEST(Target, ClassNamesGiveTheirRow) {
    for (const Target &row : target_table()) {
        const Target target = parse_target(row.name);
        EXPECT_EQ(target.name, row.name);
        EXPECT_EQ(target.halide, row.halide);
        EXPECT_EQ(parse_target(row.halide).name, row.name) << "the string finds its class";
        EXPECT_EQ(parse_target(row.halide).halide, row.halide) << "the string is canonical";
    }
    EXPECT_EQ(parse_target("x86_64").halide, "x86-64-linux-sse41");
    EXPECT_EQ(parse_target("x86_avx2").halide, "x86-64-linux-avx-avx2-f16c-fma-sse41");
    EXPECT_EQ(parse_target("x86_avx512").halide,
              "x86-64-linux-avx-avx2-avx512-avx512_skylake-f16c-fma-sse41");
    EXPECT_EQ(parse_target("arm_neon").halide, "arm-64-linux");
    EXPECT_EQ(parse_target("cuda").halide.find("host"), std::string::npos) << "host is spelled out";
}

TEST(Target, FactsMatchTheInstructionSet) {
    EXPECT_EQ(parse_target("x86_avx2").vector_bytes, 32);
    EXPECT_EQ(parse_target("x86_avx2").vector_registers, 16);
    EXPECT_EQ(parse_target("x86_avx512").vector_bytes, 64);
    EXPECT_EQ(parse_target("x86_avx512").vector_registers, 32);
    EXPECT_EQ(parse_target("arm_neon").vector_bytes, 16);
    EXPECT_EQ(parse_target("arm_neon").vector_registers, 32);
}

TEST(Target, FeaturesChooseTheClass) {
    const struct {
        const char *text, *name, *halide;
    } rows[] = {
        {"x86-64-linux", "x86_64", "x86-64-linux"},
        {"x86-64-linux-avx", "x86_64", "x86-64-linux-avx-sse41"},
        {"x86-64-linux-fma", "x86_64", "x86-64-linux-avx-fma-sse41"},
        {"x86-64-linux-avx2", "x86_avx2", "x86-64-linux-avx-avx2-f16c-fma-sse41"},
        {"x86-64-linux-sse41-fma-avx2", "x86_avx2", "x86-64-linux-avx-avx2-f16c-fma-sse41"},
        {"x86-64-windows-avx2", "x86_avx2", "x86-64-windows-avx-avx2-f16c-fma-sse41"},
        {"x86-64-linux-avx512", "x86_avx512", "x86-64-linux-avx-avx2-avx512-f16c-fma-sse41"},
        {"x86-64-linux-avx512_skylake", "x86_avx512",
         "x86-64-linux-avx-avx2-avx512-avx512_skylake-f16c-fma-sse41"},
        {"arm-64-linux", "arm_neon", "arm-64-linux"},
        {"arm-64-android-arm_dot_prod", "arm_neon", "arm-64-android-arm_dot_prod"},
        {"arm-64-android-cortex_a55", "arm_a55", "arm-64-android-cortex_a55"},
        {"arm-64-osx", "arm_apple", "arm-64-osx"},
        {"arm-64-ios-arm_fp16", "arm_apple", "arm-64-ios-arm_fp16"},
        {"arm-64-linux-opencl", "opencl", "arm-64-linux-opencl"},
        {"x86-64-linux-cuda", "cuda", "x86-64-linux-cuda-cuda_capability_50"},
        {"x86-64-linux-avx2-cuda_capability_80", "cuda",
         "x86-64-linux-avx-avx2-cuda-cuda_capability_80-f16c-fma-sse41"},
    };
    for (const auto &row : rows) {
        SCOPED_TRACE(row.text);
        const Target target = parse_target(row.text);
        EXPECT_EQ(target.name, row.name);
        EXPECT_EQ(target.halide, row.halide);
        EXPECT_TRUE(parse_target(target.halide) == target);
    }
}

TEST(Target, UnknownTextIsRefusedByNameAndReason) {
    const struct {
        const char *text, *reason;
    } rows[] = {
        {"", "empty"},
        {"banana", "'banana' is not a known name or architecture"},
        {"X86_AVX2", "'X86_AVX2' is not a known name"},
        {"mips-64-linux", "'mips'"},
        {"x86", "got 'nothing' after x86"},
        {"x86-32-linux", "got '32' after x86"},
        {"arm-32-linux", "64 bits"},
        {"x86-64", "want an operating system"},
        {"x86-64-avx2", "got 'avx2' after x86-64, want an operating system"},
        {"x86-64-linux-banana", "'banana' is not a known feature"},
        {"x86-64-linux-", "'' is not a known feature"},
        {"x86-64-linux--avx2", "'' is not a known feature"},
        {"arm-64-linux-avx2", "'avx2' is not a feature of arm-64-linux"},
        {"x86-64-linux-arm_fp16", "'arm_fp16' is not a feature of x86-64-linux"},
        {"host-banana", "'banana' is not a known feature"},
    };
    for (const auto &row : rows) {
        const std::string message = refusal_of(row.text);
        EXPECT_NE(message.find(row.reason), std::string::npos) << row.text << ": " << message;
        EXPECT_NE(message.find("x86_avx512, arm_neon"), std::string::npos) << "known names: " << message;
    }
}

TEST(Target, WhatOnlyTunesIsNotCompiledFor) {
    EXPECT_EQ(parse_target("arm_a55").compiled(), "arm-64-linux");
    EXPECT_EQ(parse_target("arm-64-android-arm_fp16-cortex_a55").compiled(), "arm-64-android-arm_fp16");
    EXPECT_EQ(parse_target("x86_avx2").compiled(), parse_target("x86_avx2").halide);
    EXPECT_NE(host_target().name, "arm_a55") << "named by users only";
}

TEST(Target, PlatformLeavesOutFeatures) {
    EXPECT_EQ(parse_target("x86_avx2").platform(), "x86-64-linux");
    EXPECT_EQ(parse_target("arm-64-android-arm_fp16").platform(), "arm-64-android");
    EXPECT_EQ(parse_target("cuda").platform(), host_target().platform());
}

TEST(Target, HostRunsItsOwnTarget) {
    const Target host = parse_target("host");
    EXPECT_TRUE(runs_natively(host));
    EXPECT_EQ(runner_for(host), RunnerKind::Native);
    EXPECT_EQ(parse_target("host-no_asserts").name, host.name);
    for (const Target &row : target_table()) {
        const bool better =
            !is_gpu(row) && row.platform() == host.platform() && row.vector_bytes > host.vector_bytes;
        EXPECT_FALSE(better && runs_natively(row)) << row.name << " would run too";
    }
}

TEST(Target, ForeignTargetsNeedAnEmulator) {
    const Target host = host_target();
    const Target foreign = parse_target(host.name == "arm_neon" ? "x86_64" : "arm_neon");
    EXPECT_FALSE(runs_natively(foreign));
    EXPECT_FALSE(runs_natively(parse_target("x86-64-windows")));
    EXPECT_EQ(runner_for(parse_target("x86-64-windows")), RunnerKind::None);
}

/// Replaces PATH while it lives.
class ScopedPath {
public:
    explicit ScopedPath(const std::string &path) : old_(std::getenv("PATH")) {
        setenv("PATH", path.c_str(), 1);
    }
    ~ScopedPath() { setenv("PATH", old_.c_str(), 1); }

private:
    std::string old_;
};

TEST(Target, EmulatorMustBeInstalled) {
    const Target arm = parse_target("arm-64-linux");
    if (runs_natively(arm))
        GTEST_SKIP() << "this machine is an arm-64-linux itself";
    const ScopedPath empty("/nonexistent");
    EXPECT_EQ(runner_for(arm), RunnerKind::None);
}

TEST(Target, EmulatorOnThePathIsUsed) {
    const Target arm = parse_target("arm-64-linux");
    if (runs_natively(arm))
        GTEST_SKIP() << "this machine is an arm-64-linux itself";
    const TempDir files;
    const std::string directory = files.string();
    const std::string program = files / "qemu-aarch64";
    ASSERT_EQ(std::system(("touch " + program).c_str()), 0);
    {
        const ScopedPath path(directory);
        EXPECT_EQ(runner_for(arm), RunnerKind::None) << "not executable";
    }
    ASSERT_EQ(std::system(("chmod +x " + program).c_str()), 0);
    {
        const ScopedPath path("/nonexistent:" + directory);
        EXPECT_EQ(runner_for(arm), RunnerKind::QemuAarch64);
    }
}

} // namespace
} // namespace convsmith
