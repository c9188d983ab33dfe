// Register tiles of Apple's 64-bit ARM cores: 4 multiply-adds a cycle of 4 cycles each, so 16 accumulators at
// least (see schedules/cpu/numbers.h). Their systems name the class.
#pragma once

#include "schedules/arm_neon/numbers.h"

namespace convsmith::arm_apple {

inline cpu::Numbers numbers() {
    cpu::Numbers n = arm_neon::numbers();
    n.accumulators = 16;       // 4 x 4
    n.dense.back().cost = 1.3; // of one vector: its 14 accumulators hide 3.5 multiply-adds a cycle
    return n;
}

} // namespace convsmith::arm_apple
