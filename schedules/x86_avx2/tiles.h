// Register tiles of the AVX2 schedules and the arithmetic that chooses them, free of Halide: shared by the
// planning sides and by chain.cpp, which has a tile for each of its ops.
#pragma once

#include "generators/conv_desc.h"

#include <cstdint>

namespace convsmith::x86_avx2 {

/// Tile of an op that slides over each channel apart.
struct ChannelTile {
    int co_vectors, tile_x, tile_y;
};

/// The cheapest ChannelTile of a merged problem; defined in channelwise_plan.cpp.
ChannelTile choose_channel_tile(const ConvDesc &desc, int lanes);

/// The tile of output positions beside `co_vectors` that fits the registers and costs least over a block of
/// `block_p` positions; defined in direct_plan.cpp.
int choose_tile_p(int co_vectors, int64_t block_p);

/// Input channels of an iteration of a dense reduction's inner loop; defined in direct_plan.cpp.
int choose_unroll_ci(int ci);

} // namespace convsmith::x86_avx2
