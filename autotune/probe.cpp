// See probe.h.
#include "autotune/probe.h"

#include "runtime/harness/fma_loops.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

namespace convsmith::autotune {

namespace {

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
    const convsmith_fma_loop loop = convsmith_best_fma_loop();
    return {loop.vector_unit, loop.flops, loop.run};
}

FmaProbe fma_probe() {
    constexpr int64_t kIterations = CONVSMITH_PROBE_ITERATIONS;
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
