// Depthwise and 1x1 convolution in one kernel: the warp's dense tile (warp_tile.h) of the 1x1 op, which
// copies nothing: its threads compute the depthwise sums that it reads into shared memory.
#include "schedules/gpu/chain.h"

#include "schedules/gpu/warp_tile.h"

namespace convsmith::gpu {

void schedule_chain(ConvPipeline &conv, const Plan &plan) {
    ConvPipeline &last = conv.parts.back();
    std::vector<Halide::Var> others(last.at.begin() + 1, last.at.end());
    others.push_back(last.n);
    WarpTile tile = begin_warp_tile(conv.output, last.at[0], others, plan);
    tile.staged = last.element;
    tile.staged_channel = last.element.args()[1];
    tile.staged_extents = {{last.at[0], tile.tile_p}, {tile.staged_channel, tile.chunk_ci}, {last.group, 1}};
    schedule_warp_tile(last, plan.target, tile);
}

} // namespace convsmith::gpu
