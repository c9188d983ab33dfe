// Chains of convolutions and pools on a CPU: tasks are blocks of output rows; the rows that every op in
// between gives for a task lie in L2. Each op has the register tile that it has alone (direct.cpp,
// channelwise.cpp).
#include "schedules/cpu/chain.h"

#include "generators/conv_shape.h"
#include "generators/variant.h"
#include "schedules/cpu/channelwise.h"
#include "schedules/cpu/direct.h"
#include "schedules/cpu/tiles.h"
#include "schedules/cpu/weight_stream.h"

#include <optional>

namespace convsmith::cpu {

using Halide::Func;
using Halide::LoopLevel;
using Halide::MemoryType;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;
using Halide::VarOrRVar;

namespace {

/// How an op's result is cut into tiles.
struct OpTile {
    int lanes, co_vectors, tile_x, tile_y;
    bool is_channelwise;
    int co_blocks = 1; ///< of a dense op: blocks of channels of a tile before the next tile's
};

/// `width`: positions side by side that tiles cover, a row or all that a task flattens.
OpTile tile_of(const ConvPipeline &part, const Plan &plan, int width, bool has_whole_tiles) {
    const int lanes = vector_lanes(plan.target, part.desc.acc_type);
    if (is_channelwise(part.desc)) {
        const ChannelTile tile = choose_channel_tile(part.desc, plan.target);
        // Blocks of rows that are cut off at the borders may be lower than a tile.
        return {lanes, tile.co_vectors, tile.tile_x, has_whole_tiles ? tile.tile_y : 1, true};
    }
    const int co_vectors = plan.params.at("co_vectors");
    const int tile = std::min(choose_tile_p(numbers_of(plan.target), co_vectors, width), width);
    return {lanes, co_vectors, tile, 1, false};
}

/// Loops around a tile.
struct TileLoops {
    Var around; ///< next to the tile
    Var along;  ///< over tiles that lie side by side
};

/// Splits the op's result into tiles along `x`, which covers `width`. Its rows are `rows`, undefined where x
/// counts all positions.
TileLoops schedule_tiles(ConvPipeline &part, const Var &x, int width, const std::optional<Var> &rows,
                         const OpTile &tile, std::vector<VarOrRVar> &order) {
    Var co_g("co_g"), co_o("co_o"), co_i("co_i"), co_u("co_u"), co_v("co_v"), x_o("x_o"), x_i("x_i"),
        y_o("y_o"), y_i("y_i");
    const TailStrategy tail = tile.is_channelwise ? TailStrategy::ShiftInwards : TailStrategy::GuardWithIf;
    part.output.split(part.co, co_o, co_i, tile.co_vectors * tile.lanes, tail)
        .split(co_i, co_u, co_v, tile.lanes, TailStrategy::GuardWithIf)
        .split(x, x_o, x_i, tile.tile_x, TailStrategy::ShiftInwards);
    order = {co_v, co_u, x_i};
    if (tile.tile_y > 1) {
        part.output.split(*rows, y_o, y_i, tile.tile_y, TailStrategy::ShiftInwards).unroll(y_i);
        order.insert(order.end(), {y_i, co_o, x_o, y_o});
    } else {
        order.insert(order.end(), {co_o, x_o});
        if (rows)
            order.emplace_back(*rows);
        if (!tile.is_channelwise) { // panels of weights stay near for the block
            part.output.split(co_o, co_g, co_o, tile.co_blocks, TailStrategy::GuardWithIf);
            order.emplace_back(co_g);
        }
    }
    part.output.vectorize(co_v).unroll(co_u).unroll(x_i);
    if (tile.is_channelwise && are_all_at_borders(width, tile.tile_x))
        part.output.unroll(x_o);
    return {co_o, x_o};
}

/// The accumulators of a tile, and the padded rows of a dense op.
void schedule_sum(ConvPipeline &part, const Target &target, const OpTile &tile, const LoopLevel &around,
                  const LoopLevel &task) {
    part.acc.compute_at(around);
    if (tile.is_channelwise) {
        // The last vector begins where it ends with the channels, and may span two blocks of weights.
        if (part.weights.defined() && part.desc.co % tile.lanes != 0)
            part.weights.compute_at(task).store_in(MemoryType::Heap);
        return schedule_channelwise_tile(part, {tile.co_vectors, tile.tile_x, tile.tile_y}, tile.lanes);
    }
    schedule_dense_tile(
        part, target,
        {part.at[0], tile.co_vectors * tile.lanes, tile.lanes, tile.tile_x, choose_unroll_ci(part.desc.ci)});
    if (!part.is_padded())
        return;
    part.padded.compute_at(task).store_in(MemoryType::Heap);
    if (part.desc.ci % tile.lanes == 0)
        part.padded.vectorize(part.ci, tile.lanes, TailStrategy::RoundUp);
}

} // namespace

void schedule_chain(ConvPipeline &conv, const Plan &plan) {
    Var task("task"), within("within");
    std::vector<VarOrRVar> order;
    ConvPipeline &last = conv.parts.back();
    const bool is_flat = flattens_positions(last.desc, last.packing);
    const int rows = plan.params.at("rows"), width = row_positions(last.desc);
    OpTile tile = tile_of(last, plan, is_flat ? rows * width : width, true);
    if (!tile.is_channelwise) // what the others store lies in L2
        tile.co_blocks = choose_co_blocks(last.desc, plan.target, tile.co_vectors);
    conv.output.split(last.at.back(), task, within, is_flat ? rows * width : rows,
                      TailStrategy::ShiftInwards);
    const TileLoops loops = is_flat ? schedule_tiles(last, within, rows * width, std::nullopt, tile, order)
                                    : schedule_tiles(last, last.at[0], width, within, tile, order);
    // Threads share what one task computes: blocks of channels, or rows, but none where tiles overlap.
    const bool is_one_task = last.desc.n == 1 && rows == out_extents(last.desc)[0];
    if (is_one_task && tile.tile_y == 1)
        conv.output.parallel(order.back().var);
    order.insert(order.end(), {task, last.n});
    conv.output.reorder(order).parallel(task).parallel(last.n);
    const LoopLevel at_task(conv.output, task);
    schedule_sum(last, plan.target, tile, LoopLevel(conv.output, loops.around), at_task);
    if (is_flat && !tile.is_channelwise &&
        prefetches_weights(last.desc, plan.target, tile.co_vectors, last.desc.ci)) {
        const int co_block = tile.co_vectors * tile.lanes;
        prefetch_weights(
            last, {loops.along, choose_unroll_ci(last.desc.ci) * co_block, int64_t{last.desc.ci} * co_block});
    }

    for (size_t i = 0; i + 1 < conv.parts.size(); i++) {
        ConvPipeline &part = conv.parts[i];
        const bool feeds_pointwise =
            i + 2 == conv.parts.size() && is_pointwise(last.desc) && last.desc.stride[0] == 1;
        tile = tile_of(part, plan, row_positions(part.desc), feeds_pointwise);
        part.output.compute_at(at_task)
            .store_in(MemoryType::Heap)
            .bound(part.co, 0, part.desc.co)
            .bound(part.at[0], 0, out_extents(part.desc)[1]);
        const TileLoops part_loops =
            schedule_tiles(part, part.at[0], row_positions(part.desc), part.at.back(), tile, order);
        if (is_one_task && tile.tile_y == 1)
            part.output.parallel(order.back().var);
        order.emplace_back(part.n);
        part.output.reorder(order);
        schedule_sum(part, plan.target, tile, LoopLevel(part.output, part_loops.around), at_task);
    }
}

} // namespace convsmith::cpu
