// The schedule of direct convolution (see direct.cpp).
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::cpu {

/// Schedules `conv` with complete parameters.
void schedule_direct(ConvPipeline &conv, const Plan &plan);

/// Register tile of an op that sums over channels.
struct DenseTile {
    Halide::Var position; ///< dimension of acc
    int co_block;         ///< output channels, a block of packed weights
    int lanes;            ///< elements of a vector, which divide it
    int positions;
    int unroll_ci; ///< input channels per iteration of the reduction's inner loop
};

/// Keeps `conv.acc`, already placed, in registers for one tile; what consumes it is split alike.
void schedule_dense_tile(ConvPipeline &conv, const Target &target, const DenseTile &tile);

} // namespace convsmith::cpu
