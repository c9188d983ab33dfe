// The always-right schedule for composites (see composite.cpp).
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::generic {

/// Schedules `conv` with complete parameters.
void schedule_composite(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::generic
