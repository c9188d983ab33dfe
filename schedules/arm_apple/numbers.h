// Register tiles of Apple's 64-bit ARM cores: 4 multiply-adds a cycle of 4 cycles each, so 16 accumulators at
// least (see schedules/cpu/numbers.h). Their systems name the class.
#pragma once

#include "schedules/arm_neon/numbers.h"

namespace convsmith::arm_apple {

inline cpu::Numbers numbers() {
    cpu::Numbers n = arm_neon::numbers();
    n.accumulators = 16; // 4 x 4
    n.dense = {
        {4, 5},       // 20 accumulators + 4 weights + 5 inputs = 29 of 32 registers
        {3, 7},       // 21 + 3 + 7 = 31
        {2, 9},       // 18 + 2 + 9 = 29
        {5, 4},       // 20 + 5 + 4 = 29
        {1, 14, 1.3}, // 14 hide 3.5 multiply-adds a cycle
    };
    return n;
}

} // namespace convsmith::arm_apple
