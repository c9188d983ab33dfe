// See winograd_choice.h.
#include "schedules/cpu/winograd_choice.h"

#include "generators/conv_shape.h"
#include "generators/error.h"
#include "generators/signature.h"
#include "generators/winograd_transform.h"

#include <algorithm>
#include <iterator>

namespace convsmith::cpu {

int choose_winograd_tile(const ConvDesc &desc) {
    constexpr int kSmallMap = 7;
    const Spatial out = out_extents(desc);
    for (int a = 0; a < desc.rank; a++) {
        if (desc.kernel[a] > 1 && out[a] <= kSmallMap)
            return 2;
    }
    return 4;
}

void check_winograd_tile(const std::string &schedule, int tile) {
    if (std::find(std::begin(kWinogradTiles), std::end(kWinogradTiles), tile) == std::end(kWinogradTiles))
        throw Error(ErrorCode::BadArgument, schedule + ": tile is " + std::to_string(tile) + ", want 2 or 4");
}

WinogradTiles winograd_tiles(const ConvDesc &merged, int tile) {
    const Spatial out = out_extents(merged);
    const Packing packing = {1, tile};
    WinogradTiles tiles;
    for (int a = 0; a < merged.rank; a++) {
        const int outputs = merged.kernel[a] > 1 ? tile : 1;
        tiles.along[a] = (out[a] + outputs - 1) / outputs;
        tiles.total *= tiles.along[a];
        tiles.elements *= packed_taps(merged.kernel[a], packing);
    }
    return tiles;
}

double winograd_gain(const ConvDesc &desc, int tile) {
    const WinogradTiles tiles = winograd_tiles(desc, tile);
    const double direct = static_cast<double>(spatial_product(out_extents(desc), desc.rank)) *
                          static_cast<double>(spatial_product(desc.kernel, desc.rank));
    return direct / (static_cast<double>(tiles.total) * tiles.elements);
}

} // namespace convsmith::cpu
