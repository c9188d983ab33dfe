// Pictures of the demo: a photograph in, feature maps out.
#pragma once

#include "runtime/tensor.h"

#include <cstdint>
#include <string>
#include <vector>

namespace convsmith::demo {

/// 8-bit RGB, row by row.
struct Picture {
    int width = 0;
    int height = 0;
    std::vector<uint8_t> rgb;

    Picture() = default;
    Picture(int width_, int height_, uint8_t grey);
    uint8_t *pixel(int x, int y) { return rgb.data() + 3 * (static_cast<size_t>(y) * width + x); }
    const uint8_t *pixel(int x, int y) const { return rgb.data() + 3 * (static_cast<size_t>(y) * width + x); }
};

/// Reads a binary PPM (P6, 8 bits). Throws Error(Io) for anything else.
Picture read_ppm(const std::string &path);

/// Throws Error(Io).
void write_png(const Picture &picture, const std::string &path);

/// Box-filtered to `width` x `height`, which must not be larger than the picture.
Picture shrink(const Picture &picture, int width, int height);

/// [1][3][h][w] as the detector was trained: channels blue, green, red; (value / 255 - mean) / deviation.
Tensor normalized(const Picture &picture);

/// The picture beside a grid of the channels of `maps`, [1][c][h][w] f32; each channel from its least (black)
/// to its greatest value (white).
Picture feature_grid(const Picture &picture, const TensorView &maps);

} // namespace convsmith::demo
