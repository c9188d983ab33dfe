// Planning side of ops that slide over each channel apart on a GPU (schedule.h).
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "generators/variant.h"
#include "schedules/gpu/dense_plan.h"
#include "schedules/gpu/roofline.h"
#include "schedules/schedule.h"

#include <fmt/format.h>

#include <algorithm>

namespace convsmith::gpu {
namespace {

constexpr int kMostTaps = 16; ///< along a row, unrolled

std::optional<std::string> reject(const ConvDesc &desc, const Target &target) {
    if (auto reason = reject_tiles(desc, target))
        return reason;
    if (desc.in_layout != Layout::ChannelsLast || desc.out_layout != Layout::ChannelsLast)
        return "channels first: an output to a thread reads rows as they lie";
    if (desc.op == Op::Conv && !is_channelwise(desc))
        return "channel multiplier: neighbouring outputs read the same channel";
    if (desc.kernel[desc.rank - 1] > kMostTaps)
        return fmt::format("{} taps along a row, more than the {} that are unrolled",
                           desc.kernel[desc.rank - 1], kMostTaps);
    return std::nullopt;
}

/// The fastest by the model, as long as its sums leave room for warps that wait; of equals the shortest.
int choose_tile_x(const ConvDesc &d, int co_vector) {
    constexpr int kMostSums = 16;
    const int row = out_extents(d)[d.rank - 1];
    int best = 1;
    double best_cycles = channelwise_roofline(d, co_vector, 1, planned_device()).cycles;
    for (int tile = 2; tile <= std::min(row, kMostSums / co_vector); tile++) {
        if (row % tile != 0)
            continue;
        const double cycles = channelwise_roofline(d, co_vector, tile, planned_device()).cycles;
        if (cycles < best_cycles * 0.999)
            best = tile, best_cycles = cycles;
    }
    return best;
}

Params complete(const ConvDesc &desc, const Target &target, const Params &params, int) {
    const ConvDesc d = merge_trivial_axes(desc);
    Params full = params;
    int &co_vector = full["co_vector"], &tile_x = full["tile_x"];
    if (co_vector == 0)
        co_vector = d.co % 4 == 0 ? 4 : d.co % 2 == 0 ? 2 : 1;
    if (tile_x == 0)
        tile_x = choose_tile_x(d, co_vector);
    const int row = out_extents(d)[d.rank - 1];
    if (co_vector > 4 || d.co % co_vector != 0)
        throw Error(ErrorCode::BadArgument,
                    fmt::format("{} channelwise: co_vector is {}, want 1, 2 or 4 that divides co = {}",
                                target.name, co_vector, d.co));
    if (row % tile_x != 0) // tiles that overlap would race
        throw Error(ErrorCode::BadArgument,
                    fmt::format("{} channelwise: tile_x is {}, want a divisor of the {} positions of a row",
                                target.name, tile_x, row));
    return full;
}

/// Weights of neighbouring channels lie side by side.
Packing packing(const ConvDesc &desc, const Target &, const Params &) {
    return Packing{desc.co};
}

} // namespace

SchedulePlanning channelwise_planning() {
    return {{
#include "schedules/gpu/channelwise_params.inc"
            },
            reject,
            complete,
            packing};
}

} // namespace convsmith::gpu
