// Planning side of the schedule of deformable convolution (schedule.h).
#include "generators/conv_shape.h"
#include "schedules/cpu/dense_plan.h"
#include "schedules/cpu/tiles.h"
#include "schedules/schedule.h"

#include <algorithm>

namespace convsmith::cpu {
namespace {

std::optional<std::string> reject(const ConvDesc &desc, const Target &target) {
    const int lanes = vector_lanes(target, desc.in_type), ci = desc.ci / desc.offset_groups;
    if (auto reason = reject_dense_tile(desc, target))
        return reason;
    if (desc.in_layout != Layout::ChannelsLast)
        return "channels first: the channels of a sample lie far apart";
    if (ci < lanes)
        return "ci per offset group is " + std::to_string(ci) + ", fewer than the " + std::to_string(lanes) +
               " lanes of a vector";
    return std::nullopt;
}

/// Outputs of a row whose samples take at most three quarters of L2.
int most_samples(const ConvDesc &d, int row, const Target &target) {
    const int64_t bytes =
        spatial_product(d.kernel, d.rank) * d.ci * static_cast<int64_t>(dtype_bytes(d.in_type));
    return static_cast<int>(std::clamp<int64_t>(target.l2_bytes / 4 * 3 / bytes, 1, row));
}

Params complete(const ConvDesc &desc, const Target &target, const Params &params, int co_block) {
    const int lanes = vector_lanes(target, desc.acc_type);
    const Numbers &numbers = numbers_of(target);
    Params full = params;
    const ConvDesc merged = merge_trivial_axes(desc);
    const int row = out_extents(merged)[merged.rank - 1];
    derive(full, "co_vectors", co_block != 0 ? co_block / lanes : choose_co_vectors(target, desc));
    derive(full, "tile_p", choose_tile_p(numbers, full["co_vectors"], row));
    full["tile_p"] = std::clamp(full["tile_p"], 1, row);
    derive(full, "chunk", choose_chunk(row, full["tile_p"], most_samples(merged, row, target)));
    full["chunk"] = std::clamp(full["chunk"], full["tile_p"], row);
    derive(full, "unroll_ci", choose_unroll_ci(desc.ci / desc.groups));
    check_dense_tile("deformable", desc, target, full, numbers.most_vectors(), co_block);
    return full;
}

} // namespace

SchedulePlanning deformable_planning() {
    return {{
#include "schedules/cpu/deformable_params.inc"
            },
            reject,
            complete,
            packing_by_vectors};
}

} // namespace convsmith::cpu
