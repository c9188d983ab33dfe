// The device: runs launches, one block after the other, a block's warps from barrier to barrier. Before it:
// warp.h; after it: the driver.
#pragma once

#include "tests/emulated/ptx/launch.h"
#include "tests/emulated/ptx/warp.h"

#include <vector>

namespace convsmith::ptx {

class Machine {
public:
    explicit Machine(Memory &memory) : memory_(memory) {}

    /// Throws Fault at the first thing that is wrong; what was written until then stays.
    void run(const Launch &launch);

    ConvsmithCudaCounts counts{};

private:
    static void run_block(BlockState &state, std::vector<Warp> &warps);
    static void check_barrier(const BlockState &state, const std::vector<Warp> &warps);

    Memory &memory_;
    std::uint32_t clock_ = 1; ///< stamps of accesses (race_shadow.h)
};

} // namespace convsmith::ptx
