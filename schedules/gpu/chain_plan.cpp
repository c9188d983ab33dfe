// Planning side of depthwise and 1x1 convolution in one kernel on a GPU (schedule.h).
#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "generators/variant.h"
#include "schedules/gpu/dense_plan.h"
#include "schedules/schedule.h"

namespace convsmith::gpu {
namespace {

/// Of an expression that sums them all; larger ones take the compiler long.
constexpr int64_t kMostTaps = 49;

std::optional<std::string> reject(const ConvDesc &desc, const Target &target) {
    if (!desc.branches.empty() || desc.then.size() != 1)
        return "not a pair of ops";
    for (const ConvDesc *op : ops_of(desc)) {
        if (auto reason = reject_tiles(*op, target))
            return reason;
        if (auto reason = reject_mixed_types(*op))
            return reason;
        if (op->in_layout != Layout::ChannelsLast || op->out_layout != Layout::ChannelsLast)
            return "channels first: neighbouring channels lie far apart";
    }
    const ConvDesc &last = last_op(desc);
    if (!is_depthwise(desc) || desc.co != desc.groups)
        return "the first op is no depthwise convolution of as many channels";
    if (spatial_product(desc.kernel, desc.rank) > kMostTaps)
        return "too many taps to sum them in one expression";
    if (last.op != Op::Conv || !is_pointwise(last) || last.groups != 1)
        return "the last op is no 1x1 convolution";
    return std::nullopt;
}

Params complete(const ConvDesc &desc, const Target &target, const Params &params, int co_block) {
    return complete_warp_tile(target.name + " chain", merge_trivial_axes(last_op(desc)), params, co_block,
                              static_cast<int>(spatial_product(desc.kernel, desc.rank)));
}

} // namespace

SchedulePlanning chain_planning() {
    SchedulePlanning planning = {{
#include "schedules/gpu/chain_params.inc"
                                 },
                                 reject,
                                 complete,
                                 packing_of_warps};
    planning.fills_tiles = always_fills_tiles;
    planning.inlines_ops = true;
    return planning;
}

} // namespace convsmith::gpu
