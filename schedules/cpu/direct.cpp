// Direct convolution on a CPU: a register tile of co_vectors x tile_p accumulators over flattened positions,
// weights streamed from their packed panel, input read in place or from a padded strip of a block of rows.
#include "schedules/cpu/direct.h"

#include "generators/conv_shape.h"
#include "schedules/cpu/tiles.h"
#include "schedules/cpu/weight_stream.h"

namespace convsmith::cpu {

using Halide::Func;
using Halide::MemoryType;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

namespace {

/// Extents that follow from problem and parameters.
struct Blocking {
    int lanes; ///< elements of a vector
    int co_block;
    int block_p; ///< output positions of a block of rows
    int blocks;
    int tile_p;
    int unroll_ci;   ///< input channels per iteration of the reduction's inner loop
    int ci_block;    ///< input channels whose products are summed in registers at a time
    int streams;     ///< parts of the input channels whose products are summed side by side
    int co_blocks;   ///< blocks of output channels of a tile of positions before the next tile's
    bool prefetches; ///< the weights of the next block
};

Blocking blocking_of(const ConvPipeline &conv, const Plan &plan) {
    const Spatial out = out_extents(conv.desc);
    const int rows = plan.params.at("rows");
    Blocking b;
    b.lanes = vector_lanes(plan.target, conv.desc.acc_type);
    b.co_block = conv.packing.co_block;
    b.block_p = rows * row_positions(conv.desc);
    b.blocks = (out[0] + rows - 1) / rows;
    b.tile_p = std::min(plan.params.at("tile_p"), b.block_p);
    b.unroll_ci = plan.params.at("unroll_ci");
    const auto number = [&](const char *name, int otherwise) { // joined has none of them
        const auto found = plan.params.find(name);
        return found != plan.params.end() ? found->second : otherwise;
    };
    b.ci_block = number("ci_block", conv.desc.ci / conv.desc.groups);
    b.streams = number("streams", 1);
    b.co_blocks = number("co_blocks", 1);
    b.prefetches = number("prefetch", kNoPrefetch) == kPrefetch;
    return b;
}

/// What a strided pointwise convolution reads of a block, side by side: positions a few KiB apart share the
/// sets of the caches.
bool stages_gathered(const ConvPipeline &conv) {
    return conv.gathered.defined() && spatial_product(conv.desc.stride, conv.desc.rank) > 1;
}

/// The input of one block, channels innermost whatever the caller's layout: padded rows, or what is gathered.
void schedule_strip(ConvPipeline &conv, const Plan &plan, const Blocking &b, Var block) {
    const ConvDesc &d = conv.desc;
    if (stages_gathered(conv)) {
        conv.gathered.compute_at(conv.output, block).store_in(MemoryType::Heap);
        if (d.in_layout == Layout::ChannelsLast && d.ci >= b.lanes)
            conv.gathered.vectorize(conv.ci, b.lanes, TailStrategy::GuardWithIf);
        return;
    }
    const int rows = plan.params.at("rows");
    Func &strip = conv.copies_rows ? conv.rows : conv.padded;
    strip.compute_at(conv.output, block)
        .store_in(MemoryType::Heap)
        .bound_extent(conv.axes.back(),
                      (rows - 1) * d.stride[0] + effective_kernel(d.kernel[0], d.dilation[0]));
    if (conv.copies_rows) {
        if (conv.r_border)
            strip.update(0).unscheduled();
        RVar r_o("r_o"), r_v("r_v");
        strip.update(conv.r_border ? 1 : 0)
            .split(*conv.r_row, r_o, r_v, b.lanes, TailStrategy::GuardWithIf)
            .vectorize(r_v);
    } else if (d.in_layout == Layout::ChannelsLast && d.ci >= b.lanes)
        strip.vectorize(conv.ci, b.lanes, TailStrategy::GuardWithIf);
}

/// Sums one block of input channels after the other, so that the weights of a block stay in L1 or L2 for all
/// positions: `tile` becomes the pipeline of such a block, whose sums in registers are added to those of the
/// channels of `group`.
void sum_blocks(ConvPipeline &tile, const Blocking &b, const Var &group) {
    Func whole = tile.acc;
    const Var position = tile.at[0];
    RVar r_b("r_b"), r_i("r_i");
    Var block("ci_block"), co_u("co_u"), co_v("co_v"), p_t("p_t"), p_i("p_i");
    whole.update().split(*tile.r_ci, r_b, r_i, b.ci_block, TailStrategy::GuardWithIf); // divides: no guard
    tile.acc = whole.update().rfactor(r_b, block);
    tile.r_ci = r_i;
    whole.compute_at(tile.output, group)
        .store_in(MemoryType::Heap)
        .bound_extent(tile.co, b.co_block)
        .bound_extent(position, static_cast<int>(rounded_up(b.block_p, b.tile_p)))
        .split(tile.co, co_u, co_v, b.lanes, TailStrategy::RoundUp)
        .vectorize(co_v)
        .unroll(co_u);
    whole.update()
        .split(tile.co, co_u, co_v, b.lanes, TailStrategy::GuardWithIf)
        .split(position, p_t, p_i, b.tile_p, TailStrategy::RoundUp)
        .reorder({co_v, co_u, p_i, p_t, r_b})
        .vectorize(co_v)
        .unroll(co_u)
        .unroll(p_i);
    tile.acc.compute_at(whole, p_t);
}

/// The sums of one position, those of several parts of the input channels side by side: memory delivers more
/// where several streams of weights are read.
void sum_streams(ConvPipeline &conv, const Blocking &b, const Var &at) {
    Func whole = conv.acc;
    RVar r_s("r_s"), r_i("r_i"), r_o("r_o"), r_u("r_u");
    Var stream("stream"), co_u("co_u"), co_v("co_v");
    const int part_ci = conv.desc.ci / conv.desc.groups / b.streams;
    whole.update().split(*conv.r_ci, r_s, r_i, part_ci, TailStrategy::GuardWithIf); // divides: no guard
    Func part = whole.update().rfactor(r_s, stream);
    for (Func *sum : {&whole, &part}) {
        sum->compute_at(conv.output, at)
            .store_in(MemoryType::Register)
            .bound_extent(conv.co, b.co_block)
            .split(conv.co, co_u, co_v, b.lanes, TailStrategy::RoundUp)
            .vectorize(co_v)
            .unroll(co_u)
            .update()
            .split(conv.co, co_u, co_v, b.lanes, TailStrategy::GuardWithIf)
            .vectorize(co_v)
            .unroll(co_u);
    }
    whole.update().reorder(co_v, co_u, r_s).unroll(r_s);
    part.bound_extent(stream, b.streams).unroll(stream);
    std::vector<Halide::VarOrRVar> order = {co_v, co_u, stream, r_u, r_o};
    order.insert(order.end(), conv.r_k.begin(), conv.r_k.end());
    part.update()
        .split(r_i, r_o, r_u, b.unroll_ci, TailStrategy::GuardWithIf)
        .reorder(order)
        .unroll(stream)
        .unroll(r_u);
}

/// Loads the inputs of unrolled channels as vectors, to be multiplied by their lanes.
void schedule_element(ConvPipeline &conv, const DenseTile &b, const RVar &step) {
    int lanes = b.lanes;
    while (b.unroll_ci % lanes != 0)
        lanes /= 2;
    if (!conv.r_ci || lanes == 1)
        return;
    Func &element = conv.element;
    const Var group = element.args()[0], ci = element.args()[1];
    Var ci_u("ci_u"), ci_v("ci_v");
    element.compute_at(conv.acc, step)
        .store_in(MemoryType::Register)
        .bound_extent(group, 1)
        .bound_extent(ci, b.unroll_ci)
        .bound_extent(b.position, b.positions)
        .split(ci, ci_u, ci_v, lanes, TailStrategy::RoundUp)
        .reorder(ci_v, ci_u, b.position)
        .vectorize(ci_v)
        .unroll(ci_u)
        .unroll(b.position);
    if (conv.row_tile > 0)
        element.align_bounds(b.position, conv.row_tile);
}

} // namespace

void schedule_dense_tile(ConvPipeline &conv, const Target &target, const DenseTile &b) {
    Func &sum = conv.acc;
    std::vector<RVar> reduction;
    if (conv.r_ci)
        reduction.push_back(*conv.r_ci);
    reduction.insert(reduction.end(), conv.r_k.begin(), conv.r_k.end());
    Var co_u("co_u"), co_v("co_v");
    sum.store_in(MemoryType::Register)
        .bound_extent(conv.co, b.co_block)
        .bound_extent(b.position, b.positions)
        .split(conv.co, co_u, co_v, b.lanes, TailStrategy::RoundUp)
        .reorder(co_v, co_u, b.position)
        .vectorize(co_v)
        .unroll(co_u)
        .unroll(b.position);
    // Unrolled channels share the increments of one pointer per position.
    const RVar inner = reduction.front();
    RVar r_o("r_o"), r_u("r_u");
    std::vector<Halide::VarOrRVar> order = {co_v, co_u, b.position, r_u, r_o};
    order.insert(order.end(), reduction.begin() + 1, reduction.end());
    sum.update()
        .split(conv.co, co_u, co_v, b.lanes, TailStrategy::GuardWithIf)
        .split(inner, r_o, r_u, b.unroll_ci, TailStrategy::GuardWithIf) // divides: no guard
        .reorder(order)
        .vectorize(co_v)
        .unroll(co_u)
        .unroll(b.position)
        .unroll(r_u);
    // Not where neighbours are seen to read the same elements for different taps, which LLVM would keep.
    if (conv.r_ci && conv.row_tile == 0 && choose_unroll_taps(conv.desc, b.unroll_ci) > 1)
        sum.update().unroll(conv.r_k[0]);
    Func weights = conv.joined.defined()
                       ? conv.joined.in(sum)
                       : conv.filter.in(sum); // one load per vector and step, shared by the tile's positions
    weights.compute_at(sum, r_u).vectorize(weights.args()[0], b.lanes).unroll(weights.args()[0]);
    if (target.multiplies_by_lane)
        schedule_element(conv, b, r_o);
}

void schedule_direct(ConvPipeline &conv, const Plan &plan) {
    const Blocking b = blocking_of(conv, plan);
    Var co_o("co_o"), co_i("co_i"), co_u("co_u"), co_v("co_v");
    Var co_g("co_g"), co_b("co_b"), p_b("p_b"), p_r("p_r"), p_t("p_t"), p_i("p_i");

    conv.output.split(conv.co, co_o, co_i, b.co_block, TailStrategy::GuardWithIf)
        .split(co_i, co_u, co_v, b.lanes, TailStrategy::GuardWithIf)
        .split(conv.at[0], p_b, p_r, b.block_p,
               TailStrategy::ShiftInwards) // re-computes positions of the last block
        .split(p_r, p_t, p_i, b.tile_p, TailStrategy::ShiftInwards)
        .split(co_o, co_g, co_b, b.co_blocks, TailStrategy::GuardWithIf)
        .reorder(co_v, co_u, p_i, co_b, p_t, co_g, p_b, conv.n)
        .vectorize(co_v)
        .unroll(co_u)
        .unroll(p_i);
    if (conv.packing.by_group) // groups share lines of the output
        conv.output.reorder(co_g, conv.n, p_b).parallel(p_b);
    else if (conv.desc.n * b.blocks > 1)
        conv.output.parallel(p_b).parallel(conv.n);
    else
        conv.output.parallel(co_g);
    const Var block = conv.packing.by_group ? conv.n : p_b;

    ConvPipeline tile = conv;
    if (b.ci_block < conv.desc.ci / conv.desc.groups)
        sum_blocks(tile, b, co_g);
    else
        conv.acc.compute_at(conv.output, co_b);
    if (conv.row_tile > 0)
        tile.acc.align_bounds(conv.at[0], conv.row_tile);
    if (b.streams > 1)
        sum_streams(tile, b, co_b);
    else
        schedule_dense_tile(tile, plan.target, {conv.at[0], b.co_block, b.lanes, b.tile_p, b.unroll_ci});
    if (b.prefetches) {
        const bool is_whole = b.ci_block == conv.desc.ci / conv.desc.groups;
        const int64_t taps = spatial_product(conv.desc.kernel, conv.desc.rank);
        prefetch_weights(conv,
                         {p_t, b.unroll_ci * b.co_block, b.ci_block * b.co_block * (is_whole ? taps : 1)});
    }
    if (conv.is_padded() || stages_gathered(conv) || conv.desc.in_layout == Layout::ChannelsFirst)
        schedule_strip(conv, plan, b, block);
}

} // namespace convsmith::cpu
