// See chain.cpp.
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::gpu {

void schedule_chain(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::gpu
