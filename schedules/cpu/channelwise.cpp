// Depthwise convolution and pools on a CPU: a register tile of co_vectors x tile_x x tile_y accumulators, the
// input read in place. Tiles at the borders are compiled apart, without the taps beyond the input, so that
// nothing is copied or selected; only padding with values of its own is staged in a strip.
#include "schedules/cpu/channelwise.h"

#include "generators/conv_shape.h"
#include "generators/variant.h"

namespace convsmith::cpu {

using Halide::Func;
using Halide::LoopLevel;
using Halide::MemoryType;
using Halide::TailStrategy;
using Halide::Var;
using Halide::VarOrRVar;

namespace {

/// Taps of a window up to which all of them are one block of instructions.
constexpr int64_t kMostUnrolledTaps = 25;
/// Taps of a row up to which a row is.
constexpr int kMostUnrolledRow = 31;

/// The padded input rows of one task, channels innermost.
void schedule_strip(ConvPipeline &conv, const Plan &plan, const Var &task) {
    const ConvDesc &d = conv.desc;
    const int lanes = vector_lanes(plan.target, d.acc_type);
    conv.padded.compute_at(conv.output, task)
        .store_in(MemoryType::Heap)
        .bound_extent(conv.axes.back(), (plan.params.at("rows") - 1) * d.stride[0] +
                                            effective_kernel(d.kernel[0], d.dilation[0]));
    if (d.ci >= lanes)
        conv.padded.vectorize(conv.ci, lanes, TailStrategy::GuardWithIf);
}

} // namespace

bool are_all_at_borders(int width, int tile_x) {
    return width <= 2 * tile_x;
}

// Weights and inputs are loaded once for a row of taps.
void schedule_channelwise_tile(ConvPipeline &conv, const ChannelTile &tile, int lanes) {
    const ConvDesc &d = conv.desc;
    Func &acc = conv.acc;
    Var co_u("co_u"), co_v("co_v");
    acc.store_in(MemoryType::Register)
        .bound_extent(conv.co, tile.co_vectors * lanes)
        .bound_extent(conv.at[0], tile.tile_x)
        .split(conv.co, co_u, co_v, lanes, TailStrategy::RoundUp)
        .vectorize(co_v)
        .unroll(co_u);
    Halide::Stage sum = acc.update();
    std::vector<VarOrRVar> order = {co_v, co_u, conv.r_k[0]};
    order.insert(order.end(), conv.at.begin(), conv.at.end());
    order.insert(order.end(), conv.r_k.begin() + 1, conv.r_k.end());
    sum.split(conv.co, co_u, co_v, lanes, TailStrategy::RoundUp).reorder(order).vectorize(co_v).unroll(co_u);
    if (d.kernel[d.rank - 1] <= kMostUnrolledRow)
        sum.unroll(conv.r_k[0]);
    for (const Var &position : conv.at) {
        acc.unroll(position);
        sum.unroll(position);
    }
    if (spatial_product(d.kernel, d.rank) <= kMostUnrolledTaps) {
        for (size_t i = 1; i < conv.r_k.size(); i++)
            sum.unroll(conv.r_k[i]);
    }
}

void schedule_channelwise(ConvPipeline &conv, const Plan &plan) {
    const int lanes = vector_lanes(plan.target, conv.desc.acc_type);
    const int co_block = plan.params.at("co_vectors") * lanes;
    Var co_o("co_o"), co_i("co_i"), co_u("co_u"), co_v("co_v"), task("task"), within("within");
    Var x_o("x_o"), x_i("x_i"), y_o("y_o"), y_i("y_i");

    conv.output.split(conv.co, co_o, co_i, co_block, TailStrategy::ShiftInwards)
        .split(co_i, co_u, co_v, lanes, TailStrategy::RoundUp)
        .split(conv.at.back(), task, within, plan.params.at("rows"), TailStrategy::ShiftInwards);
    std::vector<VarOrRVar> order = {co_v, co_u, x_i};
    if (conv.at.size() == 1) {
        conv.output.split(within, x_o, x_i, plan.params.at("tile_x"), TailStrategy::ShiftInwards);
        order.insert(order.end(), {co_o, x_o, task, conv.n});
    } else {
        const int tile_x = plan.params.at("tile_x");
        conv.output.split(conv.at[0], x_o, x_i, tile_x, TailStrategy::ShiftInwards)
            .split(within, y_o, y_i, plan.params.at("tile_y"), TailStrategy::ShiftInwards)
            .unroll(y_i);
        // All channels of a tile's positions before the next ones: they lie side by side.
        order.insert(order.end(), {y_i, co_o, x_o});
        order.insert(order.end(), conv.at.begin() + 1, conv.at.end() - 1);
        order.insert(order.end(), {y_o, task, conv.n});
        if (are_all_at_borders(out_extents(conv.desc)[conv.desc.rank - 1], tile_x))
            conv.output.unroll(x_o);
    }
    conv.output.reorder(order).vectorize(co_v).unroll(co_u).unroll(x_i).parallel(task).parallel(conv.n);
    conv.acc.compute_at(conv.output, co_o);
    schedule_channelwise_tile(
        conv, {plan.params.at("co_vectors"), plan.params.at("tile_x"), plan.params.at("tile_y")}, lanes);
    if (conv.is_padded() && !leaves_out_padding(conv.desc))
        schedule_strip(conv, plan, task);
}

} // namespace convsmith::cpu
