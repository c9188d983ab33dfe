// Planning side of the AVX2 direct schedule (schedule.h): which problems it takes, and its numbers from
// register and cache arithmetic.
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "generators/variant.h"
#include "schedules/schedule.h"
#include "schedules/vector_loads.h"
#include "schedules/x86_avx2/tiles.h"

#include <algorithm>

namespace convsmith::x86_avx2 {
namespace {

/// Register tiles worth trying, best first: accumulators + weights + broadcast fill 16 registers without
/// spilling.
struct Tile {
    int co_vectors;
    int tile_p;
};
constexpr Tile kTiles[] = {{2, 6}, {3, 4}, {1, 8}};

std::optional<std::string> reject(const ConvDesc &desc, const Target &target) {
    const int lanes = vector_lanes(target, desc.acc_type);
    const int co_per_group = desc.co / desc.groups;
    if (desc.is_open())
        return "open extents: the pixel tile needs sizes at compile time";
    if (auto reason = reject_short_residual(desc, target))
        return reason;
    if (desc.rearrange != Rearrange::None)
        return "rearranged output: tiles are stored as they lie";
    if (desc.in_type != desc.acc_type || desc.weight_type != desc.acc_type || desc.out_type != desc.acc_type)
        return "mixed types: tuned for one type throughout";
    if (!flattens_positions(desc))
        return "depthwise, channels last: channelwise is tuned for it";
    if (keeps_channels(desc)) {
        if (desc.co % lanes != 0)
            return "depthwise with co = " + std::to_string(desc.co) + ", not a multiple of the " +
                   std::to_string(lanes) + " lanes of a vector";
        return std::nullopt;
    }
    if (co_per_group < lanes)
        return "co per group is " + std::to_string(co_per_group) + ", fewer than the " +
               std::to_string(lanes) + " lanes of a vector";
    if (desc.groups > 1 && co_per_group % lanes != 0)
        return "co per group is " + std::to_string(co_per_group) + ", not a multiple of the " +
               std::to_string(lanes) + " lanes of a vector";
    return std::nullopt;
}

/// One position, a fully connected layer: the loads of the weights bound it. 8 accumulators hide the FMA
/// latency (4 x 2 per cycle), and a block's weights are one long stream; fewer where zero weights would be
/// more than 1/16.
Tile choose_fully_connected_tile(int co, int lanes) {
    constexpr int kMostVectors = 8;
    for (int vectors = kMostVectors; vectors > 1; vectors--) {
        const int block = vectors * lanes;
        const int64_t packed = int64_t{co + block - 1} / block * block;
        if (16 * packed <= 17 * int64_t{co})
            return {vectors, 1};
    }
    return {std::min(kMostVectors, (co + lanes - 1) / lanes), 1};
}

/// The widest tile whose channel block divides the channels of a group; else 2 vectors with a guarded tail.
Tile choose_tile(const ConvDesc &desc, int lanes) {
    const int co = keeps_channels(desc) ? desc.co : desc.co / desc.groups;
    if (desc.groups == 1 && spatial_product(out_extents(desc), desc.rank) == 1)
        return choose_fully_connected_tile(co, lanes);
    for (const Tile &tile : kTiles) {
        if (co % (tile.co_vectors * lanes) == 0)
            return tile;
    }
    return co > lanes ? kTiles[0] : kTiles[2];
}

/// Rows of a block of the merged problem such that blocks are equally high and a block's input takes about
/// L2, or twice L2 where every element serves several taps: it is read once per block of co_block channels,
/// slowly enough for L3, while lower blocks copy more halo rows and stream the weights more often.
int choose_rows(const ConvDesc &d, const Target &target) {
    const Spatial out = out_extents(d);
    int64_t row_bytes = static_cast<int64_t>(d.ci) * static_cast<int64_t>(dtype_bytes(d.in_type));
    for (int a = 1; a < d.rank; a++)
        row_bytes *= d.in[a] + d.pad_begin[a] + d.pad_end[a];
    const int64_t budget = (spatial_product(d.kernel, d.rank) > 1 ? 2 : 1) * int64_t{target.l2_bytes};
    const int64_t strip_rows = std::max<int64_t>(1, budget / std::max<int64_t>(1, row_bytes));
    const int64_t span = effective_kernel(d.kernel[0], d.dilation[0]);
    const int64_t rows = std::clamp<int64_t>((strip_rows - span) / d.stride[0] + 1, 1, out[0]);
    const int64_t blocks = (out[0] + rows - 1) / rows;
    return static_cast<int>((out[0] + blocks - 1) / blocks);
}

Params complete(const ConvDesc &desc, const Target &target, const Params &params, int co_block) {
    const int lanes = vector_lanes(target, desc.acc_type);
    Params full = params;
    const auto given = [&](const char *name) { return full.count(name) != 0 ? full.at(name) : 0; };
    if (given("co_vectors") == 0)
        full["co_vectors"] = co_block != 0 ? co_block / lanes : choose_tile(desc, lanes).co_vectors;
    const int co_vectors = full["co_vectors"];
    const int most_vectors = spatial_product(out_extents(desc), desc.rank) == 1 ? 8 : 4;
    if (co_vectors < 1 || co_vectors > most_vectors || (co_block != 0 && co_vectors * lanes != co_block))
        throw Error(ErrorCode::BadArgument,
                    "x86_avx2 direct: co_vectors is " + std::to_string(co_vectors) + ", want 1 to " +
                        std::to_string(most_vectors) +
                        (co_block != 0 ? " matching co_block " + std::to_string(co_block) : ""));
    const ConvDesc merged = merge_trivial_axes(desc);
    const Spatial out = out_extents(merged);
    if (given("rows") == 0)
        full["rows"] = choose_rows(merged, target);
    full["rows"] = std::min(full["rows"], out[0]);
    const int64_t block_p = spatial_product(out, merged.rank) / out[0] * full["rows"];
    if (given("tile_p") == 0)
        full["tile_p"] = choose_tile_p(co_vectors, block_p);
    const int registers = co_vectors * full["tile_p"] + std::min(co_vectors, full["tile_p"]) + 1;
    if (registers > target.vector_registers)
        throw Error(ErrorCode::BadArgument, "x86_avx2 direct: co_vectors x tile_p needs " +
                                                std::to_string(registers) + " registers, the target has " +
                                                std::to_string(target.vector_registers));
    const int ci = desc.ci / desc.groups;
    if (given("unroll_ci") == 0)
        full["unroll_ci"] = choose_unroll_ci(ci);
    if (ci % full["unroll_ci"] != 0)
        throw Error(ErrorCode::BadArgument, "x86_avx2 direct: unroll_ci is " +
                                                std::to_string(full["unroll_ci"]) +
                                                ", want a divisor of ci / groups = " + std::to_string(ci));
    return full;
}

Packing packing(const ConvDesc &desc, const Target &target, const Params &params) {
    return Packing{params.at("co_vectors") * vector_lanes(target, desc.acc_type)};
}

} // namespace

// The tile of output positions that fits the registers and costs least over a block: positions computed,
// those of the last tile that are computed twice included, times 5 % for every position less than the
// largest tile (fewer accumulators hide less of the FMA latency).
int choose_tile_p(int co_vectors, int64_t block_p) {
    if (block_p == 1)
        return 1;
    constexpr int kLargest[] = {0, 8, 6, 4, 3};
    constexpr int kAccumulators = 8; // FMA latency 4 x 2 per cycle: with fewer the units wait
    const int largest = kLargest[co_vectors];
    const auto cost = [&](int tile) {
        const int64_t computed = (block_p + tile - 1) / tile * tile;
        return static_cast<double>(computed) * (1 + 0.05 * (largest - tile));
    };
    int best = largest;
    for (int tile = largest - 1; tile * co_vectors > kAccumulators; tile--) {
        if (cost(tile) < cost(best))
            best = tile;
    }
    return best;
}

// All of a few channels; else the largest small power of two that divides them.
int choose_unroll_ci(int ci) {
    constexpr int kMost = 4;
    if (ci <= kMost)
        return ci;
    int unroll = kMost;
    while (ci % unroll != 0)
        unroll /= 2;
    return unroll;
}

SchedulePlanning direct_planning() {
    return {{
#include "schedules/x86_avx2/direct_params.inc"
            },
            reject,
            complete,
            packing};
}

} // namespace convsmith::x86_avx2
