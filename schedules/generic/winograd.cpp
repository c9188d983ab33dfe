// Winograd on any CPU (see winograd.h): strips of one row of tiles, a register tile of few tiles.
#include "schedules/generic/winograd.h"

#include "schedules/cpu/winograd.h"

#include <algorithm>

namespace convsmith::generic {

void schedule_winograd(ConvPipeline &conv, const Plan &plan) {
    constexpr int kTiles = 2; // with 4 vectors of channels 8 accumulators, which every CPU has
    const WinogradParts &w = *conv.winograd;
    int strip_t = 1;
    for (size_t i = 0; i < w.strip_axis(); i++)
        strip_t *= w.tiles[i];
    cpu::WinogradNumbers numbers;
    numbers.tile_t = std::min(kTiles, strip_t);
    cpu::schedule_winograd(conv, plan.target, numbers);
}

} // namespace convsmith::generic
