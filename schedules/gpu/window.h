// Any algorithm but Winograd's on any GPU: each thread computes one output. See window.cpp.
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::gpu {

void schedule_window(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::gpu
