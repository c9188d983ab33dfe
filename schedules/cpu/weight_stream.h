// Weights that come from L3 or memory, brought to L2 while those before them are multiplied: a pass over the
// code that Halide has lowered. Before it: the schedules whose tiles share weights (direct.cpp,
// winograd.cpp); after it: lower.cpp runs it, machine_code.cpp chooses the cache.
#pragma once

#include "generators/conv_pipeline.h"

#include <cstdint>
#include <string>

namespace convsmith::cpu {

/// Packed weights as a schedule reads them: block by block, each for all tiles of a loop.
struct WeightStream {
    Halide::Var tiles; ///< the loop whose iterations multiply the same block of weights
    int step = 0;      ///< elements that an iteration of the reduction's inner loop reads, side by side
    int64_t block = 0; ///< elements from a weight of one block to its like in the next
};

/// Adds a pass to `conv`: each iteration of the inner loop prefetches its share of the weights that the next
/// block reads at the same place, so that all tiles together prefetch them once. Where there is but one tile,
/// weights of the block at hand, some KiB ahead. Halide's own prefetch takes one line of several, and all of
/// a region at a time: while the first tile computes, memory delivers as little as without it.
void prefetch_weights(ConvPipeline &conv, const WeightStream &stream);

} // namespace convsmith::cpu
