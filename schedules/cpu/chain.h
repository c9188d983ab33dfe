// The schedule of chains of convolutions and pools (see chain.cpp).
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::cpu {

/// Schedules `conv` with complete parameters.
void schedule_chain(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::cpu
