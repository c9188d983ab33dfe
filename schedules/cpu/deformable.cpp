// Deformable convolution: for a chunk of a row, the samples of all taps are gathered channel vector by
// channel vector into L2, each place computed once per offset group; the register tile of direct.cpp sums
// over them.
#include "schedules/cpu/deformable.h"

#include "schedules/cpu/direct.h"

namespace convsmith::cpu {

using Halide::MemoryType;
using Halide::TailStrategy;
using Halide::Var;
using Halide::VarOrRVar;

namespace {

/// The samples of a chunk, channels innermost.
void schedule_samples(ConvPipeline &conv, const Plan &plan, const Var &chunk) {
    const ConvDesc &d = conv.desc;
    const int lanes = vector_lanes(plan.target, d.in_type);
    Var group("group"), ci_r("ci_r"), ci_o("ci_o"), ci_v("ci_v");
    const Var tap = conv.sampled.args()[1];
    std::vector<VarOrRVar> order = {ci_v, ci_o, group, tap};
    order.insert(order.end(), conv.at.begin(), conv.at.end());
    order.emplace_back(conv.n);
    conv.sampled.compute_at(conv.output, chunk)
        .store_in(MemoryType::Heap)
        .bound(conv.ci, 0, d.ci)
        .split(conv.ci, group, ci_r, d.ci / d.offset_groups, TailStrategy::RoundUp)
        .split(ci_r, ci_o, ci_v, lanes, TailStrategy::ShiftInwards)
        .reorder(order)
        .vectorize(ci_v);
    conv.place.compute_at(conv.sampled, group).store_in(MemoryType::Stack);
}

} // namespace

void schedule_deformable(ConvPipeline &conv, const Plan &plan) {
    const int lanes = vector_lanes(plan.target, conv.desc.acc_type), co_block = conv.packing.co_block;
    const int tile_p = plan.params.at("tile_p");
    Var co_o("co_o"), co_i("co_i"), co_u("co_u"), co_v("co_v"), chunk("chunk"), x_r("x_r"), x_t("x_t"),
        x_i("x_i");
    std::vector<VarOrRVar> order = {co_v, co_u, x_i, x_t, co_o, chunk};
    order.insert(order.end(), conv.at.begin() + 1, conv.at.end());
    order.emplace_back(conv.n);
    conv.output.split(conv.co, co_o, co_i, co_block, TailStrategy::GuardWithIf)
        .split(co_i, co_u, co_v, lanes, TailStrategy::GuardWithIf)
        .split(conv.at[0], chunk, x_r, plan.params.at("chunk"), TailStrategy::ShiftInwards)
        .split(x_r, x_t, x_i, tile_p, TailStrategy::ShiftInwards)
        .reorder(order)
        .vectorize(co_v)
        .unroll(co_u)
        .unroll(x_i)
        .parallel(conv.desc.rank > 1 ? conv.at.back() : chunk)
        .parallel(conv.n);
    conv.acc.compute_at(conv.output, x_t);
    schedule_dense_tile(conv, plan.target,
                        {conv.at[0], co_block, lanes, tile_p, plan.params.at("unroll_ci")});
    schedule_samples(conv, plan, chunk);
}

} // namespace convsmith::cpu
