// The always-right schedule of direct convolution for every target (see direct.cpp).
#pragma once

#include "generators/direct.h"
#include "schedules/plan.h"

namespace convsmith::generic {

/// Schedules `conv` with complete parameters.
void schedule_direct(DirectConv &conv, const Plan &plan);

} // namespace convsmith::generic
