// A static model of the warp's dense tile (warp_tile.h): what a block does, counted from the schedule's own
// numbers, and which unit of a multiprocessor bounds it. Ranks tiles for the planner; `explain` prints it.
// Nothing here is measured. Before it: dense_plan.h.
#pragma once

#include "generators/conv_desc.h"
#include "schedules/plan.h"

#include <cstdint>
#include <optional>
#include <string>

namespace convsmith::gpu {

/// A multiprocessor and how many there are; per cycle, per multiprocessor.
struct DeviceNumbers {
    int multiprocessors;
    int fmas;          ///< FP32 lanes
    int instructions;  ///< of warps: schedulers
    int l1_bytes;      ///< of L1 and shared memory
    int l2_bytes;      ///< from L2
    int warps, blocks; ///< that it holds
    int registers;     ///< of 32 bits
    int shared_bytes;  ///< shared memory
};

/// The device of the model.
constexpr const char *kModelledName = "H100";

/// H100 (compute capability 9.0, SXM), from NVIDIA's "CUDA C++ Programming Guide", tables of compute
/// capabilities and arithmetic throughput; L2 from "NVIDIA H100 Tensor Core GPU Architecture" (5.5 TB/s
/// at 1.7 GHz, rounded down).
constexpr DeviceNumbers kModelled = {132, 128, 4, 128, 24, 64, 32, 65536, 227 * 1024};

/// The number of a tile.
struct DenseNumbers {
    int co_vector, tile_p, chunk_ci;
};

/// One block, a warp, and the launch.
struct Roofline {
    double blocks = 0;
    double fmas = 0;         ///< of a block: those that the result needs and those of padding
    double useful = 1;       ///< part of them that the result needs
    double shared_bytes = 0; ///< that a block reads and writes; a broadcast counts once
    double global_bytes = 0; ///< that a block reads and writes, through the caches
    double instructions = 0; ///< of a block's warp
    int registers = 0;       ///< of a thread, estimated
    double occupancy = 0;    ///< warps held / warps that a multiprocessor can hold
    double of_peak = 0;      ///< of FP32 FMA peak
    std::string bound;       ///< "arithmetic", "instructions", "shared memory and L1", "L2", "too few blocks"
};

/// Of a merged, closed problem that the direct schedule takes. `staged_taps` as in complete_warp_tile.
Roofline dense_roofline(const ConvDesc &merged, const DenseNumbers &numbers, int staged_taps = 0);

/// Of a complete plan for a GPU, of the products alone for Winograd's, of the multiply-adds of the 1x1 op for
/// a chain's; nothing for schedules without the tile.
std::optional<Roofline> plan_roofline(const ConvDesc &desc, const Plan &plan);

} // namespace convsmith::gpu
