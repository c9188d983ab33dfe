// Planning side of the schedule of transposed convolution (schedule.h).
#include "generators/conv_shape.h"
#include "schedules/cpu/dense_plan.h"
#include "schedules/cpu/tiles.h"
#include "schedules/schedule.h"

#include <algorithm>

namespace convsmith::cpu {
namespace {

std::optional<std::string> reject(const ConvDesc &desc, const Target &target) {
    for (int a = 0; a < desc.rank; a++) {
        if (desc.stride[a] > 1 && desc.dilation[a] > 1)
            return "stride and dilation: the first tap of a phase is not its number";
    }
    return reject_dense_tile(desc, target);
}

/// Extents of one phase of the outputs, an incomplete last step counted: outermost axis first.
Spatial phase_extents(const ConvDesc &merged) {
    Spatial extents = out_extents(merged);
    for (int a = 0; a < merged.rank; a++)
        extents[a] = (extents[a] + merged.stride[a] - 1) / merged.stride[a];
    return extents;
}

/// Rows of a block such that blocks are equally high and the input of a block takes about L2: it is read once
/// per phase and block of channels.
int choose_rows(const ConvDesc &d, const Target &target) {
    const Spatial q = phase_extents(d);
    int64_t row_bytes = static_cast<int64_t>(d.ci) * static_cast<int64_t>(dtype_bytes(d.in_type));
    for (int a = 1; a < d.rank; a++)
        row_bytes *= q[a];
    const int64_t rows = std::clamp<int64_t>(2 * target.l2_bytes / std::max<int64_t>(1, row_bytes), 1, q[0]);
    return equal_part(q[0], rows);
}

Params complete(const ConvDesc &desc, const Target &target, const Params &params, int co_block) {
    const int lanes = vector_lanes(target, desc.acc_type);
    const Numbers &numbers = numbers_of(target);
    Params full = params;
    const ConvDesc merged = merge_trivial_axes(desc);
    const Spatial q = phase_extents(merged);
    derive(full, "co_vectors", co_block != 0 ? co_block / lanes : choose_co_vectors(target, desc));
    derive(full, "rows", choose_rows(merged, target));
    full["rows"] = std::min(full["rows"], q[0]);
    const int row_q = merged.rank == 1 ? full["rows"] : q[merged.rank - 1];
    derive(full, "tile_p", std::min(choose_tile_p(numbers, full["co_vectors"], row_q), row_q));
    full["tile_p"] = std::clamp(full["tile_p"], 1, row_q);
    // The sums of a chunk, one for every phase, take about half of L1.
    const int64_t bytes =
        spatial_product(merged.stride, merged.rank) * full["co_vectors"] * target.vector_bytes;
    const int most = std::max(1, static_cast<int>(target.l1_bytes / 2 / bytes));
    derive(full, "chunk", choose_chunk(row_q, full["tile_p"], most));
    full["chunk"] = std::clamp(full["chunk"], full["tile_p"], row_q);
    derive(full, "unroll_ci", choose_unroll_ci(desc.ci / desc.groups));
    check_dense_tile("transposed", desc, target, full, numbers.most_vectors(), co_block);
    return full;
}

} // namespace

SchedulePlanning transposed_planning() {
    return {{
#include "schedules/cpu/transposed_params.inc"
            },
            reject,
            complete,
            packing_by_vectors};
}

} // namespace convsmith::cpu
