// See roofline.h.
#include "schedules/gpu/roofline.h"

#include "generators/composite.h"
#include "generators/conv_shape.h"
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

} // namespace

Roofline dense_roofline(const ConvDesc &d, const DenseNumbers &numbers, int staged_taps) {
    const DeviceNumbers &device = kModelled;
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
    r.registers =
        sums + numbers.co_vector * 4 + static_cast<int>(p) * static_cast<int>(wide) + kOtherRegisters;
    const double stage_bytes = groups * staged * numbers.chunk_ci * kFloat;
    const double held = std::min({static_cast<double>(device.blocks), static_cast<double>(device.warps),
                                  std::floor(device.registers / (kWarp * rounded_up(r.registers, 8))),
                                  std::floor(device.shared_bytes / (stage_bytes + 1024))}); // 1 KiB: reserved
    r.occupancy = held / device.warps;

    // Cycles of a multiprocessor that a block takes of each unit, as others overlap with it.
    const double arithmetic = r.fmas / device.fmas;
    const double issue = r.instructions / device.instructions;
    const double reads_at_once =
        std::max(1.0, groups * wide * kFloat / device.l1_bytes); // one for each group
    const double l1 = shared_reads * reads_at_once +
                      (weight_loads * v * kWarp + 2 * copies * (1 + staged_taps)) * kFloat / device.l1_bytes;
    const double l2 = r.global_bytes / 2 / device.l2_bytes; // half is found in L1: other warps read it too
    // Whole waves of blocks, each as many as keep every scheduler busy.
    const double wave = device.multiprocessors * std::min(held, 8.0);
    const double filled =
        r.blocks / rounded_up(r.blocks, std::min(wave, rounded_up(r.blocks, device.multiprocessors)));
    const double busy = std::min(1.0, r.blocks / (device.multiprocessors * 4.0)) * filled;
    const double slowest = std::max({arithmetic, issue, l1, l2});
    r.of_peak = arithmetic / slowest * r.useful * busy;
    r.bound = busy < 0.7              ? "too few blocks"
              : slowest == arithmetic ? "arithmetic"
              : slowest == issue      ? "instructions"
              : slowest == l1         ? "shared memory and L1"
                                      : "L2";
    return r;
}

std::optional<Roofline> plan_roofline(const ConvDesc &desc, const Plan &plan) {
    const Params &p = plan.params;
    if (!is_gpu(plan.target) || p.count("chunk_ci") == 0)
        return std::nullopt;
    const bool is_pair = is_composite(desc); // a sum of the depthwise op is what is staged
    const int staged_taps = is_pair ? static_cast<int>(spatial_product(desc.kernel, desc.rank)) : 0;
    const ConvDesc merged = merge_trivial_axes(is_pair ? last_op(desc) : desc);
    return dense_roofline(p.count("tile") != 0 ? product_of_winograd(merged, p.at("tile")) : merged,
                          {p.at("co_vector"), p.at("tile_p"), p.at("chunk_ci")}, staged_taps);
}

} // namespace convsmith::gpu
