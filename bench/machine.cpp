// See machine.h. The peak is a loop of independent multiply-adds that never leaves the registers
// (autotune/probe.h).
#include "bench/machine.h"

#include "autotune/probe.h"
#include "runtime/records/hardware.h"
#include "runtime/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace convsmith::bench {

namespace {

using Seconds = std::chrono::duration<double>;

double now_s() {
    return Seconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The best of several short runs: a roof is what the core can do, not what it does while disturbed.
double best_gflops(const autotune::FmaLoop &loop) {
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

/// Clock ticks of all cores together since the machine started: {busy, all}.
std::pair<double, double> cpu_ticks() {
    std::ifstream stat("/proc/stat");
    std::string label;
    stat >> label;
    double busy = 0, all = 0, ticks = 0;
    for (int field = 0; field < 8 && stat >> ticks; field++) {
        const bool idle = field == 3 || field == 4; // user nice system idle iowait irq softirq steal
        busy += idle ? 0 : ticks;
        all += ticks;
    }
    return {busy, all};
}

/// Cores at work while this process sleeps. The load average would still show a build that ended a minute
/// ago.
double busy_cores() {
    const auto [busy_then, all_then] = cpu_ticks();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    const auto [busy_now, all_now] = cpu_ticks();
    if (all_now <= all_then)
        return 0;
    return (busy_now - busy_then) / (all_now - all_then) * std::thread::hardware_concurrency();
}

} // namespace

Machine measure_machine(int threads) {
    Machine machine;
    machine.busy_cores = busy_cores();
    const autotune::FmaLoop loop = autotune::best_fma_loop();
    machine.cpu = autotune::host_hardware().cpu;
    machine.cores = available_cores();
    machine.threads = threads > 0 ? threads : machine.cores;
    machine.vector_unit = loop.vector_unit;
    machine.peak_gflops = all_threads(machine.threads, [&] { return best_gflops(loop); });
    machine.copy_gb_per_s = all_threads(machine.threads, [&] { return best_copy_gb_per_s(machine.threads); });
    return machine;
}

double peak_gflops(const Machine &machine, size_t bytes) {
    return machine.peak_gflops * sizeof(float) / static_cast<double>(bytes);
}

std::string load_warning(const Machine &machine) {
    constexpr double kQuiet = 0.15;
    if (machine.busy_cores <= kQuiet)
        return "";
    const std::string busy = std::to_string(machine.busy_cores).substr(0, 4);
    return "other processes keep " + busy + " cores of this machine busy: times may be too long";
}

} // namespace convsmith::bench
