// Transposed convolution: the outputs of one phase are an ordinary convolution of stride 1 with a
// part of the taps, on the register tile of direct.cpp. A chunk of a row is summed phase by phase into L1,
// from where the epilogue stores its outputs in order.
#include "schedules/cpu/transposed.h"

#include "generators/conv_shape.h"
#include "schedules/cpu/direct.h"

namespace convsmith::cpu {

using Halide::MemoryType;
using Halide::TailStrategy;
using Halide::Var;
using Halide::VarOrRVar;

namespace {

/// Phases up to which each is compiled apart.
constexpr int64_t kMostUnrolledPhases = 16;

/// The sums of a chunk: register tiles of one phase.
void schedule_sums(ConvPipeline &conv, const Plan &plan, const Var &chunk) {
    const int lanes = vector_lanes(plan.target, conv.desc.acc_type), co_block = conv.packing.co_block;
    const int tile_p = plan.params.at("tile_p");
    Var co_u("co_u"), co_v("co_v"), q_t("q_t"), q_i("q_i");
    std::vector<VarOrRVar> order = {co_v, co_u, q_i, q_t};
    order.insert(order.end(), conv.at.begin() + 1, conv.at.end());
    order.insert(order.end(), conv.phases->f.begin(), conv.phases->f.end());
    order.emplace_back(conv.n);
    std::vector<Var> storage = {conv.co, conv.phases->f[0], conv.at[0]}; // as in the output
    conv.phases->sums.compute_at(conv.output, chunk)
        .store_in(MemoryType::Heap)
        .bound_extent(conv.co, co_block)
        .split(conv.co, co_u, co_v, lanes, TailStrategy::RoundUp)
        .split(conv.at[0], q_t, q_i, tile_p, TailStrategy::ShiftInwards)
        .reorder(order)
        .reorder_storage(storage)
        .vectorize(co_v)
        .unroll(co_u)
        .unroll(q_i);
    // As a constant, a phase settles its taps and where they read.
    if (spatial_product(conv.desc.stride, conv.desc.rank) <= kMostUnrolledPhases) {
        for (const Var &f : conv.phases->f)
            conv.phases->sums.unroll(f);
    }
    conv.acc.compute_at(conv.phases->sums, q_t);
    schedule_dense_tile(conv, plan.target,
                        {conv.at[0], co_block, lanes, tile_p, plan.params.at("unroll_ci")});
    // One tap at a time, which is more than Halide infers where phases differ in their number of taps.
    Halide::Func weights = conv.filter.in(conv.acc);
    for (size_t i = 2; i + 1 < weights.args().size(); i++)
        weights.bound_extent(weights.args()[i], 1);
}

} // namespace

void schedule_transposed(ConvPipeline &conv, const Plan &plan) {
    const ConvDesc &d = conv.desc;
    const int lanes = vector_lanes(plan.target, d.acc_type);
    const int rows = plan.params.at("rows");
    Var co_o("co_o"), co_i("co_i"), co_u("co_u"), co_v("co_v"), block("block"), row("row"), chunk("chunk"),
        q_i("q_i");
    conv.output.split(conv.co, co_o, co_i, conv.packing.co_block, TailStrategy::GuardWithIf)
        .split(co_i, co_u, co_v, lanes, TailStrategy::GuardWithIf);
    std::vector<Var> q, f; // innermost axis first
    for (int i = 0; i < d.rank; i++) {
        q.emplace_back("q_" + conv.at[i].name());
        f.emplace_back("f_" + conv.at[i].name());
        conv.output.split(conv.at[i], q[i], f[i], d.stride[d.rank - 1 - i], TailStrategy::GuardWithIf);
    }
    conv.output.split(q.back(), block, row, rows, TailStrategy::ShiftInwards);
    q.back() = row;
    conv.output.split(q.front(), chunk, q_i, plan.params.at("chunk"), TailStrategy::ShiftInwards);
    std::vector<VarOrRVar> order = {co_v, co_u, f[0], q_i};
    order.insert(order.end(), f.begin() + 1, f.end());
    order.emplace_back(chunk);
    order.insert(order.end(), q.begin() + 1, q.end());
    order.insert(order.end(), {co_o, block, conv.n});
    conv.output.reorder(order).vectorize(co_v).unroll(co_u);
    if (d.stride[d.rank - 1] <= kMostUnrolledPhases)
        conv.output.unroll(f[0]);
    const int all_rows = (out_extents(d)[0] + d.stride[0] - 1) / d.stride[0];
    if (d.n > 1 || rows < all_rows)
        conv.output.parallel(block).parallel(conv.n);
    else
        conv.output.parallel(co_o);

    schedule_sums(conv, plan, chunk);
    if (!conv.is_padded() && d.in_layout == Layout::ChannelsLast)
        return;
    conv.padded.compute_at(conv.output, block).store_in(MemoryType::Heap);
    if (d.in_layout == Layout::ChannelsLast && d.ci >= lanes)
        conv.padded.vectorize(conv.ci, lanes, TailStrategy::GuardWithIf);
}

} // namespace convsmith::cpu
