// The always-right schedule for every algorithm and target (see window.cpp).
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::generic {

/// Schedules `conv` with complete parameters.
void schedule_window(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::generic
