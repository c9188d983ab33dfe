// The worker threads of the process that share the parallel loops of JIT kernels: pthreadpool behind the
// Halide runtime's hook for them. Internal to runtime; orc_linker.cpp hangs it in.
#pragma once

#include <cstdint>

namespace convsmith {

/// Cores that the process may run on, at least 1.
int available_cores();

/// One iteration of a parallel loop as Halide compiles it: 0 or an error code.
using ParallelTask = int (*)(void *user_context, int index, std::uint8_t *closure);

/// Runs `task` for every index of [first, first + count) on all threads, the caller's among them, and returns
/// 0 or the code of a task that failed. A loop inside a task, and one of a caller that finds the workers busy
/// with another caller's, runs on the caller's thread alone, so that threads are never more than asked for.
/// Where there are no more threads than cores, workers are bound to those on which the caller is not.
int run_parallel(void *user_context, ParallelTask task, int first, int count, std::uint8_t *closure);

/// Threads for later loops; 0 is one per core that the process may run on. Waits for a loop that runs.
void set_parallel_threads(int threads);

/// Threads of later loops, at least 1. Does not wait.
int parallel_threads();

} // namespace convsmith
