// The arithmetic that chooses register tiles, free of Halide: shared by the planning sides and by chain.cpp,
// which has a tile for each of its ops.
#pragma once

#include "generators/conv_desc.h"
#include "schedules/cpu/numbers.h"

#include <cstdint>

namespace convsmith::cpu {

/// The cheapest ChannelTile of a merged problem; defined in channelwise_plan.cpp.
ChannelTile choose_channel_tile(const ConvDesc &desc, const Target &target);

/// The divisor of `extent` nearest to `wanted` in ratio, at least `least` if that is at most `extent`. So
/// many rows has a task of ops whose borders are compiled apart: a row that two tasks computed could round
/// differently in each, and the later one would decide. Defined in channelwise_plan.cpp.
int choose_task_rows(int extent, int wanted, int least);

/// The tile of output positions beside `co_vectors` that fits the registers and costs least over a block of
/// `block_p` positions; defined in direct_plan.cpp.
int choose_tile_p(const Numbers &numbers, int co_vectors, int64_t block_p);

/// Input channels of an iteration of a dense reduction's inner loop; defined in direct_plan.cpp.
int choose_unroll_ci(int ci);

/// Taps along x of such an iteration: all where it takes all of a few channels, else one; defined in
/// direct_plan.cpp.
int choose_unroll_taps(const ConvDesc &desc, int unroll_ci);

} // namespace convsmith::cpu
