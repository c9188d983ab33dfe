// Ops that slide over each channel apart, channels last, on a GPU. See channelwise.cpp.
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::gpu {

void schedule_channelwise(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::gpu
