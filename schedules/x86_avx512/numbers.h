// Register tiles of x86-64 CPUs with AVX-512: 32 zmm registers, 2 multiply-adds a cycle of 4 cycles each (see
// schedules/cpu/numbers.h).
#pragma once

#include "schedules/cpu/numbers.h"

namespace convsmith::x86_avx512 {

inline cpu::Numbers numbers() {
    cpu::Numbers n;
    n.accumulators = 8; // 4 x 2
    n.dense = {
        {4,
         6}, // 24 accumulators + 4 weights + 1 broadcast = 29 of 32 registers; 10 loads for 24 multiply-adds
        {3, 8},        // 24 + 3 + 1 = 28; 11 loads. With 9 LLVM spills an accumulator
        {2, 14, 1.15}, // 28 + 2 + 1 = 31; 16 loads
        {1, 28, 2},    // 28 + 1 + 1 = 30; a load for every multiply-add bounds it
    };
    n.strip = 0.5;
    n.far_positions = 14;
    n.whole_positions = 0.5, n.block_far_weights = 0.25; // multiply-adds are twice as fast, L3 is not
    n.weighs_winograd_tiles = true;
    n.one_position_vectors = 8;
    n.streams = 4;
    n.prefetches_weights = true;
    // As for AVX2: tiles of 14 to 16 are up to twice as slow (LLVM moves the loads of all taps to the front,
    // and spills them). A vector is a cache line.
    n.channelwise = {{1, 4, 2}, {1, 8, 1}, {1, 7, 1}};
    return n;
}

} // namespace convsmith::x86_avx512
