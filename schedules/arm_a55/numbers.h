// Register tiles of Cortex-A55, and of other ARM cores that keep the program's order: one multiply-add a
// cycle of 4 cycles, beside which one load starts (see schedules/cpu/numbers.h). Chosen where the target
// string names cortex_a55.
#pragma once

#include "schedules/arm_neon/numbers.h"

namespace convsmith::arm_a55 {

inline cpu::Numbers numbers() {
    cpu::Numbers n = arm_neon::numbers();
    n.channelwise_strided = {{1, 5, 2}, {1, 4, 2}}; // fewest loads for an output, which nothing hides
    return n;
}

} // namespace convsmith::arm_a55
