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
        {3, 8},        // 24 + 3 + 1 = 28; 11 loads
        {2, 12},       // 24 + 2 + 1 = 27; 14 loads
        {1, 24, 1.25}, // 24 + 1 + 1 = 26; 25 loads
    };
    n.one_position_vectors = 8;
    // 16 accumulators + 3 weights of a row of taps + inputs; 14 for rows of 7 and 14. A vector is a cache
    // line.
    n.channelwise = {{1, 4, 4}, {1, 8, 2}, {1, 7, 2}, {1, 16, 1}, {1, 14, 1}, {1, 7, 1}};
    return n;
}

} // namespace convsmith::x86_avx512
