// The AVX2 schedule of direct convolution (see direct.cpp).
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::x86_avx2 {

/// Schedules `conv` with complete parameters.
void schedule_direct(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::x86_avx2
