// The schedule of grouped convolution with few channels per group (see joined.cpp).
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::cpu {

/// Schedules `conv` with complete parameters.
void schedule_joined(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::cpu
