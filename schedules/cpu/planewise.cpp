// Depthwise convolutions and pools of planes: positions of a row are vector lanes, a register tile spans
// rows, the weights of a channel are broadcast. Rows are read in place where masks can keep out what lies
// beyond them, else padded rows of a channel are copied to a strip in L1.
#include "schedules/cpu/planewise.h"

#include "generators/conv_shape.h"

namespace convsmith::cpu {

using Halide::Func;
using Halide::MemoryType;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;
using Halide::VarOrRVar;

namespace {

/// Taps of a window up to which all of them are one block of instructions.
constexpr int64_t kMostUnrolledTaps = 49;
/// Taps of a row up to which a row is.
constexpr int kMostUnrolledRow = 31;

/// Extents of the register tile.
struct Tile {
    int lanes;
    int width; ///< positions of a row: whole vectors, or all there are
    int rows;
};

Tile tile_of(const ConvPipeline &conv, const Plan &plan) {
    const ConvDesc &d = conv.desc;
    const int lanes = vector_lanes(plan.target, d.acc_type);
    const int out_x = out_extents(d)[d.rank - 1];
    const int width = std::min(lanes * plan.params.at("x_vectors"), out_x);
    // Lanes beyond a row's end read the strip, but must not read beyond the input.
    return {conv.copies_rows || conv.masks_columns ? lanes : std::min(lanes, width), width,
            plan.params.at("tile_y")};
}

/// The widest vector, at most `most` elements, that rows of `extent` need no tail for, whole vectors of
/// `lanes` if there are; else a vector of `lanes`, if a tail may be guarded (what is split in registers is
/// read whole, beyond the row too). None of whole vectors and one lane: Halide 14 stores that lane by a
/// masked store of a scalar, which LLVM does not have.
int row_lanes(int extent, int lanes, int most, bool may_guard) {
    int best = 1;
    for (int width = 1; width <= std::min(extent, most); width++) {
        const bool leaves_one = width > lanes && width % lanes == 1;
        if (extent % width == 0 && !leaves_one && (width % lanes == 0 || best % lanes != 0))
            best = width;
    }
    return best >= lanes || best == extent || !may_guard ? best : lanes;
}

/// The padded rows of a block of channels. Rows start aligned, so that few of the vectors read span cache
/// lines.
void schedule_strip(ConvPipeline &conv, const Tile &tile, const Var &block, int channels) {
    Func &rows = conv.rows;
    const Var y = conv.axes.size() > 1 ? conv.axes[1] : conv.ci;
    const int phases = row_phases(conv.desc);
    rows.compute_at(conv.output, block).align_bounds(conv.row, tile.lanes);
    if (phases > 1)
        rows.bound(conv.phase, 0, phases);
    if (channels == 1)
        rows.bound_extent(conv.ci, 1);
    if (conv.r_border)
        rows.update(0).reorder(*conv.r_border, y).unroll(*conv.r_border);
    const int copy = conv.r_border ? 1 : 0;
    RVar r_o("r_o"), r_v("r_v");
    constexpr int kMostVectors = 8; // of one copy
    const int lanes = row_lanes(conv.desc.in[conv.desc.rank - 1] / phases, tile.lanes,
                                kMostVectors / phases * tile.lanes, phases == 1);
    rows.update(copy).split(*conv.r_row, r_o, r_v, lanes, TailStrategy::GuardWithIf).vectorize(r_v);
    if (conv.r_phase) {
        rows.update(copy).reorder(r_v, *conv.r_phase, r_o, y).unroll(*conv.r_phase);
        conv.whole.compute_at(rows, r_o)
            .store_in(MemoryType::Register)
            .bound_extent(conv.row, lanes * phases)
            .vectorize(conv.row);
    } else {
        rows.update(copy).reorder(r_v, r_o, y);
    }
}

/// The accumulators of a tile.
void schedule_sum(ConvPipeline &conv, const Tile &tile) {
    const ConvDesc &d = conv.desc;
    Func &acc = conv.acc;
    Var x_u("x_u"), x_v("x_v");
    acc.store_in(MemoryType::Register)
        .bound_extent(conv.co, 1)
        .split(conv.at[0], x_u, x_v, tile.lanes, TailStrategy::RoundUp)
        .vectorize(x_v)
        .unroll(x_u);
    Halide::Stage sum = acc.update();
    const bool unrolls_taps = spatial_product(d.kernel, d.rank) <= kMostUnrolledTaps;
    std::vector<VarOrRVar> order = {x_v, x_u};
    if (unrolls_taps) { // down a column of taps: few inputs and weights are alive at a time
        order.insert(order.end(), conv.r_k.begin() + 1, conv.r_k.end());
        order.insert(order.end(), conv.at.begin() + 1, conv.at.end());
        order.emplace_back(conv.r_k[0]);
    } else {
        order.insert(order.end(), conv.at.begin() + 1, conv.at.end());
        order.insert(order.end(), conv.r_k.begin(), conv.r_k.end());
    }
    sum.split(conv.at[0], x_u, x_v, tile.lanes, TailStrategy::RoundUp)
        .reorder(order)
        .vectorize(x_v)
        .unroll(x_u);
    if (d.kernel[d.rank - 1] <= kMostUnrolledRow)
        sum.unroll(conv.r_k[0]);
    for (size_t i = 1; i < conv.at.size(); i++) {
        acc.unroll(conv.at[i]);
        sum.unroll(conv.at[i]);
    }
    if (unrolls_taps) {
        for (size_t i = 1; i < conv.r_k.size(); i++)
            sum.unroll(conv.r_k[i]);
    }
}

/// Lanes that are stored at a time: of a row that fills no vector, two halves that overlap rather than a
/// half, a quarter and so on.
int store_lanes(const Tile &tile) {
    const int half = tile.lanes / 2;
    if (tile.width >= tile.lanes)
        return tile.lanes;
    return tile.width > half ? half : tile.width;
}

} // namespace

void schedule_planewise(ConvPipeline &conv, const Plan &plan) {
    const Tile tile = tile_of(conv, plan);
    Var x_o("x_o"), x_i("x_i"), x_u("x_u"), x_v("x_v"), y_b("y_b"), y_r("y_r"), y_t("y_t"), y_i("y_i");
    Var task("task"), channel_b("channel_b"), channel("channel");
    conv.output.split(conv.at[0], x_o, x_i, tile.width, TailStrategy::ShiftInwards)
        .split(x_i, x_u, x_v, store_lanes(tile), TailStrategy::ShiftInwards)
        .split(conv.co, task, channel, plan.params.at("channels"), TailStrategy::ShiftInwards)
        .split(channel, channel_b, channel, plan.params.at("strip_channels"), TailStrategy::ShiftInwards);
    std::vector<VarOrRVar> order = {x_v, x_u};
    Var block = channel;
    if (conv.at.size() == 1) {
        order.emplace_back(x_o);
    } else {
        conv.output.split(conv.at[1], y_b, y_r, plan.params.at("rows"), TailStrategy::ShiftInwards)
            .split(y_r, y_t, y_i, tile.rows, TailStrategy::ShiftInwards)
            .unroll(y_i);
        order.insert(order.end(), {y_i, x_o, y_t, y_b});
        order.insert(order.end(), conv.at.begin() + 2, conv.at.end());
        block = y_b;
    }
    const int strip_channels = plan.params.at("strip_channels");
    if (strip_channels > 1)
        block = channel_b;
    order.insert(order.end(), {channel, channel_b, task, conv.n});
    conv.output.reorder(order).vectorize(x_v).unroll(x_u).parallel(task).parallel(conv.n);
    if (conv.masks_columns) // masks are constants
        conv.output.unroll(x_o);
    if (conv.copies_rows)
        schedule_strip(conv, tile, block, strip_channels);
    conv.acc.compute_at(conv.output, x_o);
    schedule_sum(conv, tile);
}

} // namespace convsmith::cpu
