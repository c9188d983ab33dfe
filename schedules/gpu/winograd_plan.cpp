// Planning side of Winograd convolution on a GPU (schedule.h).
#include "generators/conv_shape.h"
#include "schedules/cpu/winograd_choice.h"
#include "schedules/gpu/dense_plan.h"
#include "schedules/schedule.h"

namespace convsmith::gpu {
namespace {

/// Transformed tiles are written and read once, (ci + co) * size^2 / tile^2 floats for each output position
/// beside ci * co * 9 multiply-adds: with fewer channels the traffic takes what is saved. From the model's
/// ratio of 30 multiply-adds a byte of L2.
std::optional<std::string> loses(const ConvDesc &desc, const Target &) {
    constexpr double kFewestChannels = 48; // ci * co / (ci + co)
    constexpr double kLeastGain = 1.4;
    const double channels = static_cast<double>(desc.ci) * desc.co / (desc.ci + desc.co);
    if (channels < kFewestChannels)
        return "too few channels: what is saved goes into reading and writing transformed tiles";
    if (cpu::winograd_gain(desc, cpu::choose_winograd_tile(merge_trivial_axes(desc))) < kLeastGain)
        return "saves too little: tiles overhang";
    return std::nullopt;
}

std::optional<std::string> reject(const ConvDesc &desc, const Target &target) {
    if (desc.groups > 1)
        return "groups: a warp's channels have the same input";
    return reject_doubles(desc, target);
}

Params complete(const ConvDesc &desc, const Target &target, const Params &params, int co_block) {
    const ConvDesc d = merge_trivial_axes(desc);
    const std::string schedule = target.name + " winograd";
    Params own = params;
    int tile = own["tile"];
    if (tile == 0)
        tile = cpu::choose_winograd_tile(d);
    cpu::check_winograd_tile(schedule, d, tile);
    own.erase("tile");
    Params full = complete_warp_tile(schedule, product_of_winograd(d, tile), own, co_block);
    full["tile"] = tile;
    return full;
}

} // namespace

SchedulePlanning winograd_planning() {
    SchedulePlanning planning = {{
#include "schedules/gpu/winograd_params.inc"
                                 },
                                 reject,
                                 complete,
                                 packing_of_warps,
                                 loses};
    planning.fills_tiles = always_fills_tiles;
    return planning;
}

} // namespace convsmith::gpu
