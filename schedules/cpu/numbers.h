// Register tiles of a CPU class: what the schedules of this folder differ by between classes. Each class has
// its table in its own folder (schedules/<class>/numbers.h); caches and registers are in targets.inc.
#pragma once

#include "schedules/target.h"

#include <vector>

namespace convsmith::cpu {

/// Register tile of an op that sums over channels: co_vectors x positions accumulators. Beside them lie
/// min(co_vectors, positions) operands of the smaller side and one of the other.
struct DenseShape {
    int co_vectors, positions;
    double cost = 1; ///< time of a multiply-add relative to the first tile's
};

/// Register tile of an op that slides over each channel apart.
struct ChannelTile {
    int co_vectors, tile_x, tile_y;
};

struct Numbers {
    int accumulators = 0; ///< that hide the latency of a multiply-add: cycles it takes x started per cycle
    /// The largest tile of each number of vectors, the favourite first; the planner takes the cheapest for a
    /// problem's channels. Every number up to the widest has one.
    std::vector<DenseShape> dense;
    int one_position_vectors = 0; ///< most vectors of a tile of one position (fully connected layers)
    /// The planner takes the cheapest; where positions lie on one axis or three, the first of one row.
    std::vector<ChannelTile> channelwise;
    /// Instead of them where a tile should span cache lines of channels; empty if every vector does.
    std::vector<ChannelTile> channelwise_lines;

    /// Positions of the tile of `co_vectors` in `dense`; 0 if there is none.
    int largest(int co_vectors) const;
    /// Vectors of the widest tile in `dense`.
    int most_vectors() const;
};

/// The table of the target's class, which must have one.
const Numbers &numbers_of(const Target &target);

} // namespace convsmith::cpu
