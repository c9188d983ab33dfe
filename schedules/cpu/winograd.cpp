// Winograd strip by strip: the input of a few rows of tiles is transformed into L2; for a group of output
// channels the products of all transform elements are summed over ci in a register tile; the outputs of a
// tile are transformed back, finished by the epilogue and stored while its products are near.
#include "schedules/cpu/winograd.h"

#include "generators/conv_shape.h"
#include "schedules/cpu/direct.h"
#include "schedules/cpu/tiles.h"
#include "schedules/cpu/weight_stream.h"

namespace convsmith::cpu {

using Halide::Func;
using Halide::MemoryType;
using Halide::TailStrategy;
using Halide::Var;

namespace {

/// Extents that follow from problem and numbers.
struct Blocking : WinogradNumbers {
    int lanes; ///< elements of a vector
    int co_block;
    int co_group; ///< output channels whose products are kept at a time
    int strips;
};

Blocking blocking_of(const ConvPipeline &conv, const Target &target, const WinogradNumbers &numbers) {
    Blocking b;
    static_cast<WinogradNumbers &>(b) = numbers;
    b.co_block = conv.packing.co_block;
    b.lanes = vector_lanes(target, conv.desc.acc_type);
    while (b.co_block % b.lanes != 0)
        b.lanes /= 2;
    b.co_group = b.co_block * numbers.co_blocks;
    b.strips = (conv.winograd->tiles[conv.winograd->strip_axis()] + b.rows - 1) / b.rows;
    return b;
}

/// True if there are too few strips to keep all threads busy: then groups of channels are shared out as well.
bool splits_strips(const ConvPipeline &conv, const Blocking &b) {
    constexpr int kManyTasks = 8;
    const int slices = conv.winograd->direct ? static_cast<int>(out_extents(conv.desc)[0]) : 1;
    return conv.desc.n * slices * b.strips < kManyTasks;
}

/// Computes every element of a tile's transform at once.
void unroll_elements(Func &stage, const WinogradParts &w, const std::vector<int> &extents) {
    for (size_t i = 0; i < w.a.size(); i++) {
        if (i != w.direct)
            stage.bound_extent(w.a[i], extents[i]).unroll(w.a[i]);
    }
}

/// The strip's transformed input, and the padded rows that it is made of.
void schedule_input(ConvPipeline &conv, const Blocking &b, Var strip) {
    WinogradParts &w = *conv.winograd;
    const bool has_vectors = conv.desc.ci >= b.lanes;
    Var ci_o("ci_o"), ci_v("ci_v");
    Func &last = w.input.back();
    last.compute_at(conv.output, strip).store_in(MemoryType::Heap);
    if (has_vectors)
        last.split(conv.ci, ci_o, ci_v, b.lanes, TailStrategy::ShiftInwards).vectorize(ci_v);
    else
        ci_o = conv.ci;
    std::vector<Halide::VarOrRVar> order;
    if (has_vectors)
        order.emplace_back(ci_v);
    for (size_t i = 0; i < w.a.size(); i++) {
        if (i != w.direct)
            order.emplace_back(w.a[i]);
    }
    order.emplace_back(ci_o);
    order.emplace_back(w.t);
    if (w.direct)
        order.emplace_back(w.a[*w.direct]);
    last.reorder(order);
    if (splits_strips(conv, b))
        last.parallel(w.t);
    unroll_elements(last, w, w.size);
    for (size_t i = 0; i + 1 < w.input.size(); i++) {
        Func &stage = w.input[i];
        stage.compute_at(last, has_vectors ? ci_o : conv.ci).store_in(MemoryType::Stack);
        if (has_vectors)
            stage.vectorize(conv.ci, b.lanes, TailStrategy::RoundUp);
        unroll_elements(stage, w, w.size);
    }
    if (!conv.is_padded() && conv.desc.in_layout == Layout::ChannelsLast)
        return;
    conv.padded.compute_at(conv.output, strip).store_in(MemoryType::Heap);
    if (has_vectors && conv.desc.in_layout == Layout::ChannelsLast)
        conv.padded.vectorize(conv.ci, b.lanes, TailStrategy::GuardWithIf);
}

/// The products of a strip's tiles and a group of output channels; each register tile stays in registers
/// while the reduction runs.
void schedule_products(ConvPipeline &conv, const Target &target, const Blocking &b, Var group) {
    WinogradParts &w = *conv.winograd;
    Var co_o("co_o"), co_i("co_i"), co_u("co_u"), co_v("co_v"), t_o("t_o"), t_i("t_i");
    std::vector<Halide::VarOrRVar> order = {co_v, co_u, t_i, t_o, co_o};
    order.insert(order.end(), w.a.begin(), w.a.end());
    w.products.compute_at(conv.output, group)
        .store_in(MemoryType::Heap)
        .split(conv.co, co_o, co_i, b.co_block, TailStrategy::RoundUp)
        .split(co_i, co_u, co_v, b.lanes, TailStrategy::RoundUp)
        .split(w.t, t_o, t_i, b.tile_t, TailStrategy::ShiftInwards)
        .reorder(order)
        .vectorize(co_v)
        .unroll(co_u)
        .unroll(t_i);
    std::vector<Var> storage = {conv.co};
    storage.insert(storage.end(), w.a.begin(), w.a.end());
    storage.push_back(w.t);
    w.products.reorder_storage(storage);

    conv.acc.compute_at(w.products, t_o);
    schedule_dense_tile(conv, target, {w.t, b.co_block, b.lanes, b.tile_t, b.unroll_ci});
    if (b.prefetches)
        prefetch_weights(
            conv, {t_o, b.unroll_ci * b.co_block, int64_t{conv.desc.ci / conv.desc.groups} * b.co_block});
}

/// What the outputs of a tile share.
void schedule_output_transform(ConvPipeline &conv, const Blocking &b, Var co_u) {
    WinogradParts &w = *conv.winograd;
    for (size_t i = 0; i + 1 < w.output.size(); i++) {
        Func &stage = w.output[i];
        for (size_t k = 0; k < w.a.size(); k++) {
            if (k != w.direct)
                stage.bound_extent(w.a[k], k <= i ? w.tile[k] : w.size[k]).unroll(w.a[k]);
        }
        stage.compute_at(conv.output, co_u)
            .store_in(MemoryType::Stack)
            .vectorize(conv.co, b.lanes, TailStrategy::RoundUp);
    }
}

} // namespace

void schedule_winograd(ConvPipeline &conv, const Target &target, const WinogradNumbers &numbers) {
    const WinogradParts &w = *conv.winograd;
    const Blocking b = blocking_of(conv, target, numbers);
    Var group("group"), co_i("co_i"), co_u("co_u"), co_v("co_v"), strip("strip"), row("row");
    conv.output.split(conv.co, group, co_i, b.co_group, TailStrategy::GuardWithIf)
        .split(co_i, co_u, co_v, b.lanes, TailStrategy::GuardWithIf);
    std::vector<Halide::VarOrRVar> order = {co_v}, tiles;
    for (size_t i = 0; i <= w.strip_axis(); i++) {
        Var tile(conv.at[i].name() + "_t"), within(conv.at[i].name() + "_i");
        conv.output.split(conv.at[i], tile, within, w.tile[i], TailStrategy::GuardWithIf);
        order.emplace_back(within);
        tiles.emplace_back(tile);
    }
    conv.output.split(tiles.back().var, strip, row, b.rows, TailStrategy::GuardWithIf);
    tiles.back() = row;
    const std::vector<Halide::VarOrRVar> within(order.begin() + 1, order.end());
    order.emplace_back(co_u);
    order.insert(order.end(), tiles.begin(), tiles.end());
    order.insert(order.end(), {group, strip});
    if (w.direct)
        order.emplace_back(conv.at[*w.direct]);
    order.emplace_back(conv.n);
    conv.output.reorder(order).vectorize(co_v);
    for (const Halide::VarOrRVar &one : within)
        conv.output.unroll(one);
    conv.output.parallel(strip).parallel(conv.n);
    if (w.direct)
        conv.output.parallel(conv.at[*w.direct]);
    if (splits_strips(conv, b))
        conv.output.parallel(group);

    schedule_input(conv, b, strip);
    schedule_products(conv, target, b, group);
    schedule_output_transform(conv, b, co_u);
}

void schedule_winograd(ConvPipeline &conv, const Plan &plan) {
    WinogradNumbers numbers;
    numbers.rows = plan.params.at("rows");
    numbers.tile_t = plan.params.at("tile_t");
    numbers.co_blocks = plan.params.at("co_blocks");
    numbers.unroll_ci = plan.params.at("unroll_ci");
    numbers.prefetches = plan.params.at("prefetch") == kPrefetch;
    schedule_winograd(conv, plan.target, numbers);
}

} // namespace convsmith::cpu
