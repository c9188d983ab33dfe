// The schedule of ops that slide over each channel apart, channels first, for any CPU (see planewise.cpp).
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::cpu {

/// Schedules `conv` with complete parameters.
void schedule_planewise(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::cpu
