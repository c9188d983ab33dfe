// The schedule of transposed convolution (see transposed.cpp).
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::cpu {

/// Schedules `conv` with complete parameters.
void schedule_transposed(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::cpu
