// The worker threads of parallel loops (thread_pool.h). Why not the pool of Halide's runtime: its idle
// workers sleep, while pthreadpool's spin for a while after a loop; layers of 50 to 500 us on two threads
// take 17 to 24 % less time with it (depthwise and 1x1 expansions of MobileNetV2).
#include "runtime/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <pthreadpool.h>
#include <sched.h>

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

namespace convsmith {

int available_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return std::max(1, CPU_COUNT(&set));
}

namespace {

struct Loop {
    void *user_context;
    ParallelTask task;
    int first;
    std::uint8_t *closure;
    std::atomic<int> error{0};
};

/// What happens before release(loop) in one thread happens before what follows acquire(loop) in another.
/// pthreadpool sees to that; the thread sanitizer, which does not see into pthreadpool, is told.
void release([[maybe_unused]] Loop &loop) {
#ifdef __SANITIZE_THREAD__
    __tsan_release(&loop);
#endif
}

void acquire([[maybe_unused]] Loop &loop) {
#ifdef __SANITIZE_THREAD__
    __tsan_acquire(&loop);
#endif
}

/// Whether this thread is inside a task.
bool &in_task() {
    thread_local bool inside = false;
    return inside;
}

/// After an error the tasks not yet begun are left out.
void run_task(void *context, size_t index) {
    Loop *loop = static_cast<Loop *>(context);
    acquire(*loop);
    if (loop->error.load(std::memory_order_relaxed) == 0) {
        in_task() = true;
        const int code = loop->task(loop->user_context, loop->first + static_cast<int>(index), loop->closure);
        in_task() = false;
        if (code != 0)
            loop->error.store(code, std::memory_order_relaxed);
    }
    release(*loop);
}

int run_alone(void *user_context, ParallelTask task, int first, int count, std::uint8_t *closure) {
    for (int i = 0; i < count; i++) {
        if (const int code = task(user_context, first + i, closure); code != 0)
            return code;
    }
    return 0;
}

/// Never destroyed: kernels with static lifetime may run until the process ends.
class Pool {
public:
    static Pool &instance() {
        static Pool &pool = *new Pool;
        return pool;
    }

    void set_threads(int threads) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (threads == threads_)
            return; // the workers may stay
        threads_ = threads;
        pool_.reset();
    }

    int run(void *user_context, ParallelTask task, int first, int count, std::uint8_t *closure) {
        const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
        if (!lock.owns_lock() || threads() == 1)
            return run_alone(user_context, task, first, count, closure);
        if (!pool_)
            pool_.reset(pthreadpool_create(static_cast<size_t>(threads())));
        Loop loop{user_context, task, first, closure};
        release(loop);
        // A null pool (no threads to be had) runs the loop on this thread.
        pthreadpool_parallelize_1d(pool_.get(), run_task, &loop, static_cast<size_t>(count), 0);
        acquire(loop);
        return loop.error.load(std::memory_order_relaxed);
    }

    int threads() {
        const int threads = threads_;
        return threads > 0 ? threads : available_cores();
    }

private:
    struct Destroy {
        void operator()(pthreadpool *pool) const { pthreadpool_destroy(pool); }
    };

    std::mutex mutex_;            ///< held while a loop runs
    std::atomic<int> threads_{0}; ///< 0: one per core
    std::unique_ptr<pthreadpool, Destroy> pool_;
};

} // namespace

int run_parallel(void *user_context, ParallelTask task, int first, int count, std::uint8_t *closure) {
    if (in_task() || count < 2)
        return run_alone(user_context, task, first, count, closure);
    return Pool::instance().run(user_context, task, first, count, closure);
}

void set_parallel_threads(int threads) {
    Pool::instance().set_threads(threads);
}

int parallel_threads() {
    return Pool::instance().threads();
}

} // namespace convsmith
