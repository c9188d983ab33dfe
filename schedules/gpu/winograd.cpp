// Winograd convolution on a GPU, three kernels: a thread transforms a tile of one input channel; the products
// are a matrix product for each element of the transform, on the warp's tile (warp_tile.h) with tiles for
// positions; a thread transforms a tile of one output channel back. What lies between is in the device's
// memory.
#include "schedules/gpu/winograd.h"

#include "schedules/gpu/threads.h"
#include "schedules/gpu/warp_tile.h"

namespace convsmith::gpu {

using Halide::Func;
using Halide::TailStrategy;
using Halide::Var;
using Halide::VarOrRVar;

namespace {

/// Loops over the elements of a transform, which a thread unrolls; those of an axis that is left as it is are
/// not among them.
std::vector<Var> unrolled_elements(const WinogradParts &w) {
    std::vector<Var> unrolled;
    for (size_t i = 0; i < w.a.size(); i++) {
        if (i != w.direct)
            unrolled.push_back(w.a[i]);
    }
    return unrolled;
}

void unroll_all(Func func, const std::vector<Var> &vars) {
    for (const Var &var : vars)
        func.unroll(var);
}

void schedule_input(const ConvPipeline &conv) {
    const WinogradParts &w = *conv.winograd;
    const std::vector<Var> unrolled = unrolled_elements(w);
    Func input = w.input.back();
    std::vector<Var> dealt = {conv.ci, w.t};
    if (w.direct)
        dealt.push_back(w.a[*w.direct]);
    dealt.push_back(conv.n);
    std::vector<VarOrRVar> order(unrolled.begin(), unrolled.end());
    order.insert(order.end(), dealt.begin(), dealt.end());
    input.compute_root().reorder(order);
    for (size_t i = 0; i < w.a.size(); i++) {
        if (i != w.direct)
            input.bound(w.a[i], 0, w.size[i]);
    }
    unroll_all(input, unrolled);
    const Var thread = deal_to_threads(input, dealt);
    for (size_t i = 0; i + 1 < w.input.size(); i++) {
        Func stage = w.input[i];
        stage.compute_at(input, thread);
        unroll_all(stage, unrolled);
    }
}

void schedule_products(ConvPipeline &conv, const Plan &plan) {
    const WinogradParts &w = *conv.winograd;
    std::vector<Var> others = w.a;
    others.push_back(conv.n);
    WarpTile tile = begin_warp_tile(w.products, w.t, others, plan);
    tile.staged = conv.element;
    tile.staged_channel = conv.element.args()[1];
    tile.staged_extents = {{w.t, tile.tile_p}, {tile.staged_channel, tile.chunk_ci}};
    Func(w.products).compute_root();
    schedule_warp_tile(conv, plan.target, tile);
}

void schedule_output(ConvPipeline &conv) {
    const WinogradParts &w = *conv.winograd;
    std::vector<Var> dealt = {conv.co};
    std::vector<VarOrRVar> order;
    for (size_t i = 0; i < conv.at.size(); i++) {
        if (w.tile[i] == 1) {
            dealt.push_back(conv.at[i]);
            continue;
        }
        const Var tile(conv.at[i].name() + "_tile"), within(conv.at[i].name() + "_within");
        conv.output.split(conv.at[i], tile, within, w.tile[i], TailStrategy::GuardWithIf).unroll(within);
        order.emplace_back(within);
        dealt.push_back(tile);
    }
    dealt.push_back(conv.n);
    order.insert(order.end(), dealt.begin(), dealt.end());
    conv.output.reorder(order);
    const Var thread = deal_to_threads(conv.output, dealt);
    for (const Func &stage : w.output) {
        Func of_tile = stage;
        of_tile.compute_at(conv.output, thread);
        unroll_all(of_tile, unrolled_elements(w));
    }
}

} // namespace

void schedule_winograd(ConvPipeline &conv, const Plan &plan) {
    schedule_input(conv);
    schedule_products(conv, plan);
    schedule_output(conv);
}

} // namespace convsmith::gpu
