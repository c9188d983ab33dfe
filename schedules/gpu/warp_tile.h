// The dense tile of a GPU: one warp computes lanes x co_vector output channels at tile_p positions in
// registers. What the tile reads of the input is copied to shared memory by the whole warp, chunk_ci channels
// at a time, and broadcast from there; each lane reads weights of its own channels, which other warps find in
// the cache. Before it: conv_pipeline.h; after it: schedules of this folder.
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/gpu/dense_plan.h"
#include "schedules/plan.h"

#include <utility>
#include <vector>

namespace convsmith::gpu {

struct WarpTile {
    Halide::Func consumer;           ///< whose blocks hold the tile: reads conv.acc at its own coordinates
    Halide::Var position;            ///< of consumer and conv.acc: tiled by tile_p
    std::vector<Halide::Var> others; ///< further dimensions of the consumer: one block for each point
    int co_vector = 1, tile_p = 1, chunk_ci = 1;
    Halide::Func staged;        ///< what is copied to shared memory
    Halide::Var staged_channel; ///< its dimension of input channels
    /// Extents of its dimensions for one tile and chunk; those of extent 1 are left out.
    std::vector<std::pair<Halide::Var, int>> staged_extents;
    /// Copied once for all taps of a chunk, as neighbouring windows share cells; else for each tap.
    bool is_staged_for_all_taps = false;
};

/// A tile of the plan's numbers; what is staged is left to the caller.
WarpTile begin_warp_tile(const Halide::Func &consumer, const Halide::Var &position,
                         const std::vector<Halide::Var> &others, const Plan &plan);

/// Schedules conv.acc, tile.staged and tile.consumer.
void schedule_warp_tile(ConvPipeline &conv, const Target &target, const WarpTile &tile);

} // namespace convsmith::gpu
