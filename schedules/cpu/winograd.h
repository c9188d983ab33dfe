// The schedule of the algorithm winograd for any CPU (see winograd.cpp).
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::cpu {

/// What differs between plans. The register tile has co_block x tile_t accumulators.
struct WinogradNumbers {
    int rows = 1;      ///< rows of tiles in a strip; at most those that there are
    int tile_t = 1;    ///< tiles in the register tile; at most those of a strip
    int co_blocks = 1; ///< blocks of output channels whose products are kept before they are transformed back
    int unroll_ci = 1; ///< input channels per iteration of the reduction's inner loop; divides ci
    bool prefetches = false; ///< the weights of the next element of the transform
};

void schedule_winograd(ConvPipeline &conv, const Target &target, const WinogradNumbers &numbers);

/// Schedules `conv` with complete parameters.
void schedule_winograd(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::cpu
