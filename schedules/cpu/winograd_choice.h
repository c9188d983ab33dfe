// What every CPU's Winograd planning shares: which tile, how many of them, what they save. Free of Halide.
#pragma once

#include "generators/conv_desc.h"

#include <array>
#include <string>

namespace convsmith::cpu {

/// 2 for maps up to 7 wide or high, which a tile of 4 overhangs; else 4.
int choose_winograd_tile(const ConvDesc &desc);

/// Throws Error(BadArgument) naming `schedule` if there is no such tile.
void check_winograd_tile(const std::string &schedule, int tile);

/// Tiles along each axis of the problem with merged axes, and elements of one transform.
struct WinogradTiles {
    std::array<int, kMaxSpatialRank> along = {1, 1, 1}; ///< outermost axis first
    int total = 1;
    int elements = 1;
};
WinogradTiles winograd_tiles(const ConvDesc &merged, int tile);

/// Multiplications of direct convolution per one of Winograd, overhang counted.
double winograd_gain(const ConvDesc &desc, int tile);

} // namespace convsmith::cpu
