// Dense convolutions on a GPU: an implicit matrix product on the warp's tile (warp_tile.h). Positions of a
// tile that lie in one row share the cells of their windows in shared memory; others copy what each tap
// reads: the cells of a phase of a transposed convolution, the samples of a deformable one.
#include "schedules/gpu/direct.h"

#include "schedules/gpu/dense_plan.h"
#include "schedules/gpu/threads.h"
#include "schedules/gpu/warp_tile.h"

namespace convsmith::gpu {

using Halide::Var;

namespace {

/// What the tile is part of, and its numbers.
WarpTile begin_tile(const ConvPipeline &conv, const Plan &plan) {
    std::vector<Var> others(conv.at.begin() + 1, conv.at.end());
    if (conv.phases)
        others.insert(others.end(), conv.phases->f.begin(), conv.phases->f.end());
    others.push_back(conv.n);
    return begin_warp_tile(conv.phases ? conv.phases->sums : conv.output, conv.at[0], others, plan);
}

} // namespace

void schedule_direct(ConvPipeline &conv, const Plan &plan) {
    const ConvDesc &d = conv.desc;
    WarpTile tile = begin_tile(conv, plan);
    const int groups = groups_of_tile(d, tile.co_vector);
    if (shares_windows(d, tile.tile_p)) {
        tile.is_staged_for_all_taps = true;
        tile.staged = conv.copies_windows ? conv.windows : conv.padded;
        tile.staged_channel = conv.ci; // of the tensor: groups lie beside each other
        tile.staged_extents.emplace_back(tile.staged_channel, tile.chunk_ci * groups);
        for (int i = 0; i < d.rank; i++)
            tile.staged_extents.emplace_back(tile.staged.args()[i + 1], window_cells(d, i, tile.tile_p));
        if (conv.row_tile > 0)
            conv.acc.align_bounds(conv.at[0], conv.row_tile);
    } else {
        tile.staged = conv.element;
        tile.staged_channel = conv.element.args()[1];
        tile.staged_extents.emplace_back(conv.at[0], tile.tile_p);
        tile.staged_extents.emplace_back(tile.staged_channel, tile.chunk_ci);
        tile.staged_extents.emplace_back(conv.group, groups);
    }
    schedule_warp_tile(conv, plan.target, tile);
    if (conv.place.defined()) // once for all channels
        deal_to_threads(conv.place.compute_root(), conv.place.args());
    if (conv.phases) {
        conv.phases->sums.compute_root();
        deal_to_threads(conv.output, memory_order_of(conv));
    }
}

} // namespace convsmith::gpu
