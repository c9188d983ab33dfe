// The AVX2 schedule of direct convolution (see direct.cpp).
#pragma once

#include "generators/direct.h"
#include "schedules/plan.h"

namespace convsmith::x86_avx2 {

/// Schedules `conv` with complete parameters.
void schedule_direct(DirectConv &conv, const Plan &plan);

} // namespace convsmith::x86_avx2
