// See probe.h. Each version of the loop is compiled for its vector unit by a function attribute and chosen at
// run time; the rest of the program stays baseline.
#include "autotune/probe.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

namespace convsmith::autotune {

namespace {

// 4 cycles latency x 2 units = 8 multiply-adds in flight on every x86 core since Haswell; 12 cover a latency
// of 6 too and leave registers for the two factors.
constexpr int kChains = 12;

#if defined(__x86_64__)
#define CONVSMITH_FMA_NAME run_avx2
#define CONVSMITH_FMA_TARGET __attribute__((target("avx2,fma")))
#define CONVSMITH_FMA_BYTES 32
#include "autotune/fma_loop.inc"
#undef CONVSMITH_FMA_NAME
#undef CONVSMITH_FMA_TARGET
#undef CONVSMITH_FMA_BYTES

#define CONVSMITH_FMA_NAME run_avx512
#define CONVSMITH_FMA_TARGET __attribute__((target("avx512f")))
#define CONVSMITH_FMA_BYTES 64
#include "autotune/fma_loop.inc"
#undef CONVSMITH_FMA_NAME
#undef CONVSMITH_FMA_TARGET
#undef CONVSMITH_FMA_BYTES
#endif

// 16-byte vectors of any machine; on AArch64 each statement contracts to one fmla.
#define CONVSMITH_FMA_NAME run_generic
#define CONVSMITH_FMA_TARGET
#define CONVSMITH_FMA_BYTES 16
#include "autotune/fma_loop.inc"

double now_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The best of several short runs: a roof is what the core can do, not what it does while disturbed.
double best_gflops(const FmaLoop &loop) {
    constexpr int64_t kIterations = 200 * 1000;
    constexpr int kRuns = 30;
    volatile float sink = 0;
    double best = 0;
    for (int run = 0; run < kRuns; run++) {
        const double start = now_s();
        sink = loop.run(kIterations);
        best = std::max(best, loop.flops * kIterations / (now_s() - start) * 1e-9);
    }
    (void)sink;
    return best;
}

/// Copies blocks that together are beyond any last-level cache.
double best_copy_gb_per_s(int threads) {
    const size_t bytes = std::max<size_t>((64u << 20) / static_cast<size_t>(threads), 16u << 20);
    constexpr int kRuns = 4;
    std::vector<char> from(bytes, 1), to(bytes, 2);
    double best = 0;
    for (int run = 0; run < kRuns; run++) {
        const double start = now_s();
        std::memcpy(to.data(), from.data(), bytes);
        best = std::max(best, 2.0 * static_cast<double>(bytes) / (now_s() - start) * 1e-9);
        from[run] = to[bytes - 1 - run];
    }
    return best;
}

/// What all threads reach together when they begin at the same time.
double all_threads(int threads, const std::function<double()> &rate) {
    std::vector<double> rates(threads);
    std::vector<std::thread> workers;
    std::atomic<int> waiting{threads};
    for (int i = 0; i < threads; i++)
        workers.emplace_back([&, i] {
            for (waiting--; waiting > 0;)
                std::this_thread::yield();
            rates[i] = rate();
        });
    double sum = 0;
    for (int i = 0; i < threads; i++) {
        workers[i].join();
        sum += rates[i];
    }
    return sum;
}

} // namespace

FmaLoop best_fma_loop() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return {"avx512f", 2.0 * kChains * 16, run_avx512};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return {"avx2", 2.0 * kChains * 8, run_avx2};
#endif
    return {"generic", 2.0 * kChains * 4, run_generic};
}

FmaProbe fma_probe() {
    constexpr int64_t kIterations = 25 * 1000; // about 50 microseconds
    const FmaLoop loop = best_fma_loop();
    const auto sink = std::make_shared<float>();
    return {[loop, sink] { *sink += loop.run(kIterations); }, loop.flops * kIterations};
}

Roofs measure_roofs(int threads) {
    const FmaLoop loop = best_fma_loop();
    return {all_threads(threads, [&] { return best_gflops(loop); }),
            all_threads(threads, [&] { return best_copy_gb_per_s(threads); })};
}

} // namespace convsmith::autotune
