// A user's program: averages three neighbours with the kernel "blur", called with Halide's own buffers.
#include "blur.h"

#include <HalideBuffer.h>

#include <cstdio>

int main() {
    constexpr int kWidth = 4,
                  kBlock = 8; // kBlock: the build's co_block; channels beyond the only one are zero
    Halide::Runtime::Buffer<float> input(1, kWidth, 1), filter(kBlock, 1, 3, 1), output(1, kWidth, 1);
    filter.fill(0);
    for (int k = 0; k < 3; k++)
        filter(0, 0, k, 0) = 1;
    for (int x = 0; x < kWidth; x++)
        input(0, x, 0) = static_cast<float>(x + 1);
    const int error = blur(input, filter, output);
    if (error != 0)
        return 1;
    for (int x = 0; x < kWidth; x++)
        std::printf("%g%c", output(0, x, 0), x + 1 < kWidth ? ' ' : '\n');
    return 0;
}
