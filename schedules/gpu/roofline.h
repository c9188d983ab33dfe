// A static model of the warp's dense tile (warp_tile.h) and of channelwise threads: what a block does,
// counted from the schedule's own numbers, and which unit of a multiprocessor bounds it. Ranks tiles for the
// planner; `explain` prints it, `tune --cost static` ranks plans by it (autotune/gpu_model.h). Nothing here
// is measured. Before it: dense_plan.h.
#pragma once

#include "generators/conv_desc.h"
#include "schedules/plan.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace convsmith::gpu {

/// What all devices of an architecture are made of: a row of devices.inc.
struct Multiprocessor {
    std::string architecture; ///< as assemblers name it: "sm_90"
    // Per cycle:
    int fmas;         ///< FP32 lanes
    int instructions; ///< of warps: schedulers
    int l1_bytes;     ///< of L1 and shared memory
    // That it holds:
    int warps, blocks;
    int registers; ///< of 32 bits
    int shared_bytes;
};

/// Throws Error(BadArgument) listing the known architectures for another one.
const Multiprocessor &multiprocessor(const std::string &architecture);

/// A row of devices.inc.
struct Device {
    std::string name;
    Multiprocessor multiprocessor;
    int multiprocessors;
    int l2_bytes;       ///< a cycle, from L2 to each
    std::string source; ///< of that
};
const std::vector<Device> &device_table();

/// The one that plans are chosen for: the first.
const Device &planned_device();

/// The number of a tile.
struct DenseNumbers {
    int co_vector, tile_p, chunk_ci;
};

/// One block and the launch.
struct Roofline {
    int threads = 0; ///< of a block
    double blocks = 0;
    double fmas = 0;         ///< of a block: those that the result needs and those of padding
    double useful = 1;       ///< part of them that the result needs
    double shared_bytes = 0; ///< that a block reads and writes; a broadcast counts once
    double global_bytes = 0; ///< that a block reads and writes, through the caches
    double instructions = 0; ///< of a block's warps
    int registers = 0;       ///< of a thread, estimated
    double occupancy = 0;    ///< warps held / warps that a multiprocessor can hold
    double of_peak = 0;      ///< of FP32 FMA peak
    double cycles = 0;       ///< of the launch
    std::string bound;       ///< "arithmetic", "instructions", "shared memory and L1", "L2", "too few blocks"
};

/// Of a merged, closed problem that the direct schedule takes. `staged_taps` as in complete_warp_tile;
/// `registers` of a thread where they are known.
Roofline dense_roofline(const ConvDesc &merged, const DenseNumbers &numbers, const Device &device,
                        int staged_taps = 0, std::optional<int> registers = std::nullopt);

/// The same of ops that slide over each channel apart: a thread computes co_vector channels at tile_x
/// positions of a row, whose windows share what it has loaded.
Roofline channelwise_roofline(const ConvDesc &merged, int co_vector, int tile_x, const Device &device,
                              std::optional<int> registers = std::nullopt);

/// Of a complete plan for a GPU, of the kernel of its sums: the products alone for Winograd's, the
/// multiply-adds of the 1x1 op for a chain's. Nothing for fallbacks, which no model describes, and open
/// sizes.
std::optional<Roofline> plan_roofline(const ConvDesc &desc, const Plan &plan, const Device &device,
                                      std::optional<int> registers = std::nullopt);

} // namespace convsmith::gpu
