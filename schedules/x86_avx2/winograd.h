// The AVX2 schedule of the algorithm winograd: that of all CPUs (schedules/cpu/winograd.h) with tuned
// numbers.
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::x86_avx2 {

/// Schedules `conv` with complete parameters.
void schedule_winograd(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::x86_avx2
