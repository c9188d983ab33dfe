// Waiting for a core is seen: two threads of a process bound to one core wait for each other, one alone does
// not.
#include "autotune/run_delay.h"

#include <chrono>
#include <gtest/gtest.h>
#include <sched.h>
#include <thread>
#include <unistd.h>

namespace convsmith::autotune {
namespace {

using std::chrono::milliseconds;

void bind_to_this_core() {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
}

void work_for(milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
    }
}

TEST(RunDelay, CountsThreadsThatShareACore) {
    if (!run_delay_ns())
        GTEST_SKIP() << "no /proc/self/task/*/schedstat";
    std::thread([] { // threads started here are bound as it is
        bind_to_this_core();
        const double before = run_delay_ns().value();
        static constexpr milliseconds kTime(60);
        std::thread other([] { work_for(kTime); });
        work_for(kTime);
        const double waited = run_delay_ns().value() - before;
        other.join();
        EXPECT_GT(waited, 0.2e6 * kTime.count()); // this thread about half of the time
        EXPECT_TRUE(run_delay_ns(getpid()).has_value());
    })
        .join();
}

TEST(RunDelay, OfAProcessThatIsNotThereIsNotKnown) {
    EXPECT_FALSE(run_delay_ns(-1).has_value());
}

} // namespace
} // namespace convsmith::autotune
