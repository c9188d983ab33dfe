// See roofline.h.
#include "schedules/gpu/roofline.h"

#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "schedules/gpu/dense_plan.h"

#include <algorithm>
#include <cmath>

namespace convsmith::gpu {
namespace {

constexpr double kFloat = 4;
constexpr double kWideFloats = 4; ///< of a load of 16 bytes
constexpr double kAddressInstructions =
    12;                             ///< of an element that is copied: its place, whether it is padding
constexpr int kOtherRegisters = 40; ///< addresses, counters, operands on their way

double rounded_up(double value, double multiple) {
    return std::ceil(value / multiple) * multiple;
}

/// What a block takes of units whose part does not follow from the Roofline.
struct Units {
    double arithmetic = 0, l1 = 0; ///< cycles of a multiprocessor
    double l2_bytes = 0;
};

/// What follows from a block and its launch: which unit bounds it, as blocks overlap.
void conclude(Roofline &r, const Units &units, const Device &device, double stage_bytes) {
    constexpr double kReservedShared = 1024, kBusyWarps = 8; // that keep every scheduler busy
    const double warps = static_cast<double>(r.threads) / kWarp;
    const double held = std::max(
        1.0, std::min({static_cast<double>(device.multiprocessor.blocks),
                       std::floor(device.multiprocessor.warps / warps),
                       std::floor(device.multiprocessor.registers / (r.threads * rounded_up(r.registers, 8))),
                       std::floor(device.multiprocessor.shared_bytes / (stage_bytes + kReservedShared))}));
    r.occupancy = held * warps / device.multiprocessor.warps;

    const double issue = r.instructions / device.multiprocessor.instructions;
    const double l2 = units.l2_bytes / device.l2_bytes;
    // Whole waves of blocks, each as many as keep every scheduler busy.
    const double wave = device.multiprocessors * std::min(held, kBusyWarps / warps);
    const double filled =
        r.blocks / rounded_up(r.blocks, std::min(wave, rounded_up(r.blocks, device.multiprocessors)));
    const double busy =
        std::min(1.0, r.blocks * warps / (device.multiprocessors * device.multiprocessor.instructions)) *
        filled;
    const double slowest = std::max({units.arithmetic, issue, units.l1, l2});
    r.of_peak = units.arithmetic / slowest * r.useful * busy;
    r.cycles = r.blocks * slowest / (device.multiprocessors * busy);
    r.bound = busy < 0.7                    ? "too few blocks"
              : slowest == units.arithmetic ? "arithmetic"
              : slowest == issue            ? "instructions"
              : slowest == units.l1         ? "shared memory and L1"
                                            : "L2";
}

} // namespace

const Multiprocessor &multiprocessor(const std::string &architecture) {
    static const std::vector<Multiprocessor> kTable = {
#define CONVSMITH_GPU_ARCHITECTURE(...) {__VA_ARGS__},
#define CONVSMITH_GPU_DEVICE(...)
#include "schedules/gpu/devices.inc"
#undef CONVSMITH_GPU_DEVICE
#undef CONVSMITH_GPU_ARCHITECTURE
    };
    std::string known;
    for (const Multiprocessor &row : kTable) {
        if (row.architecture == architecture)
            return row;
        known += (known.empty() ? "" : ", ") + row.architecture;
    }
    throw Error(ErrorCode::BadArgument, "architecture: got '" + architecture + "', want one of " + known);
}

const std::vector<Device> &device_table() {
    static const std::vector<Device> kTable = {
#define CONVSMITH_GPU_ARCHITECTURE(...)
#define CONVSMITH_GPU_DEVICE(name, architecture, ...) {name, multiprocessor(architecture), __VA_ARGS__},
#include "schedules/gpu/devices.inc"
#undef CONVSMITH_GPU_DEVICE
#undef CONVSMITH_GPU_ARCHITECTURE
    };
    return kTable;
}

const Device &planned_device() {
    return device_table().front();
}

Roofline dense_roofline(const ConvDesc &d, const DenseNumbers &numbers, const Device &device, int staged_taps,
                        std::optional<int> registers) {
    const double v = numbers.co_vector, p = numbers.tile_p;
    const int group_ci = d.ci / d.groups;
    const double ci = group_ci, taps = static_cast<double>(taps_of_output(d));
    const bool shares = shares_windows(d, numbers.tile_p);
    const double wide = numbers.chunk_ci % static_cast<int>(kWideFloats) == 0 ? kWideFloats : 1;
    const auto staged = static_cast<double>(staged_cells(d, numbers.tile_p));
    const double groups = groups_of_tile(d, numbers.co_vector);
    const double cells = shares ? staged : staged * taps; // copied per input channel
    const double read =
        shares ? taps / d.kernel[d.rank - 1] * window_cells(d, 0, numbers.tile_p) : cells; // from there

    Roofline r;
    r.threads = kWarp;
    const double positions = static_cast<double>(spatial_product(out_extents(d), d.rank));
    const double row = tiled_positions(d);
    r.blocks =
        d.n * std::ceil(positions / row) * std::ceil(row / p) * rounded_up(d.co, kWarp * v) / (kWarp * v);
    r.fmas = ci * taps * v * p * kWarp;
    r.useful = d.n * positions * d.co * ci * taps / (r.blocks * r.fmas);
    const double copies = groups * ci * cells; // elements
    const double copy_steps =
        std::ceil(groups * cells * numbers.chunk_ci / wide / kWarp) * ci / numbers.chunk_ci;
    const double shared_reads = ci * read / wide, weight_loads = ci * taps; // instructions
    // A sum: for each tap a cell, a weight and a multiply-add, an element at a time but for the loads.
    const double of_sum = staged_taps * (kAddressInstructions + 2 + wide);
    r.shared_bytes = (copies + groups * ci * read) * kFloat;
    r.global_bytes = (copies + ci * taps * v * kWarp + v * p * kWarp) * kFloat;
    r.instructions = r.fmas / kWarp + shared_reads + weight_loads +
                     copy_steps * (2 + kAddressInstructions + of_sum) + v * p;

    const int sums = numbers.co_vector * numbers.tile_p;
    r.registers = registers.value_or(sums + numbers.co_vector * 4 +
                                     static_cast<int>(p) * static_cast<int>(wide) + kOtherRegisters);
    Units units;
    units.arithmetic = r.fmas / device.multiprocessor.fmas;
    const double reads_at_once =
        std::max(1.0, groups * wide * kFloat / device.multiprocessor.l1_bytes); // one for each group
    units.l1 = shared_reads * reads_at_once + (weight_loads * v * kWarp + 2 * copies * (1 + staged_taps)) *
                                                  kFloat / device.multiprocessor.l1_bytes;
    units.l2_bytes = r.global_bytes / 2; // half is found in L1: other warps read it too
    conclude(r, units, device, groups * staged * numbers.chunk_ci * kFloat);
    return r;
}

Roofline channelwise_roofline(const ConvDesc &d, int co_vector, int tile_x, const Device &device,
                              std::optional<int> registers) {
    const int x = d.rank - 1;
    const double v = co_vector, t = tile_x;
    const auto taps = static_cast<double>(spatial_product(d.kernel, d.rank));
    const double rows = taps / d.kernel[x];
    const double cells = (t - 1) * d.stride[x] + effective_kernel(d.kernel[x], d.dilation[x]);
    const double loads = rows * (cells + (op_info(d.op).has_filter ? d.kernel[x] : 0)); // of v channels
    const auto outputs = static_cast<double>(d.n * spatial_product(out_extents(d), d.rank)) * d.co;

    Roofline r;
    r.threads = kBlockThreads;
    r.blocks = std::ceil(outputs / (v * t) / r.threads);
    r.fmas = taps * v * t * r.threads;
    r.useful = outputs * taps / (r.blocks * r.fmas);
    r.global_bytes = (loads + t) * v * kFloat * r.threads;
    r.instructions = (loads + taps * v * t + t + kAddressInstructions * (rows + 1)) * r.threads / kWarp;
    r.registers = registers.value_or(static_cast<int>(v * (t + cells + 2)) + kOtherRegisters / 2);
    Units units;
    units.arithmetic = r.fmas / device.multiprocessor.fmas;
    units.l1 = r.global_bytes / device.multiprocessor.l1_bytes;
    // What the threads of a block read alike comes from L2 once.
    const double channels = std::min(static_cast<double>(d.co), r.threads * v);
    const double positions = r.threads * v * t / channels;
    const double span = (positions - 1) * d.stride[x] + effective_kernel(d.kernel[x], d.dilation[x]);
    const double weights = op_info(d.op).has_filter ? taps : 0;
    units.l2_bytes = (channels * (rows * span + weights) + v * t * r.threads) * kFloat;
    conclude(r, units, device, 0);
    return r;
}

std::optional<Roofline> plan_roofline(const ConvDesc &desc, const Plan &plan, const Device &device,
                                      std::optional<int> registers) {
    const Params &p = plan.params;
    if (!is_gpu(plan.target) || plan.schedule == "generic" || desc.is_open())
        return std::nullopt;
    const bool is_pair = is_composite(desc); // a sum of the depthwise op is what is staged
    const int staged_taps = is_pair ? static_cast<int>(spatial_product(desc.kernel, desc.rank)) : 0;
    const ConvDesc merged = merge_trivial_axes(is_pair ? last_op(desc) : desc);
    if (p.count("tile_x") != 0)
        return channelwise_roofline(merged, p.at("co_vector"), p.at("tile_x"), device, registers);
    if (p.count("chunk_ci") == 0)
        return std::nullopt;
    return dense_roofline(p.count("tile") != 0 ? product_of_winograd(merged, p.at("tile")) : merged,
                          {p.at("co_vector"), p.at("tile_p"), p.at("chunk_ci")}, device, staged_taps,
                          registers);
}

} // namespace convsmith::gpu
