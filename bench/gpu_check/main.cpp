// Verifies and times the kernels of a kit (kit.h) on this machine's GPU, and prints one table. Run by
// scripts/gpu_check.sh, with times of other libraries if there are any.
//   convsmith_gpu_check KIT [--peers FILE] [--layers FILE] [--limit SECONDS]
#include "bench/gpu_check/kit.h"
#include "generators/conv_shape.h"
#include "generators/error.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

namespace convsmith::gpu_check {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kSeed = 7;
constexpr int64_t kMostPoints = 4096; ///< of an output that the oracle computes

struct Options {
    std::string kit, peers;
    std::string layers; ///< where to write the timed layers for other libraries; nothing else is done then
    double limit_s = 420;
};

class Clock {
public:
    explicit Clock(double limit_s) : limit_s_(limit_s) {}
    bool is_over() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count() > limit_s_;
    }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    double limit_s_;
};

/// What open sizes are called with.
ConvDesc closed(const ConvDesc &desc) {
    Sizes sizes;
    sizes.n = desc.n == 0 ? 2 : 0;
    for (int axis = 0; axis < desc.rank; axis++)
        sizes.in[axis] = desc.in[axis] == 0 ? 9 + 2 * axis : 0;
    return with_sizes(desc, resolve_sizes(desc, sizes));
}

struct Verdicts {
    int right = 0, wrong = 0, left_out = 0;
};

/// Why a kernel's output is wrong, or the call failed; empty if it is right.
std::string verify(const CudaDevice &device, const Kit &kit, const KitKernel &kernel) {
    try {
        const Problem problem = make_problem(closed(kernel.desc), Fill::Uniform, kSeed);
        DeviceCall call(device, kit, kernel, problem);
        call.run();
        const Judgement judgement = call.judge(kMostPoints);
        return judgement.ok() ? "" : judgement.first_wrong;
    } catch (const Error &e) {
        return e.what();
    }
}

void verify_all(const CudaDevice &device, const Kit &kit, const Clock &clock, Verdicts &verdicts) {
    for (const KitKernel &kernel : kit.kernels()) {
        if (clock.is_over()) {
            verdicts.left_out++;
            continue;
        }
        const std::string wrong = verify(device, kit, kernel);
        (wrong.empty() ? verdicts.right : verdicts.wrong)++;
        if (!wrong.empty())
            fmt::print("WRONG {}, {}: {}\n", kernel.name, kernel.plan, wrong);
    }
}

/// Milliseconds of one call: the median of five batches, each long enough for the device's clock.
double time_kernel(const CudaDevice &device, const Kit &kit, const KitKernel &kernel) {
    constexpr double kBatchMilliseconds = 20;
    constexpr int kBatches = 5, kMostCalls = 2000;
    const Problem problem = make_problem(kernel.desc, Fill::Uniform, kSeed);
    DeviceCall call(device, kit, kernel, problem);
    const auto run = [&](int calls) {
        return device.milliseconds([&] {
            for (int i = 0; i < calls; i++)
                call.run();
        });
    };
    run(3);
    const double once = run(3) / 3;
    const int calls = std::clamp(static_cast<int>(kBatchMilliseconds / once), 3, kMostCalls);
    std::array<double, kBatches> batches;
    for (double &batch : batches)
        batch = run(calls) / calls;
    std::nth_element(batches.begin(), batches.begin() + kBatches / 2, batches.end());
    return batches[kBatches / 2];
}

struct Timing {
    KitKernel kernel; ///< of the exact kit
    double exact_ms = 0, fast_ms = 0;
    std::map<std::string, double> peers_ms; ///< "cudnn_fp32", ...
};

/// What the peers' script needs to run a layer.
Json layer_json(const KitKernel &kernel) {
    const ConvDesc &d = kernel.desc;
    Json json = {{"name", kernel.name}, {"op", op_info(d.op).name}, {"n", d.n}, {"ci", d.ci}, {"co", d.co},
                 {"groups", d.groups},  {"og", d.offset_groups}};
    for (int axis = 0; axis < d.rank; axis++) {
        json["in"].push_back(d.in[axis]);
        json["k"].push_back(d.kernel[axis]);
        json["stride"].push_back(d.stride[axis]);
        json["pad"].push_back(d.pad_begin[axis]);
        json["dilation"].push_back(d.dilation[axis]);
    }
    return json;
}

Json read_json(const std::string &path) {
    std::ifstream file(path);
    Json json = Json::parse(file, nullptr, false);
    if (json.is_discarded())
        throw Error(ErrorCode::Io, path + ": want JSON");
    return json;
}

double geomean(const std::vector<double> &ratios) {
    double sum = 0;
    for (const double ratio : ratios)
        sum += std::log(ratio);
    return std::exp(sum / static_cast<double>(ratios.size()));
}

/// "1.23", or "-" where there is no time of the peer's.
std::string ratio_text(const Timing &timing, const std::string &peer, double ours) {
    const auto found = timing.peers_ms.find(peer);
    return found == timing.peers_ms.end() ? "-" : fmt::format("{:.2f}", found->second / ours);
}

void print_table(const std::vector<Timing> &timings, const std::vector<std::string> &peers, double peak) {
    fmt::print("\n{:36} {:>9} {:>9} {:>7} {:>7}", "layer", "exact us", "fast us", "TFLOP/s", "of peak");
    for (const std::string &peer : peers)
        fmt::print(" {:>14}", peer + " / us");
    fmt::print("\n");
    std::map<std::string, std::map<std::string, std::vector<double>>> ratios; // network, peer
    for (const Timing &timing : timings) {
        const double flops =
            2.0 * static_cast<double>(mac_count(timing.kernel.desc)) / (timing.exact_ms * 1e-3);
        const double ours = std::min(timing.exact_ms, timing.fast_ms);
        fmt::print("{:36} {:9.1f} {:9.1f} {:7.2f} {:>7}", timing.kernel.name, 1e3 * timing.exact_ms,
                   1e3 * timing.fast_ms, flops * 1e-12,
                   peak > 0 ? fmt::format("{:.0f} %", 100 * flops / peak) : "-");
        for (const std::string &peer : peers)
            fmt::print(" {:>14}", ratio_text(timing, peer, ours));
        fmt::print("\n");
        for (const auto &[peer, ms] : timing.peers_ms)
            ratios[timing.kernel.name.substr(0, timing.kernel.name.find('/'))][peer].push_back(ms / ours);
    }
    for (const auto &[network, of_peers] : ratios) {
        for (const auto &[peer, values] : of_peers)
            fmt::print("geomean {} / ours, {}: {:.2f} of {} layers\n", peer, network, geomean(values),
                       values.size());
    }
}

std::vector<Timing> time_all(const CudaDevice &device, const Kit &exact, const Kit &fast, const Json &peers,
                             const Clock &clock, Verdicts &verdicts) {
    std::vector<Timing> timings;
    for (const KitKernel &kernel : exact.kernels()) {
        const auto same = std::find_if(fast.kernels().begin(), fast.kernels().end(),
                                       [&](const KitKernel &k) { return k.desc == kernel.desc; });
        CONVSMITH_CHECK(same != fast.kernels().end());
        if (clock.is_over()) {
            verdicts.left_out++;
            continue;
        }
        Timing timing;
        timing.kernel = kernel;
        timing.exact_ms = time_kernel(device, exact, kernel);
        timing.fast_ms = time_kernel(device, fast, *same);
        for (const auto &[peer, times] : peers.items()) {
            if (times.contains(kernel.name))
                timing.peers_ms[peer] = times[kernel.name].get<double>();
        }
        timings.push_back(timing);
    }
    return timings;
}

int run(const Options &options) {
    const Clock clock(options.limit_s);
    const CudaDevice device;
    const Kit exact(options.kit + "/exact", device), fast(options.kit + "/fast", device);
    if (!options.layers.empty()) {
        Json layers = Json::array();
        for (const KitKernel &kernel : exact.kernels())
            layers.push_back(layer_json(kernel));
        std::ofstream(options.layers) << layers.dump(1) << "\n";
        return 0;
    }
    fmt::print("device: {}, compute capability {}, FP32 peak {}\n", device.name(), device.capability(),
               device.peak_flops() > 0 ? fmt::format("{:.1f} TFLOP/s", device.peak_flops() * 1e-12)
                                       : "not known");
    std::fflush(stdout);
    const Json peers = options.peers.empty() ? Json::object() : read_json(options.peers);
    Verdicts verdicts;
    const Kit sweep(options.kit + "/sweep", device);
    for (const Kit *kit : {&sweep, &exact, &fast})
        verify_all(device, *kit, clock, verdicts);
    std::vector<std::string> names;
    for (const auto &[peer, times] : peers.items())
        names.push_back(peer);
    if (device.is_emulated())
        fmt::print("an emulator: nothing is timed\n");
    else if (verdicts.wrong == 0)
        print_table(time_all(device, exact, fast, peers, clock, verdicts), names, device.peak_flops());
    fmt::print("gpu_check: {} kernels right, {} wrong, {} left out at the time limit\n", verdicts.right,
               verdicts.wrong, verdicts.left_out);
    return verdicts.wrong + verdicts.left_out > 0 || verdicts.right == 0 ? 1 : 0;
}

} // namespace
} // namespace convsmith::gpu_check

int main(int argc, char **argv) {
    using namespace convsmith;
    CLI::App app("Verifies and times GPU kernels on this machine's device");
    gpu_check::Options options;
    app.add_option("KIT", options.kit, "Directory that scripts/gpu_check.sh made")->required();
    app.add_option("--peers", options.peers, "Times of other libraries: {peer: {layer: milliseconds}}");
    app.add_option("--layers", options.layers, "Only write the timed layers, for such libraries");
    app.add_option("--limit", options.limit_s, "Seconds after which the rest is left out");
    CLI11_PARSE(app, argc, argv);
    try {
        return gpu_check::run(options);
    } catch (const Error &e) {
        fmt::print(stderr, "gpu_check: {}\n", e.what());
        constexpr int kNoDevice = 3;
        return e.code() == ErrorCode::Unsupported ? kNoDevice : 1;
    }
}
