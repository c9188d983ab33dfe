// The worker threads of parallel loops (thread_pool.h). Why not the pool of Halide's runtime: its idle
// workers sleep, while pthreadpool's spin for a while after a loop; layers of 50 to 500 us on two threads
// take 17 to 24 % less time with it (depthwise and 1x1 expansions of MobileNetV2). Workers keep off the core
// of the thread that calls: a scheduler may wake them there, where they wait for a thread that spins until
// they are done, one time slice of some 4 ms after the other.
#include "runtime/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <pthreadpool.h>
#include <sched.h>
#include <unistd.h>
#include <vector>

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

namespace convsmith {

namespace {

/// The cores that the calling thread may run on; empty where the system does not say.
cpu_set_t allowed_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        CPU_ZERO(&set);
    return set;
}

struct Loop {
    void *user_context;
    ParallelTask task;
    int first;
    std::uint8_t *closure;
    std::atomic<int> error{0};
};

/// What happens before release(shared) in one thread happens before what follows acquire(shared) in another.
/// pthreadpool sees to that; the thread sanitizer, which does not see into pthreadpool, is told.
template<typename Shared>
void release([[maybe_unused]] Shared &shared) {
#ifdef __SANITIZE_THREAD__
    __tsan_release(&shared);
#endif
}

template<typename Shared>
void acquire([[maybe_unused]] Shared &shared) {
#ifdef __SANITIZE_THREAD__
    __tsan_acquire(&shared);
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

/// Each thread's id in the system, noted by a loop of as many iterations as threads: none ends before each
/// thread has one.
struct RollCall {
    std::vector<pid_t> ids;
    std::atomic<size_t> here{0};

    explicit RollCall(pthreadpool *pool) : ids(pthreadpool_get_threads_count(pool)) {
        release(*this);
        pthreadpool_parallelize_1d(pool, answer, this, ids.size(), 0);
    }

    static void answer(void *context, size_t index) {
        RollCall &call = *static_cast<RollCall *>(context);
        acquire(call);
        call.ids[index] = gettid();
        call.here++;
        while (call.here < call.ids.size())
            sched_yield();
    }
};

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
            start();
        keep_workers_off_this_core();
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

    void start() {
        pool_.reset(pthreadpool_create(static_cast<size_t>(threads())));
        workers_.clear();
        core_ = -1;
        cores_ = allowed_cores();
        if (!pool_ || threads() > available_cores())
            return;
        for (const pid_t id : RollCall(pool_.get()).ids) {
            if (id != gettid())
                workers_.push_back(id);
        }
    }

    /// Costs a system call for each worker, when a caller runs on another core than the last one did.
    void keep_workers_off_this_core() {
        const int core = sched_getcpu();
        if (core < 0 || core == core_)
            return;
        core_ = core;
        cpu_set_t others = cores_;
        CPU_CLR(core, &others);
        for (const pid_t worker : workers_)
            sched_setaffinity(worker, sizeof(others), &others); // refused: it may run anywhere, as before
    }

    std::mutex mutex_;            ///< held while a loop runs
    std::atomic<int> threads_{0}; ///< 0: one per core
    std::unique_ptr<pthreadpool, Destroy> pool_;
    std::vector<pid_t> workers_; ///< empty where there are more threads than cores
    cpu_set_t cores_;            ///< of a worker as it starts
    int core_ = -1;              ///< of the last caller
};

} // namespace

int available_cores() {
    const cpu_set_t set = allowed_cores();
    return std::max(1, CPU_COUNT(&set));
}

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
