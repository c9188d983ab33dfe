// See machine.h. The roofs are autotune/probe.h's.
#include "bench/machine.h"

#include "autotune/probe.h"
#include "runtime/records/hardware.h"
#include "runtime/thread_pool.h"

#include <chrono>
#include <fstream>
#include <thread>
#include <utility>

namespace convsmith::bench {

namespace {

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
    machine.cpu = autotune::host_hardware().cpu;
    machine.cores = available_cores();
    machine.threads = threads > 0 ? threads : machine.cores;
    machine.vector_unit = autotune::best_fma_loop().vector_unit;
    static_cast<autotune::Roofs &>(machine) = autotune::measure_roofs(machine.threads);
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
