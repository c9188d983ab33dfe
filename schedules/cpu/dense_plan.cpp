// Numbers of the dense register tile (see dense_plan.h).
#include "schedules/cpu/dense_plan.h"

#include "generators/error.h"
#include "generators/variant.h"
#include "schedules/cpu/tiles.h"
#include "schedules/vector_loads.h"

#include <algorithm>

namespace convsmith::cpu {

std::optional<std::string> reject_tiles(const ConvDesc &desc, const Target &target) {
    if (desc.is_open())
        return "open extents: the tile of positions needs sizes at compile time";
    if (auto reason = reject_short_residual(desc, target))
        return reason;
    if (desc.rearrange != Rearrange::None)
        return "rearranged output: tiles are stored as they lie";
    if (desc.in_type != desc.acc_type || desc.weight_type != desc.acc_type || desc.out_type != desc.acc_type)
        return "mixed types: tuned for one type throughout";
    return std::nullopt;
}

std::optional<std::string> reject_dense_tile(const ConvDesc &desc, const Target &target) {
    const auto reason = reject_tiles(desc, target);
    return reason ? reason : reject_split_groups(desc, target);
}

std::optional<std::string> reject_split_groups(const ConvDesc &desc, const Target &target) {
    const int lanes = vector_lanes(target, desc.acc_type);
    const bool is_apart = keeps_channels(desc); // lanes are groups
    const int co = is_apart ? desc.co : desc.co / desc.groups;
    if (desc.groups > 1 && (is_apart ? co < lanes : co % lanes != 0))
        return (is_apart ? "co is " : "co per group is ") + std::to_string(co) + ", " +
               (co < lanes ? "fewer than the " : "not a multiple of the ") + std::to_string(lanes) +
               " lanes of a vector";
    return std::nullopt;
}

int choose_co_vectors(const Target &target, const ConvDesc &desc, bool blocks_ci) {
    const Numbers &numbers = numbers_of(target);
    const int lanes = vector_lanes(target, desc.acc_type);
    const bool is_apart = keeps_channels(desc); // lanes are groups
    const int co = is_apart ? desc.co : desc.co / desc.groups;
    const int64_t vector_bytes = int64_t{target.vector_bytes} * (desc.ci / desc.groups) *
                                 spatial_product(desc.kernel, desc.rank); // of weights
    const int vectors = (co + lanes - 1) / lanes;
    int best = 1;
    double least = 0;
    for (const DenseShape &tile : numbers.dense) {
        const int blocks = (vectors + tile.co_vectors - 1) / tile.co_vectors;
        const bool spans_groups = desc.groups > 1 && !is_apart && vectors % tile.co_vectors != 0;
        const bool is_far = !blocks_ci && tile.co_vectors * vector_bytes > target.l2_bytes;
        const double slower =
            is_far ? std::max(1.0, static_cast<double>(numbers.far_positions) / tile.positions) : 1;
        const double cost = blocks * tile.co_vectors * tile.cost * slower;
        if (tile.co_vectors <= vectors && !spans_groups && (least == 0 || cost < least))
            best = tile.co_vectors, least = cost;
    }
    return best;
}

Packing packing_by_vectors(const ConvDesc &desc, const Target &target, const Params &params) {
    return Packing{params.at("co_vectors") * vector_lanes(target, desc.acc_type)};
}

int choose_chunk(int row, int tile_p, int most) {
    const int chunks = (row + most - 1) / most;
    const int tiles = (row + chunks * tile_p - 1) / (chunks * tile_p);
    return std::min(row, tiles * tile_p);
}

void check_co_vectors(const std::string &schedule, const Target &target, int vectors, int most_vectors,
                      int lanes, int co_block) {
    if (vectors < 1 || vectors > most_vectors || (co_block != 0 && vectors * lanes != co_block))
        throw Error(ErrorCode::BadArgument,
                    target.name + " " + schedule + ": co_vectors is " + std::to_string(vectors) +
                        ", want 1 to " + std::to_string(most_vectors) +
                        (co_block != 0 ? " matching co_block " + std::to_string(co_block) : ""));
}

void check_dense_tile(const std::string &schedule, const ConvDesc &desc, const Target &target,
                      const Params &params, int most_vectors, int co_block) {
    const auto fail = [&](const std::string &what) {
        throw Error(ErrorCode::BadArgument, target.name + " " + schedule + ": " + what);
    };
    const int vectors = params.at("co_vectors"), tile_p = params.at("tile_p");
    const int unroll_ci = params.at("unroll_ci"), ci = desc.ci / desc.groups;
    check_co_vectors(schedule, target, vectors, most_vectors, vector_lanes(target, desc.acc_type), co_block);
    const int registers = dense_registers(target, vectors, tile_p);
    if (registers > target.vector_registers)
        fail("co_vectors x tile_p needs " + std::to_string(registers) + " registers, the target has " +
             std::to_string(target.vector_registers));
    if (ci % unroll_ci != 0)
        fail("unroll_ci is " + std::to_string(unroll_ci) +
             ", want a divisor of ci / groups = " + std::to_string(ci));
}

} // namespace convsmith::cpu
