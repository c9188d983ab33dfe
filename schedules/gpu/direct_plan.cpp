// Planning side of dense convolutions on a GPU (schedule.h): which problems the warp's tile takes, and the
// numbers that the model (roofline.h) finds best.
#include "generators/conv_shape.h"
#include "generators/variant.h"
#include "schedules/gpu/dense_plan.h"
#include "schedules/schedule.h"

namespace convsmith::gpu {
namespace {

std::optional<std::string> reject(const ConvDesc &desc, const Target &target) {
    if (auto reason = reject_tiles(desc, target))
        return reason;
    if (auto reason = reject_mixed_types(desc))
        return reason;
    if (is_depthwise(desc))
        return "one input channel per group: nothing is shared between output channels";
    if (desc.groups > 1)
        return reject_groups(merge_trivial_axes(desc));
    return std::nullopt;
}

Params complete(const ConvDesc &desc, const Target &target, const Params &params, int co_block) {
    return complete_warp_tile(target.name + " direct", merge_trivial_axes(desc), params, co_block);
}

int row_tile(const ConvDesc &desc, const Params &params) {
    const int tile_p = params.at("tile_p");
    const ConvDesc merged = merge_trivial_axes(desc);
    return merged.rank > 1 && shares_windows(merged, tile_p) ? tile_p : 0;
}

} // namespace

SchedulePlanning direct_planning() {
    SchedulePlanning planning = {{
#include "schedules/gpu/direct_params.inc"
                                 },
                                 reject,
                                 complete,
                                 packing_of_warps};
    planning.row_tile = row_tile;
    planning.fills_tiles = always_fills_tiles;
    planning.copies_windows = true;
    return planning;
}

} // namespace convsmith::gpu
