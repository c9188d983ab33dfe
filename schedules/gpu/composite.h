// Composites on any GPU: a kernel for each op. See composite.cpp.
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::gpu {

void schedule_composite(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::gpu
