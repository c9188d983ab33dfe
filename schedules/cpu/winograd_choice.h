// What every CPU's Winograd planning shares: which tile, how many of them, what they save. Free of Halide.
#pragma once

#include "generators/conv_desc.h"

#include <array>
#include <string>

namespace convsmith::cpu {

/// 2 with 5 taps, and for maps up to 7 wide or high, which a tile of 4 overhangs; else 4.
int choose_winograd_tile(const ConvDesc &desc);

/// Throws Error(BadArgument) naming `schedule` if there is no such tile for the problem.
void check_winograd_tile(const std::string &schedule, const ConvDesc &desc, int tile);

/// How a problem with merged axes is cut.
struct WinogradTiles {
    int strip_axis = 0; ///< the outermost that tiles lie along; strips are whole rows of tiles
    int rows = 1;       ///< of tiles
    int row_tiles = 1;
    int slices = 1;      ///< output positions along the axis whose taps are summed as they are
    int direct_taps = 1; ///< along that axis
    int elements = 1;    ///< of one transform

    int total() const { return rows * row_tiles * slices; }
};
WinogradTiles winograd_tiles(const ConvDesc &merged, int tile);

/// Multiplications of direct convolution per one of Winograd, overhang counted.
double winograd_gain(const ConvDesc &desc, int tile);

} // namespace convsmith::cpu
