// Register tiles of 64-bit ARM with NEON: 32 registers of 4 floats; a multiply-add takes its second factor
// from a lane, so that 4 input channels of a position are one load. 2 multiply-adds a cycle of 4 cycles each
// on Cortex-A76 and Neoverse N1 (see schedules/cpu/numbers.h).
#pragma once

#include "schedules/cpu/numbers.h"

namespace convsmith::arm_neon {

inline cpu::Numbers numbers() {
    cpu::Numbers n;
    n.accumulators = 8; // 4 x 2
    n.dense = {
        {4, 5}, // 20 accumulators + 4 weights + 5 inputs = 29 of 32 registers; 21 loads for 80 multiply-adds
        {3, 7}, // 21 + 3 + 7 = 31; 19 for 84
        {2, 9}, // 18 + 2 + 9 = 29; 17 for 72
        {5, 4}, // 20 + 5 + 4 = 29; 24 for 80
        {1, 14, 1.1}, // 14 + 1 + 14 = 29; 18 for 56
    };
    n.one_position_vectors = 8;
    n.most_pointers = 16;
    n.has_masked_loads = false;
    // Higher or wider, LLVM spills; of one row, half of the loads of a window wait for their turn.
    n.channelwise = {{1, 8, 2}, {1, 7, 2}, {1, 4, 3}, {1, 4, 2}, {1, 8, 1}, {1, 7, 1}};
    n.channelwise_strided = {{1, 4, 2}, {1, 7, 1}};
    return n;
}

} // namespace convsmith::arm_neon
