// Grids and blocks (machine.h).
#include "tests/emulated/ptx/machine.h"

#include <algorithm>
#include <optional>

namespace convsmith::ptx {

void Machine::run(const Launch &launch) {
    // Stamps must not wrap around within a launch.
    if (clock_ > 1U << 31) {
        memory_.clear_shadows();
        clock_ = 1;
    }
    counts.launches++;
    BlockState state(launch, memory_, counts, clock_);
    const auto threads = static_cast<unsigned>(launch.block.count());
    std::vector<Warp> warps;
    for (unsigned first = 0; first < threads; first += kLanes)
        warps.emplace_back(state, first, std::min(kLanes, threads - first));
    for (std::uint64_t block = 0; block < launch.grid.count(); block++) {
        state.start_block(block);
        run_block(state, warps);
    }
}

void Machine::run_block(BlockState &state, std::vector<Warp> &warps) {
    for (Warp &warp : warps)
        warp.start();
    for (;;) {
        for (Warp &warp : warps)
            warp.run();
        if (std::all_of(warps.begin(), warps.end(), [](const Warp &warp) { return warp.waiting() == 0; }))
            return;
        check_barrier(state, warps);
        state.pass_barrier();
        for (Warp &warp : warps)
            warp.pass_barrier();
    }
}

/// Every thread of the block must wait, and at the same barrier.
void Machine::check_barrier(const BlockState &state, const std::vector<Warp> &warps) {
    std::optional<unsigned> first; // thread that waits
    std::size_t position = 0;
    for (const Warp &warp : warps) {
        for_lanes_in_order(warp.waiting(), [&](unsigned lane) {
            if (!first) {
                first = warp.thread(lane);
                position = warp.position(lane);
            }
            if (warp.position(lane) != position)
                state.fail(Status::LaunchFailed,
                           "waits at one barrier while " + state.thread_text(*first) + " waits at another, " +
                               state.line_text(position),
                           warp.position(lane), warp.thread(lane));
        });
    }
    for (const Warp &warp : warps) {
        if (warp.exited() == 0)
            continue;
        const unsigned gone = warp.thread(static_cast<unsigned>(__builtin_ctz(warp.exited())));
        state.fail(Status::LaunchFailed,
                   "waits at a barrier that " + state.thread_text(gone) +
                       " of its block never reaches: it has exited",
                   position, *first);
    }
}

} // namespace convsmith::ptx
