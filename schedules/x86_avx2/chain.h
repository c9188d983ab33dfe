// The AVX2 schedule of chains of convolutions and pools (see chain.cpp).
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/plan.h"

namespace convsmith::x86_avx2 {

/// Schedules `conv` with complete parameters.
void schedule_chain(ConvPipeline &conv, const Plan &plan);

} // namespace convsmith::x86_avx2
