// Planning side of the schedule of depthwise convolutions and pools (schedule.h): which problems it
// takes, and its numbers from register and cache arithmetic.
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "generators/variant.h"
#include "schedules/cpu/tiles.h"
#include "schedules/schedule.h"

#include <algorithm>

namespace convsmith::cpu {
namespace {

constexpr int kCacheLine = 64;

std::string lanes_text(int lanes) {
    return " the " + std::to_string(lanes) + " lanes of a vector";
}

std::optional<std::string> reject(const ConvDesc &desc, const Target &target) {
    const int lanes = vector_lanes(target, desc.acc_type);
    if (auto reason = reject_channels_apart(desc))
        return reason;
    if (desc.in_layout != Layout::ChannelsLast || desc.out_layout != Layout::ChannelsLast)
        return "channels first: neighbouring channels lie far apart";
    if (!op_info(desc.op).has_filter && !leaves_out_padding(desc))
        return "a pool with padding that counts: tuned where it is left out";
    if (desc.co < lanes)
        return "co = " + std::to_string(desc.co) + ", fewer than" + lanes_text(lanes);
    if (!keeps_channels(desc) && desc.co / desc.groups % lanes != 0)
        return "co per group is " + std::to_string(desc.co / desc.groups) + ", not a multiple of" +
               lanes_text(lanes);
    return std::nullopt;
}

/// The window's extent along the axes of a tile, innermost (x) and outermost (y).
struct Window {
    int out_x, out_y, stride_x, stride_y, span_x, span_y;
    int64_t taps;
};

Window window_of(const ConvDesc &d) {
    const Spatial out = out_extents(d);
    const int x = d.rank - 1;
    Window w{out[x], 1, d.stride[x], 1, effective_kernel(d.kernel[x], d.dilation[x]), 1, 0};
    if (d.rank > 1) {
        w.out_y = out[0], w.stride_y = d.stride[0];
        w.span_y = effective_kernel(d.kernel[0], d.dilation[0]);
    }
    w.taps = spatial_product(d.kernel, d.rank);
    return w;
}

/// Arithmetic and loads per output, the positions that overlapping tiles compute twice included. A load
/// counts twice a multiply-add: most of them go beyond L1.
double cost(const Window &w, const ChannelTile &tile) {
    const double waste =
        static_cast<double>(rounded_up(w.out_x, tile.tile_x) * rounded_up(w.out_y, tile.tile_y)) /
        (static_cast<double>(w.out_x) * w.out_y);
    const double loads = static_cast<double>((tile.tile_x - 1) * w.stride_x + w.span_x) *
                         ((tile.tile_y - 1) * w.stride_y + w.span_y) / (tile.tile_x * tile.tile_y);
    return waste * (static_cast<double>(w.taps) + 2 * loads);
}

/// Vectors of the tile of one position: at most `most`, in equal parts of which the last may overlap, or that
/// divide the channels.
int choose_one_position_vectors(int channels, int lanes, int most, bool may_overlap) {
    if (may_overlap) // blocks lie within the channels
        return equal_part((channels + lanes - 1) / lanes, std::clamp(channels / lanes, 1, most));
    int vectors = most;
    while (vectors > 1 && channels % (vectors * lanes) != 0)
        vectors /= 2;
    return vectors;
}

/// Rows of a task: about 512 KiB of input and output, some 20 us, or fewer if threads would have too few of
/// them; equally high tasks of whole tiles. A strip of padded rows stays in L2.
int choose_rows(const ConvDesc &d, const Target &target, int tile) {
    constexpr int64_t kTaskBytes = 512 * 1024;
    const int out = out_extents(d)[0];
    const int64_t in_bytes =
        spatial_product(d.in, d.rank) * d.ci * static_cast<int64_t>(dtype_bytes(d.in_type));
    const int64_t out_bytes =
        spatial_product(out_extents(d), d.rank) * d.co * static_cast<int64_t>(dtype_bytes(d.out_type));
    int64_t blocks = std::max<int64_t>(1, (in_bytes + out_bytes) / kTaskBytes);
    if (!leaves_out_padding(d))
        blocks = std::max<int64_t>(blocks, 2 * in_bytes / target.l2_bytes);
    blocks = std::min<int64_t>(blocks, out);
    const int64_t rows = std::clamp<int64_t>(rounded_up((out + blocks - 1) / blocks, tile), 1, out);
    return choose_shared_rows(out, static_cast<int>(rows), fewest_tasks(d), tile);
}

/// The divisor of `extent`, at least `least`, whose ratio to `wanted`, times `penalty` of it, is least.
template<typename Penalty>
int nearest_divisor(int extent, double wanted, int least, const Penalty &penalty) {
    const auto cost = [&](int divisor) {
        return penalty(divisor) * (divisor > wanted ? divisor / wanted : wanted / divisor);
    };
    int best = extent;
    for (int divisor = least; divisor < extent; divisor++) {
        if (extent % divisor == 0 && cost(divisor) < cost(best))
            best = divisor;
    }
    return best;
}

Params complete(const ConvDesc &desc, const Target &target, const Params &params, int co_block) {
    const int lanes = vector_lanes(target, desc.acc_type);
    const ConvDesc merged = merge_trivial_axes(desc);
    const ChannelTile tile = choose_channel_tile(merged, target);
    Params full = params;
    const int co_vectors = derive(full, "co_vectors", tile.co_vectors);
    const Window w = window_of(merged);
    const int tile_x = full["tile_x"] = std::min(derive(full, "tile_x", tile.tile_x), w.out_x);
    const int tile_y = full["tile_y"] = std::min(derive(full, "tile_y", tile.tile_y), w.out_y);
    const int block = co_vectors * lanes;
    if (block > desc.co || (!keeps_channels(desc) && desc.co / desc.groups % block != 0))
        throw Error(ErrorCode::BadArgument,
                    target.name + " channelwise: co_vectors is " + std::to_string(co_vectors) +
                        ", want blocks of " + std::to_string(block) + " channels within a group of " +
                        std::to_string(keeps_channels(desc) ? desc.co : desc.co / desc.groups));
    const int registers = co_vectors * tile_x * tile_y + 3;
    if (registers > target.vector_registers)
        throw Error(ErrorCode::BadArgument, target.name +
                                                " channelwise: co_vectors x tile_x x tile_y needs " +
                                                std::to_string(registers) + " registers, the target has " +
                                                std::to_string(target.vector_registers));
    const int across = merged.rank == 1 ? tile_x : tile_y;
    const int rows = derive(full, "rows", choose_rows(merged, target, across));
    full["rows"] = choose_task_rows(out_extents(merged)[0], rows, across);
    if (co_block != 0)
        full["co_block"] = co_block;
    derive(full, "co_block", desc.co % block == 0 ? block : desc.co);
    return full;
}

} // namespace

std::optional<std::string> reject_channels_apart(const ConvDesc &desc) {
    if (desc.is_open())
        return "open extents: the register tile needs sizes at compile time";
    if (desc.rearrange != Rearrange::None)
        return "rearranged output: tiles are stored as they lie";
    if (desc.indices != Indices::None)
        return "indices of the maxima: the register tile holds values only";
    if (desc.in_type != desc.acc_type || desc.out_type != desc.acc_type ||
        (op_info(desc.op).has_filter && desc.weight_type != desc.acc_type))
        return "mixed types: tuned for one type throughout";
    if (is_integer(desc.acc_type))
        return "integers: tuned for floating point";
    return std::nullopt;
}

// The cheapest of the class's tiles. A tile spans a whole cache line of channels where its lines
// would be evicted before the other half is used: where channels are so many that positions share a few sets
// of L1, and where strides make it read many lines. The weights of a row must fit beside the accumulators.
ChannelTile choose_channel_tile(const ConvDesc &d, const Target &target) {
    const Numbers &numbers = numbers_of(target);
    const int lanes = vector_lanes(target, d.acc_type);
    const Window w = window_of(d);
    const int channels = keeps_channels(d) ? d.co : d.co / d.groups;
    if (w.out_x * w.out_y == 1) // accumulators of several vectors
        return {choose_one_position_vectors(channels, lanes, numbers.accumulators, keeps_channels(d)), 1, 1};
    const int64_t position_bytes = int64_t{d.ci} * static_cast<int64_t>(dtype_bytes(d.in_type));
    const bool shares_sets = position_bytes % (16 * kCacheLine) == 0;
    const bool fits_weights = d.kernel[d.rank - 1] <= 3 && channels % (2 * lanes) == 0;
    const bool takes_lines = (shares_sets || w.stride_x > 1) && fits_weights;
    std::vector<ChannelTile> tiles = numbers.channelwise;
    if (takes_lines && !numbers.channelwise_lines.empty())
        tiles = numbers.channelwise_lines;
    else if (w.stride_x > 1 && !numbers.channelwise_strided.empty())
        tiles = numbers.channelwise_strided;
    if (d.rank != 2)
        tiles = {
            *std::find_if(tiles.begin(), tiles.end(), [](const ChannelTile &t) { return t.tile_y == 1; })};
    for (ChannelTile &tile : tiles) {
        tile.tile_x = std::min(tile.tile_x, w.out_x);
        tile.tile_y = std::min(tile.tile_y, w.out_y);
    }
    return *std::min_element(tiles.begin(), tiles.end(), [&](const ChannelTile &a, const ChannelTile &b) {
        return cost(w, a) < cost(w, b);
    });
}

int choose_task_rows(int extent, int wanted, int least) {
    return nearest_divisor(extent, wanted, least, [](int) { return 1.0; });
}

int fewest_tasks(const ConvDesc &desc) {
    constexpr double kMacsPerNs = 50, kBytesPerNs = 20; // of a core with vectors of 8 f32
    constexpr double kShortest = 4000, kTaskNs = 12000;
    const double ns = static_cast<double>(mac_count(desc)) / kMacsPerNs +
                      static_cast<double>(byte_count(desc)) / kBytesPerNs;
    return ns < kShortest ? 1 : ns < 2 * kTaskNs ? 2 : ns < 4 * kTaskNs ? 4 : 8;
}

int choose_shared_rows(int extent, int most, int tasks, int least) {
    constexpr double kUnequal = 1.6; // 7 tasks lose to 2 or 14 (are_shared_equally)
    const double wanted =
        std::max<double>(least, std::min<double>(most, static_cast<double>(extent) / tasks));
    return nearest_divisor(extent, wanted, least, [&](int rows) {
        return tasks == 1 || are_shared_equally(extent / rows) ? 1 : kUnequal;
    });
}

SchedulePlanning channelwise_planning() {
    return {{
#include "schedules/cpu/channelwise_params.inc"
            },
            reject,
            complete,
            packing_by_co_block};
}

} // namespace convsmith::cpu
