// The schedule of ops that slide over each channel apart (see channelwise.cpp).
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/cpu/tiles.h"
#include "schedules/plan.h"

namespace convsmith::cpu {

/// Schedules `conv` with complete parameters.
void schedule_channelwise(ConvPipeline &conv, const Plan &plan);

/// Whether every tile of a row of `width` is at one of its ends. Such are unrolled: Halide compiles the
/// borders of an outer loop apart only within the interior of the inner one.
bool are_all_at_borders(int width, int tile_x);

/// Keeps `conv.acc`, already placed, in registers for one tile; what consumes it is split alike.
void schedule_channelwise_tile(ConvPipeline &conv, const ChannelTile &tile, int lanes);

} // namespace convsmith::cpu
