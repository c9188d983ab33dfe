// Register tiles of x86-64 CPUs with AVX2 and FMA: 16 ymm registers, 2 multiply-adds a cycle of 4 cycles each
// (see schedules/cpu/numbers.h).
#pragma once

#include "schedules/cpu/numbers.h"

namespace convsmith::x86_avx2 {

inline cpu::Numbers numbers() {
    cpu::Numbers n;
    n.prefetches_weights = true;
    n.accumulators = 8; // 4 x 2
    n.dense = {
        {2, 6},       // 12 accumulators + 2 weights + 1 broadcast = 15 of 16 registers
        {3, 4},       // 12 + 3 + 1 = 16
        {1, 8, 1.25}, // 8 + 1 + 1 = 10; a load for every multiply-add bounds it, more positions or not
        {5, 2, 1.05}, // 10 + 2 + 1 = 13; every vector of weights is loaded for 2 positions only
        {4, 3, 1.05}, // 12 + 3 + 1 = 16
    };
    n.one_position_vectors = 8;
    n.streams = 4;
    // 8 accumulators + 3 weights of a row of taps + inputs; 7 for rows of 7 and 14.
    n.channelwise = {{1, 4, 2}, {1, 8, 1}, {1, 7, 1}};
    n.channelwise_lines = {{2, 2, 2}, {2, 4, 1}};
    return n;
}

} // namespace convsmith::x86_avx2
