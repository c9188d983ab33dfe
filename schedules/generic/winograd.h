// The schedule of the algorithm winograd for any CPU, with numbers that are right everywhere.
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::generic {

/// Schedules `conv` with complete parameters.
void schedule_winograd(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::generic
