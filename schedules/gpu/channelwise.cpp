// Depthwise convolutions and pools, channels last, on a GPU: a thread computes co_vector channels, one load
// each, at tile_x positions of a row, whose windows share cells in its registers; neighbouring threads take
// neighbouring channels.
#include "schedules/gpu/channelwise.h"

#include "schedules/gpu/threads.h"

namespace convsmith::gpu {

using Halide::TailStrategy;
using Halide::Var;
using Halide::VarOrRVar;

void schedule_channelwise(ConvPipeline &conv, const Plan &plan) {
    const int co_vector = plan.params.at("co_vector"), tile_x = plan.params.at("tile_x");
    const Var vectors("vectors"), within("within"), x_o("x_o"), x_i("x_i"), x = conv.at[0];
    std::vector<Var> dealt = {vectors, x_o};
    dealt.insert(dealt.end(), conv.at.begin() + 1, conv.at.end());
    dealt.push_back(conv.n);
    std::vector<VarOrRVar> order = {within, x_i};
    order.insert(order.end(), dealt.begin(), dealt.end());
    conv.output
        .split(conv.co, vectors, within, co_vector, TailStrategy::GuardWithIf) // divides: no guard
        .split(x, x_o, x_i, tile_x, TailStrategy::GuardWithIf)                 // so does this
        .reorder(order)
        .vectorize(within)
        .unroll(x_i);
    const Var thread = deal_to_threads(conv.output, dealt);
    conv.acc.compute_at(conv.output, thread)
        .bound_extent(conv.co, co_vector)
        .bound_extent(x, tile_x)
        .vectorize(conv.co)
        .unroll(x);
    std::vector<VarOrRVar> sum_order = {conv.co, x};
    sum_order.insert(sum_order.end(), conv.r_k.begin(), conv.r_k.end());
    conv.acc.update().reorder(sum_order).vectorize(conv.co).unroll(x);
    if (tile_x > 1)
        conv.acc.update().unroll(conv.r_k[0]);
}

} // namespace convsmith::gpu
