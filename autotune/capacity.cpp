// See capacity.h.
#include "autotune/capacity.h"

#include "autotune/effects.h"
#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "generators/signature.h"
#include "generators/variant.h"

namespace convsmith::autotune {

namespace {

/// Elements of a plane's padded rows that `rows` output rows read.
int64_t strip_elements(const ConvDesc &desc, int rows) {
    int64_t elements =
        int64_t{rows - 1} * desc.stride[0] + effective_kernel(desc.kernel[0], desc.dilation[0]);
    for (int axis = 1; axis < desc.rank; axis++)
        elements *= desc.in[axis] + desc.pad_begin[axis] + desc.pad_end[axis];
    return elements;
}

/// Elements of `rows` rows of transformed Winograd tiles of one channel. Tiles lie along the innermost two
/// axes with taps.
int64_t transformed_elements(const ConvDesc &desc, int rows, int tile) {
    const Spatial out = out_extents(desc);
    int64_t elements = rows;
    for (int axis = 0; axis < desc.rank; axis++) {
        const bool has_tiles = transforms_axis(desc, axis);
        if (has_tiles)
            elements *= packed_taps(desc, axis, {1, tile});
        if (axis > 0)
            elements *= has_tiles ? (out[axis] + tile - 1) / tile : out[axis];
    }
    return elements;
}

} // namespace

int64_t block_bytes(const ConvDesc &of, const Plan &plan) {
    const ConvDesc desc = kernel_problem(of);
    const int rows = number_of(plan, "rows", 0);
    if (rows == 0 || is_composite(desc) || desc.is_open() || is_pointwise(desc))
        return 0; // of a pointwise convolution's input nothing is copied
    const auto bytes = static_cast<int64_t>(dtype_bytes(desc.in_type));
    if (plan.variant == "winograd")
        return transformed_elements(desc, rows, number_of(plan, "tile", 0)) * desc.ci * bytes;
    if (const int planes = number_of(plan, "strip_channels", 0); planes > 0)
        return strip_elements(desc, rows) * planes * bytes;
    return plan.copies_rows(desc) ? strip_elements(desc, rows) * desc.ci * bytes : 0;
}

std::string over_capacity(const ConvDesc &desc, const Plan &plan, const Plan &derived) {
    constexpr int64_t kTimes = 8;
    const int64_t bytes = block_bytes(desc, plan);
    const bool is_for_l1 = plan.params.count("strip_channels") != 0;
    const int64_t cache = is_for_l1 ? plan.target.l1_bytes : plan.target.l2_bytes;
    const auto kib = [](int64_t count) { return std::to_string(count >> 10) + " KiB"; };
    if (bytes > kTimes * cache && bytes > block_bytes(desc, derived))
        return std::string(is_for_l1 ? "L1 panel" : "L2 block") + ": a block keeps " + kib(bytes) +
               ", more than 8 x " + kib(cache);
    return "";
}

std::string over_waste(const ConvDesc &desc, const Plan &plan, const Plan &derived) {
    constexpr double kTimes = 2;
    const double waste = tile_waste(desc, plan);
    if (waste > kTimes && waste > tile_waste(desc, derived))
        return "tile waste: more than twice the positions and channels that are wanted are computed";
    return "";
}

} // namespace convsmith::autotune
