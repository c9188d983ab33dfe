// Dense convolutions, pointwise and deformable ones among them, on a GPU. See direct.cpp.
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::gpu {

void schedule_direct(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::gpu
