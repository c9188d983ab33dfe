// Jit and its caches (runtime/kernel.h): right results, compiled once, kept in memory and on disk, shared
// between processes, damaged entries rebuilt. Calls of one kernel are judged in kernel_run_test.cpp.
#include "runtime/once_cache.h"
#include "tests/jit_support.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sys/wait.h>
#include <thread>
#include <utility>
#include <vector>

namespace convsmith {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> entries_in(const fs::path &directory) {
    std::vector<fs::path> entries;
    for (const auto &file : fs::directory_iterator(directory))
        entries.push_back(file.path());
    return entries;
}

TEST(Jit, ResultsMatchTheOracle) {
    Jit jit(no_disk());
    for (const char *key : {kTinyKey, kResidualKey, "conv_n2_ci6_i9_co4_k3_s2_d2_g2",
                            "conv_ci5_i4x4x4_co3_k2x2x2", "conv_ci4_i7x7_co10_k3x3_p1_f64_nchw_reflect"}) {
        const ConvDesc desc = ConvDesc::parse(key);
        expect_exact(*jit.kernel(desc), desc, 1);
    }
}

TEST(Jit, RandomDataStaysWithinTheOraclesBound) {
    Jit jit(no_disk());
    const ConvDesc desc = ConvDesc::parse("conv_ci20_i9x11_co24_k3x3_p1_bias_sigmoid");
    const Problem problem = make_problem(desc, Fill::Uniform, 7);
    const Tensor output = run(*jit.kernel(desc), problem);
    const Judgement judgement = judge(desc, problem.view(), output.view());
    EXPECT_TRUE(judgement.ok()) << judgement.first_wrong;
}

TEST(Jit, SecondRequestIsAMemoryHitOnTheSameKernel) {
    Jit jit(no_disk());
    const ConvDesc desc = ConvDesc::parse(kTinyKey);
    const auto first = jit.kernel(desc);
    EXPECT_EQ(jit.kernel(desc), first);
    EXPECT_EQ(jit.stats().compiled, 1);
    EXPECT_EQ(jit.stats().memory_hits, 1);
    EXPECT_EQ(jit.stats().disk_hits, 0);
}

TEST(Jit, ConcurrentCallersCompileOnce) {
    const TempDir dir;
    Jit jit(disk(dir));
    const ConvDesc desc = ConvDesc::parse(kTinyKey);
    std::vector<std::shared_ptr<const Kernel>> kernels(8);
    std::vector<std::thread> threads;
    for (auto &kernel : kernels)
        threads.emplace_back([&] { kernel = jit.kernel(desc); });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(jit.stats().compiled, 1);
    EXPECT_EQ(jit.stats().memory_hits, 7);
    for (const auto &kernel : kernels)
        EXPECT_EQ(kernel, kernels[0]);
    expect_exact(*kernels[0], desc, 2);
}

TEST(Jit, DifferentKernelsCompileConcurrently) {
    Jit jit(no_disk());
    std::vector<std::thread> threads;
    for (int ci = 1; ci <= 8; ci++) {
        threads.emplace_back([&jit, ci] {
            const ConvDesc desc = ConvDesc::parse("conv_ci" + std::to_string(ci) + "_i4x4_co4_k1x1");
            expect_exact(*jit.kernel(desc), desc, static_cast<uint64_t>(ci));
        });
    }
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(jit.stats().compiled, 8);
}

TEST(Jit, LeastRecentlyUsedKernelLeavesMemoryAndStillWorksForItsOwners) {
    JitOptions options = no_disk();
    options.max_kernels = 2;
    Jit jit(options);
    const auto desc = [](int ci) {
        return ConvDesc::parse("conv_ci" + std::to_string(ci) + "_i4x4_co4_k1x1");
    };
    const auto first = jit.kernel(desc(1));
    jit.kernel(desc(2));
    jit.kernel(desc(1));
    jit.kernel(desc(3)); // drops 2
    EXPECT_EQ(jit.stats().evicted, 1);
    EXPECT_EQ(jit.kernel(desc(1)), first);
    jit.kernel(desc(2)); // drops 3
    jit.kernel(desc(3)); // drops 1
    EXPECT_EQ(jit.stats().compiled, 5);
    EXPECT_EQ(jit.stats().evicted, 3);
    expect_exact(*first, desc(1), 3);
}

TEST(Jit, KernelOutlivesItsJit) {
    const ConvDesc desc = ConvDesc::parse(kTinyKey);
    std::shared_ptr<const Kernel> kernel;
    {
        Jit jit(no_disk());
        kernel = jit.kernel(desc);
    }
    expect_exact(*kernel, desc, 4); // packs too, for the first time
}

TEST(Jit, BadOptionsAreRefused) {
    JitOptions options = no_disk();
    options.max_kernels = 0;
    EXPECT_EQ(error_of([&] { Jit jit(options); }), "jit: max_kernels is 0, want more than 0");
    EXPECT_EQ(error_of([] { set_num_threads(-1); }),
              "set_num_threads: threads is -1, want 0 (every core) or more");
}

TEST(Jit, PlanForAnotherMachineIsRefused) {
    Jit jit(no_disk());
    const ConvDesc desc = ConvDesc::parse(kTinyKey);
    const PlanChoice choice = make_plan(desc, parse_target("arm_neon"));
    if (runs_natively(choice.plan.target))
        GTEST_SKIP() << "this machine runs arm_neon code";
    EXPECT_NE(
        error_of([&] { jit.kernel(desc, choice); }, ErrorCode::Unsupported).find(choice.plan.target.halide),
        std::string::npos);
}

TEST(Jit, FailedRequestIsNotKept) {
    OnceCache<int> cache(4);
    int calls = 0;
    const auto fail = [&]() -> std::shared_ptr<const int> {
        calls++;
        throw Error(ErrorCode::Compile, "no luck");
    };
    EXPECT_EQ(error_of([&] { cache.get("key", fail); }, ErrorCode::Compile), "no luck");
    EXPECT_EQ(error_of([&] { cache.get("key", fail); }, ErrorCode::Compile), "no luck");
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(*cache.get("key", [] { return std::make_shared<const int>(5); }), 5);
}

TEST(Jit, WaitersGetTheMakersError) {
    OnceCache<int> cache(4);
    std::atomic<int> calls{0}, errors{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; i++) {
        threads.emplace_back([&] {
            try {
                cache.get("key", [&]() -> std::shared_ptr<const int> {
                    calls++;
                    while (cache.hits() < 7)
                        std::this_thread::yield();
                    throw Error(ErrorCode::Compile, "no luck");
                });
            } catch (const Error &) {
                errors++;
            }
        });
    }
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(errors, 8);
}

TEST(DiskCache, SecondJitFindsTheKernelOnDisk) {
    const TempDir dir;
    const ConvDesc desc = ConvDesc::parse(kTinyKey);
    {
        Jit jit(disk(dir));
        expect_exact(*jit.kernel(desc), desc, 14);
        EXPECT_EQ(jit.stats().compiled, 1);
        EXPECT_EQ(jit.stats().disk_cache, dir.string());
    }
    Jit jit(disk(dir));
    expect_exact(*jit.kernel(desc), desc, 14);
    EXPECT_EQ(jit.stats().compiled, 0);
    EXPECT_EQ(jit.stats().disk_hits, 1);
    EXPECT_EQ(jit.stats().rejected_entries, 0);
}

TEST(DiskCache, HitTakesAtMostThirtyMilliseconds) {
    const TempDir dir;
    const ConvDesc desc = ConvDesc::parse("conv_ci64_i28x28_co64_k3x3_p1_bias_relu");
    Jit(disk(dir)).kernel(desc);
    double best = 1e9;
    for (int round = 0; round < 5; round++) {
        Jit jit(disk(dir));
        const auto start = Clock::now();
        const auto kernel = jit.kernel(desc);
        best = std::min(best, milliseconds_since(start));
        ASSERT_EQ(jit.stats().disk_hits, 1);
    }
    std::printf("disk hit: %.2f ms\n", best);
    if (kIsSanitized)
        GTEST_SKIP() << "a sanitizer's time is not ours";
    EXPECT_LE(best, 30);
}

TEST(DiskCache, OtherPlanIsAnotherEntry) {
    const TempDir dir;
    Jit jit(disk(dir));
    const ConvDesc desc = ConvDesc::parse("conv_ci16_i12x12_co16_k3x3_p1");
    PlanRequest generic;
    generic.schedule = "generic";
    const PlanChoice by_default = make_plan(desc, host_target());
    if (by_default.plan.schedule == "generic")
        GTEST_SKIP() << "no tuned schedule for " << host_target().name;
    expect_exact(*jit.kernel(desc), desc, 15);
    expect_exact(*jit.kernel(desc, generic), desc, 15);
    EXPECT_EQ(jit.stats().compiled, 2);
    EXPECT_EQ(jit.stats().disk_hits, 0);
}

TEST(DiskCache, DamagedEntriesAreRebuiltNeverLoaded) {
    const ConvDesc desc = ConvDesc::parse(kTinyKey);
    const std::vector<std::pair<const char *, std::function<void(std::string &)>>> damages = {
        {"empty", [](std::string &bytes) { bytes.clear(); }},
        {"truncated", [](std::string &bytes) { bytes.resize(bytes.size() / 2); }},
        {"longer", [](std::string &bytes) { bytes += '\0'; }},
        {"flipped bit in the code", [](std::string &bytes) { bytes[bytes.size() / 2] ^= 4; }},
        {"wrong magic", [](std::string &bytes) { bytes[0] = 'X'; }},
        {"not an entry", [](std::string &bytes) { bytes = "#!/bin/sh\n"; }},
    };
    for (const auto &[name, damage] : damages) {
        const TempDir dir;
        Jit(disk(dir)).kernel(desc);
        const std::vector<fs::path> entries = entries_in(dir.path());
        ASSERT_FALSE(entries.empty());
        int64_t damaged = 0;
        for (const fs::path &path : entries) {
            std::ifstream in(path, std::ios::binary);
            std::string bytes{std::istreambuf_iterator<char>(in), {}};
            damaged += bytes.find("kernel conv_") != std::string::npos;
            damage(bytes);
            std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
        }
        ASSERT_EQ(damaged, 1) << "the entry says which kernel it holds";
        Jit jit(disk(dir));
        expect_exact(*jit.kernel(desc), desc, 16);
        EXPECT_EQ(jit.stats().compiled, 1) << name;
        EXPECT_GE(jit.stats().rejected_entries, 1) << name;
        Jit again(disk(dir));
        again.kernel(desc);
        EXPECT_EQ(again.stats().disk_hits, 1) << name << ": rebuilt entry is good";
    }
}

TEST(DiskCache, StaysWithinItsBound) {
    const auto desc = [](int ci) {
        return ConvDesc::parse("conv_ci" + std::to_string(ci) + "_i4x4_co4_k1x1");
    };
    const auto bytes_in = [](const fs::path &directory) {
        int64_t total = 0;
        for (const fs::path &path : entries_in(directory))
            total += static_cast<int64_t>(fs::file_size(path));
        return total;
    };
    const TempDir one, many;
    Jit(no_disk()).kernel(desc(1)); // links the Halide runtime, so that below only kernels are stored
    Jit(disk(one)).kernel(desc(1));
    JitOptions options = disk(many);
    options.max_disk_bytes = 7 * bytes_in(one.path()) / 2; // three kernels like this one
    Jit jit(options);
    for (int ci = 1; ci <= 6; ci++) {
        jit.kernel(desc(ci));
        EXPECT_LE(bytes_in(many.path()), options.max_disk_bytes);
    }
    EXPECT_GT(bytes_in(many.path()), 0);
    EXPECT_GE(jit.stats().removed_entries, 2);
}

TEST(DiskCache, NamedDirectoryThatCannotBeUsedIsAnError) {
    const TempDir dir;
    const std::string file = (dir.path() / "file").string();
    std::ofstream(file) << "x";
    JitOptions options;
    options.cache_dir = file;
    EXPECT_NE(error_of([&] { Jit jit(options); }, ErrorCode::Io).find(file), std::string::npos);
}

TEST(DiskCache, DefaultDirectoryThatCannotBeUsedOnlyTurnsItOff) {
    const TempDir dir;
    const std::string file = (dir.path() / "file").string();
    std::ofstream(file) << "x";
    // The variables are read by Jit's constructor only, and no other thread of this program runs now.
    unsetenv("CONVSMITH_CACHE_DIR");
    setenv("XDG_CACHE_HOME", file.c_str(), 1);
    Jit jit;
    unsetenv("XDG_CACHE_HOME");
    EXPECT_EQ(jit.stats().disk_cache.find("off: "), 0u) << jit.stats().disk_cache;
    EXPECT_NE(jit.stats().disk_cache.find(file), std::string::npos) << jit.stats().disk_cache;
    const ConvDesc desc = ConvDesc::parse(kTinyKey);
    expect_exact(*jit.kernel(desc), desc, 17);
}

constexpr const char *kSharedDirVariable = "CONVSMITH_TEST_SHARED_DIR";

/// The part of SharedBetweenProcesses that runs in a process of its own: exits with 0 if the kernel came from
/// disk.
TEST(DiskCacheProcess, FindsWhatAnotherProcessCompiled) {
    const char *dir = std::getenv(kSharedDirVariable);
    if (!dir)
        GTEST_SKIP() << "runs as a process of DiskCache.SharedBetweenProcesses";
    JitOptions options;
    options.cache_dir = dir;
    Jit jit(options);
    const ConvDesc desc = ConvDesc::parse(kTinyKey);
    const auto start = Clock::now();
    const auto kernel = jit.kernel(desc);
    std::printf("first kernel of a process from disk: %.2f ms\n", milliseconds_since(start));
    expect_exact(*kernel, desc, 18);
    EXPECT_EQ(jit.stats().compiled, 0);
    EXPECT_EQ(jit.stats().disk_hits, 1);
    EXPECT_EQ(jit.stats().rejected_entries, 0);
}

TEST(DiskCache, SharedBetweenProcesses) {
    const TempDir dir;
    // The runtime of this process may be linked already; a process that starts fresh stores or finds its own.
    Jit(disk(dir)).kernel(ConvDesc::parse(kTinyKey));
    const std::string command = std::string(kSharedDirVariable) + "='" + dir.string() + "' '" +
                                fs::read_symlink("/proc/self/exe").string() +
                                "' --gtest_filter=DiskCacheProcess.* --gtest_brief=1";
    for (int process = 0; process < 2; process++) {
        const int status = std::system(command.c_str());
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "process " << process;
    }
}

} // namespace
} // namespace convsmith
