// The AVX2 schedule of ops that slide over each channel apart (see channelwise.cpp).
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::x86_avx2 {

/// Schedules `conv` with complete parameters.
void schedule_channelwise(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::x86_avx2
