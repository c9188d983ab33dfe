// 32 threads that run together where they are at the same instruction. Before it: launch.h, instruction.h;
// after it: machine.h, which runs the warps of a block from barrier to barrier.
#pragma once

#include "tests/emulated/ptx/launch.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace convsmith::ptx {

struct LaneAccesses; // warp_memory.cpp

/// Lanes are threads of the warp by their number. Where their ways part, those furthest behind in the code
/// run first, so that they meet again where the ways join.
class Warp {
public:
    /// Threads [first_thread, first_thread + threads) of each block.
    Warp(BlockState &block, unsigned first_thread, unsigned threads);
    Warp(Warp &&) = default;

    /// Puts all threads at the kernel's start, in the block that `block` has started.
    void start();
    /// Runs until every thread has exited or waits at a barrier of the block. Throws Fault.
    void run();
    /// Ends the wait at the block's barrier.
    void pass_barrier();

    unsigned thread(unsigned lane) const { return first_thread_ + lane; }
    std::uint32_t waiting() const { return waiting_; }
    std::uint32_t exited() const { return exited_; }
    /// Index of the instruction that a lane is at.
    std::size_t position(unsigned lane) const { return static_cast<std::size_t>(positions_[lane]); }

private:
    void set_special(Special special, std::uint32_t value);
    void set_threads();
    /// Runs lanes that are at the same instruction until they part, stop or reach `limit`, where others are.
    void execute(int position, std::uint32_t active, int limit);
    bool stop_lanes(const Instruction &in, int position, std::uint32_t lanes, std::uint32_t active);
    void move_lanes(std::uint32_t lanes, int position);
    void begin_call(const Call &call, std::uint32_t lanes);
    std::size_t index_of(const Instruction &in) const {
        return static_cast<std::size_t>(&in - block_.code());
    }
    [[noreturn]] void fail(Status status, const std::string &what, const Instruction &in,
                           unsigned lane) const;

    // warp_memory.cpp
    void load(const Instruction &in, std::uint32_t active);
    void store(const Instruction &in, std::uint32_t active);
    void update(const Instruction &in, std::uint32_t active);
    template<typename T>
    void load_as(const Instruction &in, std::uint32_t active);
    template<typename T>
    void load_parameter(const Instruction &in, std::uint32_t active);
    template<typename T>
    void store_as(const Instruction &in, std::uint32_t active);
    template<typename T>
    void update_as(const Instruction &in, std::uint32_t active);
    void locate(LaneAccesses &accesses, std::uint32_t active);
    void locate_generic(LaneAccesses &accesses, std::uint32_t active);
    void locate_in(LaneAccesses &accesses, Space space, std::uint32_t active);
    void locate_global(LaneAccesses &accesses, std::uint32_t active);
    void check_inside(const LaneAccesses &accesses, Space space, std::uint32_t active,
                      std::uint64_t size) const;
    void check_bytes(LaneAccesses &accesses, Space space, std::uint32_t active, Region &region);
    void check_races(const LaneAccesses &accesses, Space space, std::uint32_t active, Region &region) const;
    Allocation &find_allocation(const LaneAccesses &accesses, unsigned lane) const;
    [[noreturn]] void reject(const LaneAccesses &accesses, Space space, unsigned lane, Status status,
                             const std::string &why) const;

    // warp_collective.cpp
    void join(const Instruction &in, std::uint32_t arriving);
    void retry_joins();
    bool try_join(int position);
    std::uint32_t members(const Instruction &in, std::uint32_t arrived) const;
    void shuffle(const Instruction &in, std::uint32_t active);
    void vote(const Instruction &in, std::uint32_t active);

    BlockState &block_;
    std::vector<std::byte> storage_;
    Registers registers_;
    unsigned first_thread_;
    std::uint32_t existing_; ///< lanes that are threads
    std::uint32_t running_ = 0;
    std::uint32_t waiting_ = 0; ///< at a barrier of the block
    std::uint32_t joining_ = 0; ///< at a shuffle, vote or warp barrier, for other lanes
    std::uint32_t exited_ = 0;
    std::array<int, kLanes> positions_{};
    std::uint32_t warp_sync_ = 0; ///< stamp of the last barrier of the warp or the block
};

/// Calls `each(lane)` for the lanes of a mask, from the lowest.
template<typename Each>
void for_lanes_in_order(std::uint32_t lanes, const Each &each) {
    for (; lanes != 0; lanes &= lanes - 1)
        each(static_cast<unsigned>(__builtin_ctz(lanes)));
}

} // namespace convsmith::ptx
