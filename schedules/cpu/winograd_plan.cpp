// Planning side of the Winograd schedule (schedule.h): when it is expected to be faster, and its numbers
// from register and cache arithmetic.
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "schedules/cpu/dense_plan.h"
#include "schedules/cpu/numbers.h"
#include "schedules/cpu/tiles.h"
#include "schedules/cpu/winograd_choice.h"
#include "schedules/schedule.h"
#include "schedules/vector_loads.h"

#include <algorithm>

namespace convsmith::cpu {
namespace {

/// Vectors of the first tile that pads the channels by at most an eighth, else of the one that pads them
/// least; slower tiles only where one block of them holds all channels.
int choose_vectors(const Numbers &numbers, const ConvDesc &d, int lanes) {
    const int co = d.co / d.groups;
    constexpr int kPadded = 8;
    int best = 1, least = 0;
    for (const DenseShape &shape : numbers.dense) {
        const int block = shape.co_vectors * lanes;
        const int padded = static_cast<int>(rounded_up(co, block)) - co;
        if ((co > block && shape.cost > 1) || (d.groups > 1 && co % block != 0))
            continue;
        if (padded * kPadded <= co)
            return shape.co_vectors;
        if (least == 0 || padded < least)
            best = shape.co_vectors, least = padded;
    }
    return best;
}

constexpr int kFmasPerCycle = 2;

/// What a strip of `rows` rows of tiles holds and costs.
struct Strip {
    int rows = 1;
    int tile_t = 1;
    double cycles = 0; ///< of the whole problem
};

/// Sizes of the problem that strips are chosen by.
struct Sizing {
    WinogradTiles tiles;
    double row_bytes = 0;         ///< of one padded input row, in all slices that an output takes
    double transformed_bytes = 0; ///< of one tile's input, in all those slices
    double weight_bytes = 0;
    double product_cycles = 0; ///< of one tile, all its elements
    int tile = 0;              ///< along the axis that strips cut
    int halo = 0;
};

Sizing sizing_of(const ConvDesc &d, const Target &target, int tile) {
    Sizing s;
    s.tiles = winograd_tiles(d, tile);
    const int strip_axis = s.tiles.strip_axis;
    s.row_bytes = 4.0 * d.ci * s.tiles.direct_taps;
    for (int a = strip_axis + 1; a < d.rank; a++)
        s.row_bytes *= d.in[a] + d.pad_begin[a] + d.pad_end[a];
    s.transformed_bytes = 4.0 * d.ci * s.tiles.elements * s.tiles.direct_taps;
    s.weight_bytes = s.transformed_bytes * d.co / d.groups;
    s.product_cycles = s.weight_bytes / 4 / (kFmasPerCycle * vector_lanes(target, d.acc_type));
    if (s.tiles.slices > 1 && leaves_out_slices(d))
        s.product_cycles *= 1 - padded_share(d, 1);
    s.tile = d.kernel[strip_axis] > 1 ? tile : 1;
    s.halo = d.kernel[strip_axis] - 1;
    return s;
}

/// Largest register tile that needs the fewest cycles for `strip_t` tiles, smaller_tile_cost included.
int choose_tile_t(const Numbers &numbers, int co_vectors, int strip_t) {
    const int largest = numbers.largest(co_vectors);
    const auto cost = [&](int t) {
        const int computed = (strip_t + t - 1) / t * t;
        return computed * smaller_tile_cost(t, largest);
    };
    int best = std::min(largest, strip_t);
    for (int t = best - 1; t >= 1 && t * co_vectors >= numbers.accumulators; t--) {
        if (cost(t) < cost(best))
            best = t;
    }
    return best;
}

/// Weights beyond kShareOfL3 come in so many bytes a cycle.
constexpr double kFarBytesPerCycle = 5;

/// The strip that costs least. Every strip streams all weights, from L3 (16 bytes a cycle, while the first of
/// its register tiles computes) or from farther away. Its transformed input is written once and read for
/// every group of channels: beyond half of L2 at 8 bytes a cycle. Its padded input is copied, 4 bytes a
/// cycle. All of it must fit the workspace.
Strip choose_strip(const ConvDesc &d, const Target &target, int tile, int co_vectors) {
    constexpr int kGroup = 64; // output channels
    const Sizing s = sizing_of(d, target, tile);
    Strip best;
    for (int rows = 1; rows <= s.tiles.rows; rows++) {
        const int strips = (s.tiles.rows + rows - 1) / rows;
        if (strips == 2 && rows != equal_part(s.tiles.rows, rows))
            continue;
        const int strip_t = rows * s.tiles.row_tiles;
        const double input = s.transformed_bytes * strip_t;
        const double padded = s.row_bytes * (rows * s.tile + s.halo);
        if (rows > 1 && input + padded > kMostWorkspace)
            break;
        const int tile_t = choose_tile_t(numbers_of(target), co_vectors, strip_t);
        const int last_t = (s.tiles.rows - (strips - 1) * rows) * s.tiles.row_tiles;
        const double products =
            s.product_cycles *
            static_cast<double>(rounded_up(strip_t, tile_t) * (strips - 1) + rounded_up(last_t, tile_t));
        const double hidden = s.product_cycles * tile_t;
        const double weights = s.weight_bytes > kShareOfL3 ? s.weight_bytes / kFarBytesPerCycle
                                                           : std::max(0.0, s.weight_bytes / 16 - hidden);
        const double passes = 1 + static_cast<double>(d.co) / kGroup;
        const double reads = input > target.l2_bytes / 2.0 ? input * passes / 8 : 0;
        // What threads share of a single strip moves between their caches: 48 to 128 channels, 5x5 at 7x7,
        // took 57 us on two threads as one strip, 24 as two, 39 on one thread as either (AVX-512).
        const bool is_shared = strips == 1 && s.tiles.slices == 1 && d.n == 1;
        const double shared = is_shared && s.weight_bytes <= target.l2_bytes ? input / 2 : 0;
        const double cycles = products + strips * (weights + reads + padded / 4) + shared;
        if (best.cycles == 0 || cycles < best.cycles)
            best = {rows, tile_t, cycles};
    }
    return best;
}

/// F(4, 3), which saves most; where its weights come from far and few tiles use them, F(2, 3), if the class's
/// multiply-adds are so fast that the weights decide. `merged` after merge_trivial_axes.
int choose_tile(const ConvDesc &merged, const Target &target) {
    const Numbers &numbers = numbers_of(target);
    const int tile = choose_winograd_tile(merged);
    if (tile == 2 || !numbers.weighs_winograd_tiles)
        return tile;
    const auto cycles = [&](int of_tile) {
        return choose_strip(merged, target, of_tile, numbers.dense.front().co_vectors).cycles;
    };
    return cycles(2) < cycles(tile) ? 2 : tile;
}

/// Whether the slices of an axis that is not transformed, each of which streams all weights, read them longer
/// than Winograd saves: sums as they are read them once, in blocks of input channels (direct_plan.cpp). 15 %
/// for tiles that overlap and what stands around multiply-adds. C3D's 512 channels, weights of 50 MB, on Ice
/// Lake: 120 and 17 ms, 91 and 13 ms as they are.
bool streams_weights(const ConvDesc &d, const Target &target, int tile) {
    constexpr double kOverhead = 1.15;
    const Numbers &numbers = numbers_of(target);
    const WinogradTiles tiles = winograd_tiles(d, tile);
    if (tiles.slices == 1 || !numbers.weighs_winograd_tiles)
        return false;
    const double weights = static_cast<double>(spatial_product(d.kernel, d.rank)) * d.ci * d.co / d.groups;
    const double left_out = leaves_out_rows(d) ? padded_share(d, d.rank - 1) : 0;
    const double macs =
        weights * static_cast<double>(spatial_product(out_extents(d), d.rank)) * (1 - left_out);
    const double direct = macs / (kFmasPerCycle * vector_lanes(target, d.acc_type)) * kOverhead +
                          4 * weights / kFarBytesPerCycle;
    return tiles.slices * choose_strip(d, target, tile, numbers.dense.front().co_vectors).cycles > direct;
}

/// Both transforms cost about 800 instructions per tile and vector of channels, the products of a tile 36
/// FMAs per pair of vector and channel: below 32 channels the transforms take most of what is saved, below 16
/// where a tap is 5 wide.
std::optional<std::string> loses(const ConvDesc &desc, const Target &target) {
    const bool is_wide =
        std::any_of(desc.kernel.begin(), desc.kernel.begin() + desc.rank, [](int taps) { return taps > 3; });
    const int kFewestChannels = is_wide ? 16 : 32;
    constexpr double kLeastGain = 1.4;
    constexpr int kFewestTiles = 4;
    if (std::min(desc.ci, desc.co) / desc.groups < kFewestChannels)
        return "fewer than " + std::to_string(kFewestChannels) +
               " channels of a group: the transforms take what is saved";
    const ConvDesc merged = merge_trivial_axes(desc);
    const int tile = choose_tile(merged, target);
    const double gain = winograd_gain(desc, tile);
    if (gain < kLeastGain)
        return "saves too little: " + std::to_string(gain) + " multiplications per one, tiles overhang";
    if (winograd_tiles(desc, tile).total() < kFewestTiles)
        return "fewer than " + std::to_string(kFewestTiles) + " tiles for the weights of a transform";
    if (streams_weights(merged, target, tile))
        return "slices that stream the weights each: that takes longer than the sums";
    return std::nullopt;
}

/// Blocks of channels whose products take at most 160 KiB, a part of L2, and that divide all evenly; at least
/// four groups, so that threads can share a single strip.
int choose_co_blocks(const ConvDesc &d, int co_block, int strip_t, int elements) {
    constexpr int64_t kProductBytes = 160 * 1024;
    constexpr int kFewestGroups = 4;
    const int blocks = (d.co + co_block - 1) / co_block;
    int best = 1;
    for (int count = 2; count * kFewestGroups <= blocks; count *= 2) {
        if (blocks % count == 0 && int64_t{4} * strip_t * elements * co_block * count <= kProductBytes)
            best = count;
    }
    return best;
}

/// Why weights of the merged problem's transform are not prefetched; nothing if they may be.
std::optional<std::string> reject_prefetch(const ConvDesc &d, const Target &target, int tile) {
    return reject_near_weights(static_cast<int64_t>(sizing_of(d, target, tile).weight_bytes), target);
}

int choose_prefetch(const ConvDesc &d, const Target &target, int tile) {
    return numbers_of(target).prefetches_weights && !reject_prefetch(d, target, tile) ? kPrefetch
                                                                                      : kNoPrefetch;
}

bool settles(const ConvDesc &desc, const Target &target, const std::string &number) {
    constexpr int kLargestTile = 4; // has the most weights
    return number == "prefetch" &&
           reject_prefetch(merge_trivial_axes(desc), target, kLargestTile).has_value();
}

void check_params(const ConvDesc &desc, const Target &target, const Params &p) {
    const auto fail = [&](const std::string &what) {
        throw Error(ErrorCode::BadArgument, target.name + " winograd: " + what);
    };
    const int vectors = p.at("co_vectors"), tile_t = p.at("tile_t");
    const int registers = dense_registers(target, vectors, tile_t);
    if (registers > target.vector_registers)
        fail("co_vectors x tile_t needs " + std::to_string(registers) + " registers, the target has " +
             std::to_string(target.vector_registers));
    const int block = vectors * vector_lanes(target, desc.acc_type);
    if (desc.groups > 1 && desc.co / desc.groups % block != 0)
        fail("co_vectors makes blocks of " + std::to_string(block) + " channels, which do not divide the " +
             std::to_string(desc.co / desc.groups) + " of a group");
    // A group of blocks that reaches beyond the channels is stored from before the first of them.
    const int kept = p.at("co_blocks") * block;
    if (p.at("co_blocks") > 1 && kept > desc.co)
        fail("co_blocks x co_vectors keeps " + std::to_string(kept) + " channels, the problem has " +
             std::to_string(desc.co));
    const int ci = desc.ci / desc.groups;
    if (ci % p.at("unroll_ci") != 0)
        fail("unroll_ci is " + std::to_string(p.at("unroll_ci")) +
             ", want a divisor of ci / groups = " + std::to_string(ci));
    const auto reason = reject_prefetch(merge_trivial_axes(desc), target, p.at("tile"));
    if (p.at("prefetch") == kPrefetch && reason)
        fail("prefetch is 2, want 1: " + *reason);
}

/// A block of output channels sums over the input channels of one group.
std::optional<std::string> reject(const ConvDesc &desc, const Target &target) {
    const auto reason = reject_split_groups(desc, target);
    return reason ? reason : reject_short_residual(desc, target);
}

Params complete(const ConvDesc &desc, const Target &target, const Params &params, int co_block) {
    const int lanes = vector_lanes(target, desc.acc_type);
    const Numbers &numbers = numbers_of(target);
    Params full = params;
    const ConvDesc d = merge_trivial_axes(desc);
    derive(full, "co_vectors", co_block != 0 ? co_block / lanes : choose_vectors(numbers, desc, lanes));
    check_co_vectors("winograd", target, full["co_vectors"], numbers.most_vectors(), lanes, co_block);
    if ((full["co_vectors"] - 1) * lanes >= desc.co) // Halide 14 compiles no loop that it finds empty
        throw Error(ErrorCode::BadArgument, target.name + " winograd: co_vectors is " +
                                                std::to_string(full["co_vectors"]) + ", more than the " +
                                                std::to_string(desc.co) + " channels fill");
    derive(full, "tile", choose_tile(d, target));
    check_winograd_tile(target.name + " winograd", d, full["tile"]);
    derive(full, "rows", choose_strip(d, target, full["tile"], full["co_vectors"]).rows);
    const WinogradTiles tiles = winograd_tiles(d, full["tile"]);
    full["rows"] = std::min(full["rows"], tiles.rows);
    const int strip_t = tiles.row_tiles * full["rows"];
    derive(full, "tile_t", choose_tile_t(numbers, full["co_vectors"], strip_t));
    full["tile_t"] = std::min(full["tile_t"], strip_t);
    derive(full, "co_blocks", choose_co_blocks(d, full["co_vectors"] * lanes, strip_t, tiles.elements));
    const int ci = desc.ci / desc.groups;
    derive(full, "unroll_ci", ci % 4 == 0 ? 4 : ci % 2 == 0 ? 2 : 1);
    derive(full, "prefetch", choose_prefetch(d, target, full["tile"]));
    check_params(desc, target, full);
    return full;
}

Packing packing(const ConvDesc &desc, const Target &target, const Params &params) {
    return Packing{params.at("co_vectors") * vector_lanes(target, desc.acc_type), params.at("tile")};
}

} // namespace

SchedulePlanning winograd_planning() {
    return {{
#include "schedules/cpu/winograd_params.inc"
            },
            reject,
            complete,
            packing,
            loses,
            false,
            nullptr,
            nullptr,
            nullptr,
            settles};
}

} // namespace convsmith::cpu
