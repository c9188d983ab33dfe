// Planning side of the schedule of grouped convolution with few channels per group (schedule.h).
#include "generators/conv_shape.h"
#include "schedules/cpu/dense_plan.h"
#include "schedules/cpu/tiles.h"
#include "schedules/schedule.h"

#include <algorithm>

namespace convsmith::cpu {
namespace {

/// Multiplications of a block of `vectors` per position and tap, those by zero included.
int64_t products(const ConvDesc &desc, int vectors, int lanes) {
    return joined_groups(desc, vectors * lanes).total * (desc.ci / desc.groups) * vectors * lanes;
}

std::optional<std::string> reject(const ConvDesc &desc, const Target &target) {
    if (auto reason = reject_tiles(desc, target))
        return reason;
    const int lanes = vector_lanes(target, desc.acc_type);
    if (desc.co < lanes)
        return "co is " + std::to_string(desc.co) + ", fewer than the " + std::to_string(lanes) +
               " lanes of a vector";
    const int64_t bytes = products(desc, 1, lanes) * spatial_product(desc.kernel, desc.rank) *
                          static_cast<int64_t>(dtype_bytes(desc.acc_type));
    if (bytes > target.l2_bytes)
        return "weights with zeros across groups take " + std::to_string(bytes) + " bytes, more than L2";
    return std::nullopt;
}

/// The number of vectors that needs the fewest cycles: a tile of one vector loads more than one operand per
/// multiplication and has few accumulators, wider ones span more groups.
int choose_vectors(const ConvDesc &desc, const Numbers &numbers, int lanes) {
    constexpr double kNarrow = 1.4;
    int best = 1;
    double least = kNarrow * static_cast<double>(products(desc, 1, lanes));
    for (int vectors = 2; vectors <= numbers.dense.front().co_vectors; vectors++) {
        const auto cost = static_cast<double>(products(desc, vectors, lanes));
        if (cost < least) {
            best = vectors;
            least = cost;
        }
    }
    return best;
}

/// Positions of a block of a problem with one tap, in blocks of equal size, whose input takes about L1: every
/// block of channels reads it in turn.
int choose_positions(const ConvDesc &merged, const Target &target) {
    const int row_bytes = merged.ci * static_cast<int>(dtype_bytes(merged.in_type));
    return equal_part(out_extents(merged)[0], std::max(8, target.l1_bytes / row_bytes));
}

Params complete(const ConvDesc &desc, const Target &target, const Params &params, int co_block) {
    const int lanes = vector_lanes(target, desc.acc_type);
    Params full = params;
    if (co_block == 0)
        derive(full, "co_vectors", choose_vectors(desc, numbers_of(target), lanes));
    const ConvDesc merged = merge_trivial_axes(desc);
    if (merged.rank == 1 && merged.kernel[0] == 1)
        derive(full, "rows", choose_positions(merged, target));
    // The filter that is filled up is near, and read by several positions.
    const Params near = {
        {"ci_block", desc.ci / desc.groups}, {"streams", 1}, {"co_blocks", 1}, {"prefetch", kNoPrefetch}};
    full.insert(near.begin(), near.end());
    full = direct_planning().complete(desc, target, full, co_block);
    for (const auto &[name, value] : near)
        full.erase(name);
    return full;
}

} // namespace

SchedulePlanning joined_planning() {
    return {{
#include "schedules/cpu/joined_params.inc"
            },
            reject,
            complete,
            packing_by_vectors,
            nullptr,
            false,
            nullptr,
            row_tile};
}

} // namespace convsmith::cpu
