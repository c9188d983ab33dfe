// Register tiles of a CPU class: what the schedules of this folder differ by between classes. Each class has
// its table in its own folder (schedules/<class>/numbers.h); caches and registers are in targets.inc.
#pragma once

#include "schedules/target.h"

#include <vector>

namespace convsmith::cpu {

/// Register tile of an op that sums over channels: co_vectors x positions accumulators, beside which
/// operands lie (dense_registers in tiles.h).
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
    /// Input of a block of rows that a dense window copies, as a part of L2 (targets.inc): what serves
    /// several taps is read seldom enough for L3 where multiply-adds are slow.
    double strip = 2;
    /// Positions of a tile for which a vector of weights is in time from L3: fewer cost in proportion where
    /// the weights of a block of channels take more than L2.
    int far_positions = 6;
    /// Input of a block of a matrix product over positions, as parts of L2: of all positions, where they need
    /// no blocks; of a block; of a block where the weights, which every block reads, take more than L2.
    double whole_positions = 0.375, block_positions = 0.125, block_far_weights = 0.125;
    /// Whether the loads of weights may outweigh the multiply-adds that the larger Winograd tile saves.
    bool weighs_winograd_tiles = false;
    int one_position_vectors = 0; ///< most accumulators of a tile of one position (fully connected layers)
    /// Parts of the input channels whose weights such a tile reads side by side: memory delivers more to
    /// several streams. 4 of 2 vectors took 0.80 to 0.87 of the time of one of 8 on Ice Lake (9216 to 4096
    /// channels).
    int streams = 1;
    /// Whether weights beyond L2 are brought to it while those before them are multiplied: the processor's
    /// own prefetcher comes too late for the first tile of each block. 512 channels at 28x28, Winograd, took
    /// 0.68 of the time on Sapphire Rapids.
    bool prefetches_weights = false;
    /// Most positions of a tile with a pointer each (where they are not seen to be neighbours) that the
    /// general registers hold.
    int most_pointers = 7;
    /// Whether lanes of a load can be left out: rows of planes are read in place so.
    bool has_masked_loads = true;
    /// The planner takes the cheapest; where positions lie on one axis or three, the first of one row.
    std::vector<ChannelTile> channelwise;
    /// Instead of them where a tile should span cache lines of channels; empty if every vector does.
    std::vector<ChannelTile> channelwise_lines;
    /// Instead of them where windows are strided, which takes more inputs to the registers; empty: the same.
    std::vector<ChannelTile> channelwise_strided;

    /// Positions of the tile of `co_vectors` in `dense`; 0 if there is none.
    int largest(int co_vectors) const;
    /// The tile of `co_vectors` in `dense`, which must have one.
    const DenseShape &shape(int co_vectors) const;
    /// Vectors of the widest tile in `dense`.
    int most_vectors() const;
};

/// The table of the target's class, which must have one.
const Numbers &numbers_of(const Target &target);

} // namespace convsmith::cpu
