// Winograd convolution on a GPU. See winograd.cpp.
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::gpu {

void schedule_winograd(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::gpu
