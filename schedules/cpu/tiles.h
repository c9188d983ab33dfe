// The arithmetic that chooses register tiles, free of Halide: shared by the planning sides and by chain.cpp,
// which has a tile for each of its ops.
#pragma once

#include "generators/conv_desc.h"
#include "schedules/cpu/numbers.h"
#include "schedules/plan.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

namespace convsmith::cpu {

/// Bytes of strips that a kernel may hold: half a MiB of the 4 that are promised is left to its sums.
constexpr int64_t kMostWorkspace = 3584 * 1024;

/// Bytes of weights beyond which they come from what is left of a shared L3, or from memory, whenever a
/// kernel reads them again.
constexpr int64_t kShareOfL3 = 4 * 1024 * 1024;

/// Values of the parameter prefetch.
constexpr int kNoPrefetch = 1, kPrefetch = 2;

/// The parameter `name`, which is `value` if the caller left it open (0 or absent).
inline int &derive(Params &params, const char *name, int value) {
    int &number = params[name];
    if (number == 0)
        number = value;
    return number;
}

/// The least multiple that is not below `value`.
constexpr int64_t rounded_up(int64_t value, int64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

/// The length of the longest of the equal parts of at most `most` that `count` is cut into.
constexpr int equal_part(int count, int64_t most) {
    const int64_t parts = (count + most - 1) / most;
    return static_cast<int>((count + parts - 1) / parts);
}

/// Tasks that threads should find at least: 1 where handing out would take as long as the work, some 4 us,
/// else 2, 4 or 8. Defined in channelwise_plan.cpp.
int fewest_tasks(const ConvDesc &desc);

/// Whether two threads have equal shares of `tasks` equal ones, or nearly. Where they have not, one takes
/// from the other's share in every call, and its lines of the output move between their caches: a depthwise
/// layer took 17 us in 7 tasks, 10 in 4, 9 in 2 and 14 on two cores of a Sapphire Rapids.
constexpr bool are_shared_equally(int64_t tasks) {
    constexpr int64_t kMany = 16;
    return tasks % 2 == 0 || tasks > kMany;
}

/// The divisor of `extent`, at least `least`, that is nearest to what makes `tasks` tasks and no more than
/// `most`; those that threads share equally first. Defined in channelwise_plan.cpp.
int choose_shared_rows(int extent, int most, int tasks, int least);

/// Why no register tile takes an op that keeps channels apart (depthwise convolutions, pools), whatever its
/// layout; nothing if one may. Defined in channelwise_plan.cpp.
std::optional<std::string> reject_channels_apart(const ConvDesc &desc);

/// The cheapest ChannelTile of a merged problem; defined in channelwise_plan.cpp.
ChannelTile choose_channel_tile(const ConvDesc &desc, const Target &target);

/// The divisor of `extent` nearest to `wanted` in ratio, at least `least` if that is at most `extent`. So
/// many rows has a task of ops whose borders are compiled apart: a row that two tasks computed could round
/// differently in each, and the later one would decide. Defined in channelwise_plan.cpp.
int choose_task_rows(int extent, int wanted, int least);

/// Registers of a dense tile: its accumulators, the operands of its smaller side and one of the other; of
/// both sides where inputs wait in vectors for their lanes' turn.
inline int dense_registers(const Target &target, int co_vectors, int positions) {
    const int operands =
        target.multiplies_by_lane ? co_vectors + positions : std::min(co_vectors, positions) + 1;
    return co_vectors * positions + operands;
}

/// Time per position of a register tile of `tile` positions beside that of the largest one: 5 % for each
/// less, and in all not more than for a largest tile of 6 (fewer accumulators hide less of the FMA latency).
inline double smaller_tile_cost(int tile, int largest) {
    return 1 + 0.05 * std::min(1.0, 6.0 / largest) * (largest - tile);
}

/// The tile of output positions beside `co_vectors` that fits the registers and costs least over a block of
/// `block_p` positions. `row` is that of flattened positions whose rows lie apart, 0 where the positions of
/// every tile are neighbours. Defined in direct_plan.cpp.
int choose_tile_p(const Numbers &numbers, int co_vectors, int64_t block_p, int row = 0);

/// Blocks of `co_vectors` vectors of output channels that a tile of positions is computed for before the next
/// tile is, in equal parts: those whose weights stay near where the stores of outputs take longer than their
/// sums, else one. Defined in direct_plan.cpp.
int choose_co_blocks(const ConvDesc &desc, const Target &target, int co_vectors);

/// The tile of `params` if rows of the problem are a multiple of it, as of the schedules that share
/// direct.cpp, or if tiles along the only axis leave out taps; else 0. Defined in direct_plan.cpp.
int row_tile(const ConvDesc &desc, const Params &params);

/// Why weights of so many bytes, read again and again, need no prefetch; nothing if they do. Defined in
/// direct_plan.cpp.
std::optional<std::string> reject_near_weights(int64_t bytes, const Target &target);

/// Whether blocks of weights, of `co_vectors` vectors of output channels and `ci_block` input channels, are
/// brought to L2 while those before are multiplied: weights that it does not hold, in blocks that it holds
/// two of beside the input. Defined in direct_plan.cpp.
bool prefetches_weights(const ConvDesc &merged, const Target &target, int co_vectors, int ci_block);

/// Input channels of an iteration of a dense reduction's inner loop; defined in direct_plan.cpp.
int choose_unroll_ci(int ci);

/// Taps along x of such an iteration: all where it takes all of a few channels, else one; defined in
/// direct_plan.cpp.
int choose_unroll_taps(const ConvDesc &desc, int unroll_ci);

} // namespace convsmith::cpu
