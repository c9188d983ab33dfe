// See dense_plan.h.
#include "schedules/gpu/dense_plan.h"

#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "schedules/cpu/winograd_choice.h"
#include "schedules/gpu/roofline.h"
#include "schedules/schedule.h"

#include <fmt/format.h>

#include <algorithm>

namespace convsmith::gpu {

std::optional<std::string> reject_doubles(const ConvDesc &desc, const Target &target) {
    if (gpu_api(target) != GpuApi::OpenCl)
        return std::nullopt;
    const std::vector<const ConvDesc *> ops = ops_of(desc);
    const bool has_doubles = std::any_of(ops.begin(), ops.end(), [](const ConvDesc *op) {
        return op->in_type == DType::F64 || op->acc_type == DType::F64 || op->out_type == DType::F64;
    });
    return has_doubles ? std::optional<std::string>("f64: Halide writes constants of OpenCL kernels as f32")
                       : std::nullopt;
}

std::optional<std::string> reject_tiles(const ConvDesc &desc, const Target &target) {
    if (auto reason = reject_doubles(desc, target))
        return reason;
    if (desc.is_open())
        return "open extents: the tile of positions needs sizes at compile time";
    if (desc.rearrange != Rearrange::None)
        return "rearranged output: tiles are stored as they lie";
    return std::nullopt;
}

std::optional<std::string> reject_mixed_types(const ConvDesc &desc) {
    const bool is_mixed =
        desc.in_type != desc.acc_type || desc.weight_type != desc.acc_type || desc.out_type != desc.acc_type;
    return is_mixed ? std::optional<std::string>("mixed types: tuned for one type throughout") : std::nullopt;
}

Packing packing_of_warps(const ConvDesc &, const Target &, const Params &params) {
    const auto tile = params.find("tile"); // Winograd's
    return Packing{kWarp * params.at("co_vector"), tile != params.end() ? tile->second : Packing().tile};
}

int tiled_positions(const ConvDesc &d) {
    const Spatial out = out_extents(d);
    const int x = d.rank - 1;
    if (d.op == Op::Deconv)
        return (out[x] + d.stride[x] - 1) / d.stride[x];
    return flattens_positions(d) ? static_cast<int>(spatial_product(out, d.rank)) : out[x];
}

int64_t taps_of_output(const ConvDesc &d) {
    if (d.op != Op::Deconv)
        return spatial_product(d.kernel, d.rank);
    int64_t taps = 1;
    for (int a = 0; a < d.rank; a++)
        taps *= (d.kernel[a] + d.stride[a] - 1) / d.stride[a];
    return taps;
}

int groups_of_tile(const ConvDesc &d, int co_vector) {
    const int co = d.co / d.groups;
    return d.groups == 1 ? 1 : std::max(1, kWarp * co_vector / co);
}

ConvDesc product_of_winograd(const ConvDesc &merged, int tile) {
    const cpu::WinogradTiles tiles = cpu::winograd_tiles(merged, tile);
    ConvDesc product = merged;
    product.rank = 1;
    product.in[0] = tiles.total();
    product.n = merged.n * tiles.elements;
    product.kernel[0] = product.stride[0] = product.dilation[0] = 1;
    product.pad_begin[0] = product.pad_end[0] = 0;
    return product;
}

bool shares_windows(const ConvDesc &d, int tile_p) {
    return d.op == Op::Conv && flattens_positions(d) && spatial_product(d.kernel, d.rank) > 1 && tile_p > 1 &&
           out_extents(d)[d.rank - 1] % tile_p == 0;
}

int window_cells(const ConvDesc &d, int dim, int tile_p) {
    const int a = d.rank - 1 - dim;
    return (dim == 0 ? (tile_p - 1) * d.stride[a] : 0) + effective_kernel(d.kernel[a], d.dilation[a]);
}

int64_t staged_cells(const ConvDesc &d, int tile_p) {
    if (!shares_windows(d, tile_p))
        return tile_p;
    int64_t cells = 1;
    for (int i = 0; i < d.rank; i++)
        cells *= window_cells(d, i, tile_p);
    return cells;
}

namespace {

/// Of a lane: with 48 and their operands 16 warps fit the registers of a multiprocessor, a quarter of its 64.
constexpr int kMostSums = 48;
constexpr int kStageBytes = 6 * 1024; ///< of shared memory for a warp: 32 warps fit a multiprocessor

const std::vector<int> &legal(const char *name) {
    static const std::vector<ParamSpec> specs = {
#include "schedules/gpu/direct_params.inc"
    };
    for (const ParamSpec &spec : specs) {
        if (spec.name == name)
            return spec.legal;
    }
    throw Error(ErrorCode::Internal, std::string("no parameter ") + name);
}

int64_t stage_bytes(const ConvDesc &merged, const DenseNumbers &n) {
    return staged_cells(merged, n.tile_p) * n.chunk_ci * groups_of_tile(merged, n.co_vector) *
           static_cast<int64_t>(dtype_bytes(merged.in_type));
}

/// Whether the output channels of a group fill warps, or a warp those of whole groups.
bool fits_groups(const ConvDesc &d, int co_vector) {
    const int co = d.co / d.groups, block = kWarp * co_vector;
    if (d.groups == 1 || co % block == 0)
        return true;
    return d.op == Op::Conv && block % co == 0 && d.co % block == 0;
}

/// Why the numbers are illegal together; empty if they are not.
std::string illegal(const ConvDesc &d, const DenseNumbers &n, int co_block) {
    const int ci = d.ci / d.groups, co = d.co / d.groups, row = tiled_positions(d);
    if (n.co_vector != 1 && n.co_vector != 2 && n.co_vector != 4)
        return fmt::format("co_vector is {}, want 1, 2 or 4", n.co_vector);
    if (co % n.co_vector != 0 || !fits_groups(d, n.co_vector))
        return fmt::format("co_vector is {}, {} channels do not divide so", n.co_vector, co);
    if (co_block != 0 && co_block != kWarp * n.co_vector)
        return fmt::format("co_vector is {}, want that of co_block {}", n.co_vector, co_block);
    if (n.tile_p < 1 || n.tile_p > row)
        return fmt::format("tile_p is {}, want 1 to the {} positions", n.tile_p, row);
    if (n.co_vector * n.tile_p > kMostSums)
        return fmt::format("co_vector x tile_p is {}, want at most {} sums of a thread",
                           n.co_vector * n.tile_p, kMostSums);
    if (n.chunk_ci < 1 || ci % n.chunk_ci != 0)
        return fmt::format("chunk_ci is {}, want a divisor of ci / groups = {}", n.chunk_ci, ci);
    if (groups_of_tile(d, n.co_vector) > 1 && n.chunk_ci != ci)
        return fmt::format("chunk_ci is {}, want all {} channels of groups that share a warp", n.chunk_ci,
                           ci);
    if (stage_bytes(d, n) > 48 * 1024)
        return fmt::format("chunk_ci x tile_p takes {} bytes of shared memory, a block has 49152",
                           stage_bytes(d, n));
    return "";
}

/// The largest chunk that divides the channels and fits; even if it does not, the smallest.
int choose_chunk(const ConvDesc &d, int co_vector, int tile_p) {
    if (groups_of_tile(d, co_vector) > 1)
        return d.ci / d.groups;
    int best = 1;
    for (const int chunk : legal("chunk_ci")) {
        if (chunk > best && (d.ci / d.groups) % chunk == 0 &&
            stage_bytes(d, {co_vector, tile_p, chunk}) <= kStageBytes)
            best = chunk;
    }
    return best;
}

} // namespace

std::optional<std::string> reject_groups(const ConvDesc &d) {
    const int ci = d.ci / d.groups, co = d.co / d.groups;
    for (const int v : legal("co_vector")) {
        if (v != 0 && illegal(d, {v, 1, groups_of_tile(d, v) > 1 ? ci : 1}, 0).empty())
            return std::nullopt;
    }
    return fmt::format(
        "co per group is {}: no multiple of the {} lanes of a warp, and warps are not filled by "
        "whole groups",
        co, kWarp);
}

Params complete_warp_tile(const std::string &schedule, const ConvDesc &d, const Params &params, int co_block,
                          int staged_taps) {
    Params full = params;
    const DenseNumbers asked = {full["co_vector"], full["tile_p"], full["chunk_ci"]};
    DenseNumbers best = {};
    double best_of_peak = -1;
    std::string why;
    for (const int v : legal("co_vector")) {
        for (const int p : legal("tile_p")) {
            DenseNumbers n = {asked.co_vector != 0 ? asked.co_vector : v,
                              asked.tile_p != 0 ? asked.tile_p : p, asked.chunk_ci};
            if (n.co_vector == 0 || n.tile_p == 0)
                continue;
            if (n.chunk_ci == 0)
                n.chunk_ci = choose_chunk(d, n.co_vector, n.tile_p);
            const std::string reason = illegal(d, n, co_block);
            if (!reason.empty()) {
                why = reason;
                continue;
            }
            const Roofline roofline = dense_roofline(d, n, planned_device(), staged_taps);
            // Of equals the smaller tile: more warps to wait for memory.
            if (roofline.of_peak > best_of_peak * 1.001)
                best = n, best_of_peak = roofline.of_peak;
        }
    }
    if (best_of_peak < 0)
        throw Error(ErrorCode::BadArgument, schedule + ": " + why);
    full["co_vector"] = best.co_vector;
    full["tile_p"] = best.tile_p;
    full["chunk_ci"] = best.chunk_ci;
    return full;
}

} // namespace convsmith::gpu
