// The threads of parallel loops: every index runs once, whatever the number of threads and callers, a failing
// task's code comes back, loops inside tasks do not wait for workers that wait for them, and workers keep off
// the caller's core.
#include "runtime/thread_pool.h"

#include <atomic>
#include <gtest/gtest.h>
#include <sched.h>
#include <set>
#include <thread>
#include <vector>

namespace convsmith {
namespace {

struct Counts {
    explicit Counts(size_t n) : of(n) {}
    std::vector<std::atomic<int>> of;

    static int add(void *, int index, std::uint8_t *closure) {
        reinterpret_cast<Counts *>(closure)->of[static_cast<size_t>(index)]++;
        return 0;
    }
    void expect_each(int times) const {
        for (size_t i = 0; i < of.size(); i++)
            ASSERT_EQ(of[i], times) << "index " << i;
    }
};

template<typename Closure>
int run(ParallelTask task, int first, int count, Closure &closure) {
    return run_parallel(nullptr, task, first, count, reinterpret_cast<std::uint8_t *>(&closure));
}

class ThreadPool : public testing::Test {
protected:
    void TearDown() override { set_parallel_threads(0); }
};

TEST_F(ThreadPool, RunsEveryIndexOnceOnAnyNumberOfThreads) {
    for (const int threads : {1, 2, 3, 16, 0}) {
        set_parallel_threads(threads);
        for (const int count : {0, 1, 2, 5, 1000}) {
            Counts counts(static_cast<size_t>(count) + 7);
            EXPECT_EQ(run(Counts::add, 7, count, counts), 0);
            for (int i = 0; i < 7; i++)
                counts.of[static_cast<size_t>(i)]++; // below `first`
            counts.expect_each(1);
        }
    }
}

TEST_F(ThreadPool, UsesSeveralThreads) {
    set_parallel_threads(2);
    struct Meeting {
        std::atomic<int> here{0};
    } meeting;
    // Each of two tasks waits for the other, which one thread alone would do for ever.
    const ParallelTask meet = [](void *, int, std::uint8_t *closure) {
        auto &here = reinterpret_cast<Meeting *>(closure)->here;
        here++;
        while (here < 2)
            std::this_thread::yield();
        return 0;
    };
    EXPECT_EQ(run(meet, 0, 2, meeting), 0);
}

/// Binds the calling thread to one core; to those it had again when it ends.
class BoundTo {
public:
    explicit BoundTo(int core) {
        EXPECT_EQ(sched_getaffinity(0, sizeof(before_), &before_), 0);
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(core, &one);
        EXPECT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    }
    ~BoundTo() { EXPECT_EQ(sched_setaffinity(0, sizeof(before_), &before_), 0); }
    BoundTo(const BoundTo &) = delete;
    BoundTo &operator=(const BoundTo &) = delete;

private:
    cpu_set_t before_;
};

TEST_F(ThreadPool, WorkersKeepOffTheCallersCore) {
    cpu_set_t allowed;
    ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
    if (CPU_COUNT(&allowed) < 2)
        GTEST_SKIP() << "one core";
    struct Meeting {
        std::thread::id caller = std::this_thread::get_id();
        std::atomic<int> here{0};
        cpu_set_t of_worker;
    };
    const ParallelTask meet = [](void *, int, std::uint8_t *closure) {
        auto &meeting = *reinterpret_cast<Meeting *>(closure);
        if (std::this_thread::get_id() != meeting.caller &&
            sched_getaffinity(0, sizeof(cpu_set_t), &meeting.of_worker) != 0)
            return -1;
        meeting.here++;
        while (meeting.here < 2)
            std::this_thread::yield();
        return 0;
    };
    set_parallel_threads(2);
    Counts counts(2);
    ASSERT_EQ(run(Counts::add, 0, 2, counts), 0); // starts the worker, which may run on any core
    for (int core = 0; core < CPU_SETSIZE; core++) {
        if (!CPU_ISSET(core, &allowed))
            continue;
        const BoundTo bound(core);
        Meeting meeting;
        ASSERT_EQ(run(meet, 0, 2, meeting), 0);
        cpu_set_t others = allowed;
        CPU_CLR(core, &others);
        EXPECT_TRUE(CPU_EQUAL(&others, &meeting.of_worker)) << "caller on core " << core;
    }
}

TEST_F(ThreadPool, ReturnsTheCodeOfAFailedTask) {
    for (const int threads : {1, 2}) {
        set_parallel_threads(threads);
        Counts counts(100);
        const ParallelTask fail = [](void *, int index, std::uint8_t *) { return index == 30 ? -7 : 0; };
        EXPECT_EQ(run(fail, 0, 100, counts), -7) << threads << " threads";
        EXPECT_EQ(run(Counts::add, 0, 100, counts), 0) << "the loop after it";
        counts.expect_each(1);
    }
}

TEST_F(ThreadPool, RunsALoopInsideATaskOnTheTasksThread) {
    set_parallel_threads(4);
    Counts counts(6);
    const ParallelTask nested = [](void *, int, std::uint8_t *closure) {
        const auto before = std::this_thread::get_id();
        struct Seen {
            std::set<std::thread::id> threads; // no lock: one thread is what is expected
        } seen;
        const ParallelTask note = [](void *, int, std::uint8_t *inner) {
            reinterpret_cast<Seen *>(inner)->threads.insert(std::this_thread::get_id());
            return 0;
        };
        const int code = run(note, 0, 5, seen);
        const bool is_alone = seen.threads == std::set<std::thread::id>{before};
        return code != 0 || !is_alone ? -1 : run_parallel(nullptr, Counts::add, 0, 6, closure);
    };
    EXPECT_EQ(run(nested, 0, 8, counts), 0);
    counts.expect_each(8);
}

TEST_F(ThreadPool, ServesSeveralCallersWhileTheNumberOfThreadsChanges) {
    constexpr int kCallers = 4, kLoops = 200;
    std::atomic<int> failed{0};
    std::vector<std::thread> callers;
    callers.reserve(kCallers);
    for (int c = 0; c < kCallers; c++) {
        callers.emplace_back([&] {
            for (int i = 0; i < kLoops; i++) {
                Counts counts(20);
                failed += run(Counts::add, 0, 20, counts) != 0;
                for (const std::atomic<int> &count : counts.of)
                    failed += count != 1;
            }
        });
    }
    for (int i = 0; i < 20; i++)
        set_parallel_threads(1 + i % 3);
    for (std::thread &caller : callers)
        caller.join();
    EXPECT_EQ(failed, 0);
}

} // namespace
} // namespace convsmith
