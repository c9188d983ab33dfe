// A user's program: sums three neighbours with the kernel "blur", and with "pair", two operations in one, the
// sums of two channels, called with Halide's own buffers.
#include "blur.h"
#include "pair.h"

#include <HalideBuffer.h>

#include <cstdio>

namespace {

constexpr int kWidth = 4, kTaps = 3;
constexpr int kBlock = 8; // the build's co_block; channels beyond the layer's are zero

using Tensor = Halide::Runtime::Buffer<float>;

/// A packed filter of ones: `co` output channels of `ci` input channels.
Tensor ones(int co, int ci, int taps) {
    Tensor filter(kBlock, ci, taps, 1);
    filter.fill(0);
    filter.cropped(0, 0, co).fill(1);
    return filter;
}

void print(const Tensor &output) {
    for (int x = 0; x < kWidth; x++)
        std::printf("%g%c", output(0, x, 0), x + 1 < kWidth ? ' ' : '\n');
}

} // namespace

int main() {
    Tensor input(1, kWidth, 1), two(2, kWidth, 1), output(1, kWidth, 1);
    for (int x = 0; x < kWidth; x++) {
        input(0, x, 0) = two(0, x, 0) = static_cast<float>(x + 1);
        two(1, x, 0) = static_cast<float>(10 * (x + 1));
    }
    Tensor filter = ones(1, 1, kTaps);
    if (blur(input, filter, output) != 0)
        return 1;
    print(output);
    Tensor depthwise = ones(2, 1, kTaps), pointwise = ones(1, 2, 1);
    if (pair(two, depthwise, pointwise, output) != 0)
        return 1;
    print(output);
    return 0;
}
