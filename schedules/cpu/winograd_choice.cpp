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
        if (transforms_axis(desc, a) && (desc.kernel[a] > 3 || out[a] <= kSmallMap))
            return 2;
    }
    return 4;
}

void check_winograd_tile(const std::string &schedule, const ConvDesc &desc, int tile) {
    if (std::find(std::begin(kWinogradTiles), std::end(kWinogradTiles), tile) == std::end(kWinogradTiles))
        throw Error(ErrorCode::BadArgument, schedule + ": tile is " + std::to_string(tile) + ", want 2 or 4");
    for (int a = 0; a < desc.rank; a++) {
        if (transforms_axis(desc, a) && desc.kernel[a] > 3 && tile != 2)
            throw Error(ErrorCode::BadArgument, schedule + ": tile is " + std::to_string(tile) +
                                                    ", want 2 for " + std::to_string(desc.kernel[a]) +
                                                    " taps");
    }
}

WinogradTiles winograd_tiles(const ConvDesc &merged, int tile) {
    const Spatial out = out_extents(merged);
    const Packing packing = {1, tile};
    WinogradTiles tiles;
    if (merged.kernel[0] > 1 && !transforms_axis(merged, 0)) {
        tiles.strip_axis = 1;
        tiles.slices = out[0];
        tiles.direct_taps = merged.kernel[0];
    }
    for (int a = tiles.strip_axis; a < merged.rank; a++) {
        const int outputs = transforms_axis(merged, a) ? tile : 1;
        const int along = (out[a] + outputs - 1) / outputs;
        (a == tiles.strip_axis ? tiles.rows : tiles.row_tiles) *= along;
        tiles.elements *= packed_taps(merged, a, packing);
    }
    return tiles;
}

double winograd_gain(const ConvDesc &desc, int tile) {
    const WinogradTiles tiles = winograd_tiles(desc, tile);
    const double direct = static_cast<double>(spatial_product(out_extents(desc), desc.rank)) *
                          static_cast<double>(spatial_product(desc.kernel, desc.rank));
    return direct / (static_cast<double>(tiles.total()) * tiles.direct_taps * tiles.elements);
}

} // namespace convsmith::cpu
