// How the lanes of a warp go through a kernel's code (warp.h).
#include "tests/emulated/ptx/warp.h"

#include <algorithm>
#include <limits>

namespace convsmith::ptx {

namespace {

/// What registers hold before they are written.
constexpr std::byte kUndefined{0xcd};

} // namespace

Warp::Warp(BlockState &block, unsigned first_thread, unsigned threads)
    : block_(block), storage_(block.kernel.register_bytes, kUndefined), registers_(storage_.data()),
      first_thread_(first_thread), existing_(threads == kLanes ? kAllLanes : (1U << threads) - 1) {
    for (const Kernel::Constant &constant : block_.kernel.constants) {
        std::byte *const row = registers_ + constant.row.row;
        if (constant.row.slot == 0)
            put_mask(registers_, constant.row, kAllLanes, static_cast<std::uint32_t>(constant.bits));
        else
            for_lanes(kAllLanes, [&](unsigned lane) { put(row, lane, constant.bits, constant.row.slot); });
    }
    set_threads();
    const Extent &threads_of_block = block_.launch.block, &blocks = block_.launch.grid;
    set_special(Special::BlockThreadsX, threads_of_block.x);
    set_special(Special::BlockThreadsY, threads_of_block.y);
    set_special(Special::BlockThreadsZ, threads_of_block.z);
    set_special(Special::GridBlocksX, blocks.x);
    set_special(Special::GridBlocksY, blocks.y);
    set_special(Special::GridBlocksZ, blocks.z);
    set_special(Special::Warp, first_thread_ / kLanes);
    set_special(Special::BlockWarps,
                static_cast<std::uint32_t>((threads_of_block.count() + kLanes - 1) / kLanes));
}

void Warp::set_special(Special special, std::uint32_t value) {
    const Operand row = block_.kernel.specials[static_cast<std::size_t>(special)];
    if (!row.is_present())
        return;
    for_lanes(kAllLanes, [&](unsigned lane) { put(registers_ + row.row, lane, value); });
}

void Warp::set_threads() {
    const auto set_lane = [&](Special special, unsigned lane, std::uint32_t value) {
        const Operand row = block_.kernel.specials[static_cast<std::size_t>(special)];
        if (row.is_present())
            put(registers_ + row.row, lane, value);
    };
    for_lanes_in_order(existing_, [&](unsigned lane) {
        const Extent index = block_.launch.block.point(thread(lane));
        set_lane(Special::ThreadX, lane, index.x);
        set_lane(Special::ThreadY, lane, index.y);
        set_lane(Special::ThreadZ, lane, index.z);
        set_lane(Special::Lane, lane, lane);
    });
}

void Warp::start() {
    set_special(Special::BlockX, block_.index.x);
    set_special(Special::BlockY, block_.index.y);
    set_special(Special::BlockZ, block_.index.z);
    running_ = existing_;
    waiting_ = joining_ = exited_ = 0;
    positions_.fill(0);
    warp_sync_ = block_.block_start;
}

void Warp::run() {
    while (running_ != 0) {
        int first = std::numeric_limits<int>::max();
        for_lanes_in_order(running_, [&](unsigned lane) { first = std::min(first, positions_[lane]); });
        std::uint32_t active = 0;
        int next = std::numeric_limits<int>::max();
        for_lanes_in_order(running_, [&](unsigned lane) {
            if (positions_[lane] == first)
                active |= 1U << lane;
            else
                next = std::min(next, positions_[lane]);
        });
        execute(first, active, next);
        if (running_ == 0 && joining_ != 0)
            retry_joins();
    }
}

void Warp::execute(int position, std::uint32_t active, int limit) {
    const unsigned active_count = count_lanes(active);
    while (position < limit) {
        const Instruction &in = block_.code()[position];
        std::uint32_t lanes = active;
        unsigned lane_count = active_count;
        if (in.guard.is_present()) {
            const std::uint32_t guard = get_mask(registers_, in.guard);
            lanes &= in.is_guard_negated ? ~guard : guard;
            if (lanes == 0) {
                position++;
                continue;
            }
            lane_count = count_lanes(lanes);
        }
        block_.counts.thread_instructions += lane_count;
        switch (in.kind) {
        case Kind::Arithmetic:
            in.handler(registers_, in, lanes);
            block_.counts.fma_instructions += in.counts_as_fma ? lane_count : 0;
            break;
        case Kind::Load:
            load(in, lanes);
            break;
        case Kind::Store:
            store(in, lanes);
            break;
        case Kind::Atomic:
            update(in, lanes);
            break;
        case Kind::Branch:
            if (block_.counts.thread_instructions > block_.instruction_limit)
                fail(Status::LaunchTimeout, "the launch does not end", in, __builtin_ctz(lanes));
            if (lanes == active) {
                position = in.target;
                continue;
            }
            move_lanes(lanes, in.target);
            move_lanes(active & ~lanes, position + 1);
            return;
        case Kind::Call:
            begin_call(block_.kernel.calls[static_cast<std::size_t>(in.target)], lanes);
            break;
        case Kind::ActiveMask:
            for_lanes(lanes, [&](unsigned lane) { put(registers_ + in.dst[0].row, lane, lanes); });
            break;
        case Kind::Nothing:
            break;
        default:
            if (!stop_lanes(in, position, lanes, active))
                return;
            break;
        }
        position++;
    }
    move_lanes(active, position);
}

/// Runs an instruction at which lanes end or wait. Returns whether the active lanes go on together.
bool Warp::stop_lanes(const Instruction &in, int position, std::uint32_t lanes, std::uint32_t active) {
    const auto first = static_cast<unsigned>(__builtin_ctz(lanes));
    const std::uint32_t running = running_;
    move_lanes(active & ~lanes, position + 1);
    move_lanes(lanes, position);
    switch (in.kind) {
    case Kind::Trap:
        fail(Status::LaunchFailed, "the kernel traps", in, first);
    case Kind::Exit:
        running_ &= ~lanes;
        exited_ |= lanes;
        break;
    case Kind::Barrier:
        running_ &= ~lanes;
        waiting_ |= lanes;
        break;
    case Kind::WarpBarrier:
    case Kind::Shuffle:
    case Kind::Vote:
        join(in, lanes);
        break;
    default:
        fail(Status::IllegalInstruction, in.refusal, in, first);
    }
    return running_ == running;
}

void Warp::move_lanes(std::uint32_t lanes, int position) {
    for_lanes_in_order(lanes, [&](unsigned lane) { positions_[lane] = position; });
}

/// What an earlier run of the same call left is not this one's.
void Warp::begin_call(const Call &call, std::uint32_t lanes) {
    const std::uint64_t thread_bytes = block_.kernel.local_bytes;
    for (const LocalRange &range : call.fresh)
        for_lanes_in_order(lanes, [&](unsigned lane) {
            block_.local.forget_writes(thread(lane) * thread_bytes + range.offset, range.bytes);
        });
}

void Warp::pass_barrier() {
    for_lanes_in_order(waiting_, [&](unsigned lane) { positions_[lane]++; });
    running_ = waiting_;
    waiting_ = 0;
    warp_sync_ = block_.barrier;
}

void Warp::fail(Status status, const std::string &what, const Instruction &in, unsigned lane) const {
    block_.fail(status, what, index_of(in), thread(lane));
}

} // namespace convsmith::ptx
