// The shadow's change to smaller granules (race_shadow.h).
#include "tests/emulated/ptx/race_shadow.h"

namespace convsmith::ptx {

/// Splits the granules for accesses that are smaller than they are.
void RaceShadow::refine(unsigned granule_bits) {
    const std::uint64_t parts = std::uint64_t{1} << (granule_bits_ - granule_bits);
    std::vector<Cell> cells;
    cells.reserve(cells_.size() * parts);
    for (const Cell &cell : cells_)
        cells.insert(cells.end(), parts, cell);
    cells_ = std::move(cells);
    granule_bits_ = granule_bits;
}

} // namespace convsmith::ptx
