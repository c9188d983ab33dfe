// The memory that kernels keep between calls (runtime/workspace_pool.h): what is kept, what is given for what
// size, what goes back, from several threads; and that kernels of a JIT use it.
#include "generators/conv_shape.h"
#include "generators/winograd_transform.h"
#include "runtime/workspace_pool.h"
#include "tests/jit_support.h"

#include <sys/resource.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace convsmith {
namespace {

constexpr size_t kLarge = 256 * 1024; // far above what malloc keeps itself

void *allocate(size_t bytes) {
    return convsmith_workspace_malloc(nullptr, bytes);
}

void give_back(void *memory) {
    convsmith_workspace_free(nullptr, memory);
}

long page_faults() {
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

class WorkspacePool : public testing::Test {
protected:
    WorkspacePool() { convsmith_workspace_release(); }
    ~WorkspacePool() override { convsmith_workspace_release(); }
};

TEST_F(WorkspacePool, MemoryIsAlignedAndWritable) {
    for (const size_t bytes : {size_t{0}, size_t{1}, size_t{127}, size_t{4096}, size_t{32 * 1024 - 1},
                               size_t{32 * 1024}, kLarge + 1}) {
        void *const memory = allocate(bytes);
        ASSERT_NE(memory, nullptr) << bytes;
        EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 128, 0u) << bytes;
        std::memset(memory, 1, bytes);
        give_back(memory);
    }
    give_back(nullptr);
}

TEST_F(WorkspacePool, LargeBlocksAreGivenAgain) {
    void *const first = allocate(kLarge);
    void *const second = allocate(kLarge);
    EXPECT_NE(first, second);
    give_back(first);
    void *const third = allocate(kLarge - 5);
    EXPECT_EQ(third, first);
    give_back(second);
    give_back(third);
}

TEST_F(WorkspacePool, TheSmallestThatFitsIsGiven) {
    void *const large = allocate(2 * kLarge);
    void *const small = allocate(kLarge);
    give_back(small);
    give_back(large);
    void *const again = allocate(kLarge - 100);
    EXPECT_EQ(again, small);
    void *const other = allocate(kLarge - 100);
    EXPECT_EQ(other, large);
    give_back(again);
    give_back(other);
}

TEST_F(WorkspacePool, NoBlockIsWastedOnASmallRequest) {
    void *const large = allocate(64 * kLarge);
    give_back(large);
    void *const small = allocate(kLarge);
    EXPECT_NE(small, large);
    void *const again = allocate(64 * kLarge);
    EXPECT_EQ(again, large);
    give_back(small);
    give_back(again);
}

TEST_F(WorkspacePool, KeptMemoryIsNotFaultedInAgain) {
    constexpr size_t kPages = 4 * kLarge / 4096;
    const auto use = [] {
        void *const memory = allocate(4 * kLarge);
        std::memset(memory, 1, 4 * kLarge);
        give_back(memory);
    };
    use();
    const long before = page_faults();
    for (int i = 0; i < 10; i++)
        use();
    EXPECT_LT(page_faults() - before, static_cast<long>(kPages)) << "of 10 uses, not even one's pages";
}

TEST_F(WorkspacePool, ReleaseGivesEverythingBack) {
    constexpr size_t kHuge = 64 << 20; // malloc maps it, and gives it back to the system at once
    constexpr long kPages = kHuge / 4096;
    for (int i = 0; i < 2; i++) {
        const long before = page_faults();
        void *const memory = allocate(kHuge);
        for (size_t at = 0; at < kHuge; at += 4096)
            static_cast<volatile char *>(memory)[at] = 1;
        give_back(memory);
        convsmith_workspace_release();
        EXPECT_GE(page_faults() - before, kPages / 1024) << "the memory was there before, round " << i;
    }
}

TEST_F(WorkspacePool, LargerRequestsReplaceWhatIsKept) {
    if (kIsSanitized)
        GTEST_SKIP() << "a sanitizer needs the address space";
    // As layers that grow ask for it. All blocks together would take 100 GiB: the address space says whether
    // they were kept.
    rlimit old = {};
    getrlimit(RLIMIT_AS, &old);
    const rlimit limit = {std::min<rlim_t>(old.rlim_cur, rlim_t{64} << 30), old.rlim_max};
    setrlimit(RLIMIT_AS, &limit);
    int failed = 0;
    for (size_t bytes = 1 << 20; bytes < size_t{1} << 30; bytes += 5 << 20) {
        void *const memory = allocate(bytes);
        failed += memory == nullptr ? 1 : 0;
        give_back(memory);
    }
    setrlimit(RLIMIT_AS, &old);
    EXPECT_EQ(failed, 0);
}

TEST_F(WorkspacePool, MoreThanCanBeMetIsNull) {
    EXPECT_EQ(allocate(SIZE_MAX), nullptr);
    EXPECT_EQ(allocate(SIZE_MAX - 100), nullptr);
    if (!kIsSanitized) { // a sanitizer ends the program
        EXPECT_EQ(allocate(SIZE_MAX / 4), nullptr);
    }
    void *const memory = allocate(kLarge);
    EXPECT_NE(memory, nullptr);
    give_back(memory);
}

TEST_F(WorkspacePool, ThreadsNeverShareABlock) {
    constexpr int kThreads = 8, kRounds = 3000;
    std::vector<int> wrong(kThreads);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++) {
        threads.emplace_back([t, &wrong] {
            std::mt19937 random(static_cast<unsigned>(t));
            std::vector<std::pair<unsigned char *, size_t>> held;
            for (int i = 0; i < kRounds; i++) {
                const size_t bytes = 20000 + random() % 200000;
                auto *const memory = static_cast<unsigned char *>(allocate(bytes));
                memory[0] = memory[bytes / 2] = memory[bytes - 1] = static_cast<unsigned char>(t);
                held.emplace_back(memory, bytes);
                if (held.size() < 4 && i + 1 < kRounds)
                    continue;
                for (const auto &[block, size] : held) {
                    for (const size_t at : {size_t{0}, size / 2, size - 1})
                        wrong[t] += block[at] != t;
                    give_back(block);
                }
                held.clear();
                if (i % 1000 == 0)
                    convsmith_workspace_release();
            }
        });
    }
    for (std::thread &thread : threads)
        thread.join();
    for (int t = 0; t < kThreads; t++)
        EXPECT_EQ(wrong[t], 0) << "thread " << t;
}

TEST_F(WorkspacePool, KernelsOfAJitUseIt) {
    const ConvDesc desc = ConvDesc::parse("conv_ci64_i28x28_co64_k3_p1");
    Jit jit(no_disk());
    const auto kernel = jit.kernel(desc);
    const Problem problem = make_problem(desc, Fill::SmallIntegers, 3);
    const Tensor output(desc.out_type, output_shape(desc));
    const PackedFilter filter = kernel->pack(problem.filters());
    set_num_threads(1);
    kernel->run(tensors_of(problem, output), filter);
    const long before = page_faults();
    constexpr int kCalls = 50;
    for (int i = 0; i < kCalls; i++)
        kernel->run(tensors_of(problem, output), filter);
    EXPECT_LT(page_faults() - before, kCalls) << "its strips are hundreds of pages";
    release_workspace();
    kernel->run(tensors_of(problem, output), filter);
    set_num_threads(0);
    JudgeOptions options;
    options.relative_error = kWinogradRelativeError;
    const Judgement judgement = judge(desc, problem.view(), output.view(), options);
    EXPECT_TRUE(judgement.ok()) << judgement.first_wrong;
}

} // namespace
} // namespace convsmith
