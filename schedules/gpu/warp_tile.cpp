// See warp_tile.h. A warp is a block, so that the loop over chunks of channels is the block's, outside of the
// loop over lanes, and barriers cost nothing; Halide keeps sums of such a block in the lanes' registers.
#include "schedules/gpu/warp_tile.h"

#include "generators/conv_shape.h"

#include <algorithm>

namespace convsmith::gpu {

using Halide::Func;
using Halide::MemoryType;
using Halide::RVar;
using Halide::Stage;
using Halide::TailStrategy;
using Halide::Var;
using Halide::VarOrRVar;

namespace {

constexpr const char *kBlock = "block"; ///< of tile.consumer: the loop that the sums belong to

/// Input channels whose loads from shared memory are one: 16 bytes.
constexpr int kUnrolledChannels = 4;

/// The loop over the lanes of a warp. OpenCL has no registers of a block: there its sums lie in shared
/// memory, and lanes are threads.
template<typename Definition>
void over_lanes(Definition &stage, const VarOrRVar &lane, bool has_lanes) {
    if (has_lanes)
        stage.gpu_lanes(lane);
    else
        stage.gpu_threads(lane);
}

/// Channels of a vector: LLVM 14 keeps sums of wider ones packed in pairs, which it takes apart for every
/// use.
int vector_channels(const WarpTile &tile) {
    return std::min(tile.co_vector, 2);
}

/// Deals what is copied to lanes, neighbours to neighbours.
void schedule_staged(const ConvPipeline &conv, const WarpTile &tile, const RVar &chunk) {
    Func staged = tile.staged;
    staged.compute_at(conv.acc, chunk).store_in(MemoryType::GPUShared);
    Var all;
    bool is_first = true;
    const int vector = tile.chunk_ci % kUnrolledChannels == 0 && conv.desc.in_layout == Layout::ChannelsLast
                           ? kUnrolledChannels
                           : 1;
    for (const Var &arg : staged.args()) {
        int extent = 1;
        for (const auto &[var, count] : tile.staged_extents)
            extent = var.name() == arg.name() ? count : extent;
        staged.bound_extent(arg, extent);
        if (extent == 1)
            continue;
        Var dim = arg;
        if (arg.name() == tile.staged_channel.name() && vector > 1) {
            const Var outer("chunk_o"), inner("chunk_v");
            staged.split(arg, outer, inner, vector, TailStrategy::RoundUp).vectorize(inner);
            dim = outer;
        }
        const Var fused("staged_" + arg.name());
        if (!is_first)
            staged.fuse(all, dim, fused);
        all = is_first ? dim : fused;
        is_first = false;
    }
    if (is_first) // one element
        all = staged.args().front();
    const Var step("staged_step"), lane("staged_lane");
    staged.split(all, step, lane, kWarp, TailStrategy::GuardWithIf).reorder(step, lane);
    staged.gpu_threads(lane); // threads, not lanes: Halide puts no barriers between loops over lanes
}

void schedule_sums(ConvPipeline &conv, const WarpTile &tile, bool has_lanes) {
    const Var lane("lane"), within("within");
    conv.acc.compute_at(tile.consumer, Var(kBlock))
        .store_in(has_lanes ? MemoryType::Register : MemoryType::GPUShared)
        .align_bounds(conv.co, kWarp * tile.co_vector)
        .bound_extent(conv.co, kWarp * tile.co_vector)
        .bound_extent(tile.position, tile.tile_p)
        .split(conv.co, lane, within, tile.co_vector, TailStrategy::RoundUp)
        .reorder(within, tile.position, lane)
        .vectorize(within, vector_channels(tile))
        .unroll(within)
        .unroll(tile.position);
    over_lanes(conv.acc, lane, has_lanes);

    const RVar chunk("r_chunk"), in_chunk("r_in_chunk"), step("r_step"), unrolled("r_unrolled");
    Stage sum = conv.acc.update();
    sum.split(conv.co, lane, within, tile.co_vector, TailStrategy::GuardWithIf)
        .split(*conv.r_ci, chunk, in_chunk, tile.chunk_ci, TailStrategy::GuardWithIf)
        .split(in_chunk, step, unrolled, tile.chunk_ci % kUnrolledChannels == 0 ? kUnrolledChannels : 1,
               TailStrategy::GuardWithIf);
    std::vector<VarOrRVar> order = {within, tile.position, unrolled};
    const std::vector<VarOrRVar> taps(conv.r_k.begin(), conv.r_k.end());
    if (tile.is_staged_for_all_taps)
        order.insert(order.end(), taps.begin(), taps.end());
    order.insert(order.end(), {step, lane, chunk});
    if (!tile.is_staged_for_all_taps)
        order.insert(order.end(), taps.begin(), taps.end());
    sum.reorder(order)
        .vectorize(within, vector_channels(tile))
        .unroll(within)
        .unroll(tile.position)
        .unroll(unrolled);
    if (tile.is_staged_for_all_taps)
        sum.unroll(conv.r_k[0]);
    over_lanes(sum, lane, has_lanes);
    schedule_staged(conv, tile, chunk);
}

} // namespace

WarpTile begin_warp_tile(const Func &consumer, const Var &position, const std::vector<Var> &others,
                         const Plan &plan) {
    WarpTile tile;
    tile.consumer = consumer;
    tile.position = position;
    tile.others = others;
    tile.co_vector = plan.params.at("co_vector");
    tile.tile_p = plan.params.at("tile_p");
    tile.chunk_ci = plan.params.at("chunk_ci");
    return tile;
}

void schedule_warp_tile(ConvPipeline &conv, const Target &target, const WarpTile &tile) {
    const bool has_lanes = gpu_api(target) == GpuApi::Cuda;
    Func out = tile.consumer;
    const Var within("within"), vectors("vectors"), co_block("co_block"), lane("lane");
    const Var position_o("position_o"), position_i("position_i");
    out.split(conv.co, vectors, within, tile.co_vector, TailStrategy::GuardWithIf)
        .split(vectors, co_block, lane, kWarp, TailStrategy::GuardWithIf)
        .split(tile.position, position_o, position_i, tile.tile_p,
               TailStrategy::GuardWithIf); // blocks that overlap would race
    Var block = position_o;                // all in the grid's x, which alone has no narrow limit
    for (size_t i = 0; i < tile.others.size(); i++) {
        const Var fused(i + 1 == tile.others.size() ? kBlock : "others_" + std::to_string(i));
        out.fuse(block, tile.others[i], fused);
        block = fused;
    }
    out.reorder({within, position_i, lane, block, co_block}).unroll(position_i);
    if (conv.desc.out_layout == Layout::ChannelsLast)
        out.vectorize(within);
    over_lanes(out, lane, has_lanes);
    out.gpu_blocks(block, co_block);
    schedule_sums(conv, tile, has_lanes);
}

} // namespace convsmith::gpu
