// The schedule of deformable convolution (see deformable.cpp).
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::cpu {

/// Schedules `conv` with complete parameters.
void schedule_deformable(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::cpu
