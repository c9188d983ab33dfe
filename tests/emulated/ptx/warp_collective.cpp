// What the lanes of a warp do together (warp.h): shuffles, votes, barriers of the warp. Lanes wait for all
// members that have not exited.
#include "tests/emulated/ptx/warp.h"

#include <string>

namespace convsmith::ptx {

namespace {

/// The lane that `lane` reads, and whether it is within the bounds; if not, it is `lane` itself.
struct ShuffleSource {
    unsigned lane;
    bool is_in_bounds;
};

ShuffleSource shuffle_source(ShuffleMode mode, unsigned lane, std::uint32_t operand, std::uint32_t bounds) {
    const std::uint32_t segment = bounds >> 8 & 31;
    const int last = static_cast<int>((lane & segment) | (bounds & 31 & ~segment));
    const int step = static_cast<int>(operand & 31), self = static_cast<int>(lane);
    int source = 0;
    switch (mode) {
    case ShuffleMode::Up:
        source = self - step;
        break;
    case ShuffleMode::Down:
        source = self + step;
        break;
    case ShuffleMode::Butterfly:
        source = self ^ step;
        break;
    case ShuffleMode::Index:
        source = static_cast<int>((lane & segment) | (operand & 31 & ~segment));
        break;
    }
    // For `up`, the bounds name the first lane of the segment.
    const bool is_in_bounds = mode == ShuffleMode::Up ? source >= last : source <= last;
    return {is_in_bounds ? static_cast<unsigned>(source) : lane, is_in_bounds};
}

} // namespace

/// Lanes arrive at a collective instruction; they run on if no other member is missing, else they wait.
void Warp::join(const Instruction &in, std::uint32_t arriving) {
    running_ &= ~arriving;
    joining_ |= arriving;
    try_join(static_cast<int>(index_of(in)));
}

/// Nothing runs any more: lanes that exited may have been the last ones missing. Throws if none were.
void Warp::retry_joins() {
    for (std::uint32_t left = joining_; left != 0; left &= left - 1) {
        const auto lane = static_cast<unsigned>(__builtin_ctz(left));
        if (try_join(positions_[lane]))
            return;
    }
    const auto lane = static_cast<unsigned>(__builtin_ctz(joining_));
    fail(Status::LaunchFailed, "waits for lanes of its warp that never come here",
         block_.code()[positions_[lane]], lane);
}

/// Executes the instruction at `position` if all its members wait there.
bool Warp::try_join(int position) {
    std::uint32_t arrived = 0;
    for_lanes_in_order(joining_,
                       [&](unsigned lane) { arrived |= positions_[lane] == position ? 1U << lane : 0; });
    const Instruction &in = block_.code()[position];
    if ((members(in, arrived) & existing_ & ~exited_ & ~arrived) != 0)
        return false;
    switch (in.kind) {
    case Kind::Shuffle:
        shuffle(in, arrived);
        break;
    case Kind::Vote:
        vote(in, arrived);
        break;
    default:
        // A barrier of part of the warp orders less than all its accesses, of which no record is kept.
        if (arrived == (existing_ & ~exited_))
            warp_sync_ = ++block_.clock;
        break;
    }
    joining_ &= ~arrived;
    running_ |= arrived;
    move_lanes(arrived, position + 1);
    return true;
}

/// The member mask that the lanes give, which must name them all.
std::uint32_t Warp::members(const Instruction &in, std::uint32_t arrived) const {
    const Operand mask = in.kind == Kind::WarpBarrier ? in.src[0] : in.src[3];
    if (!mask.is_present())
        return arrived; // the form from before there were masks: whoever comes
    const auto first = static_cast<unsigned>(__builtin_ctz(arrived));
    const auto members = get<std::uint32_t>(registers_ + mask.row, first);
    for_lanes_in_order(arrived, [&](unsigned lane) {
        if (get<std::uint32_t>(registers_ + mask.row, lane) != members || (members >> lane & 1) == 0)
            fail(Status::LaunchFailed,
                 "the member mask " + hex(members) +
                     " does not name every lane that comes here, or differs among them",
                 in, lane);
    });
    return members;
}

void Warp::shuffle(const Instruction &in, std::uint32_t active) {
    std::array<std::uint32_t, kLanes> values{};
    std::uint32_t in_bounds = 0;
    for_lanes_in_order(active, [&](unsigned lane) {
        const auto operand = get<std::uint32_t>(registers_ + in.src[1].row, lane);
        const auto bounds = get<std::uint32_t>(registers_ + in.src[2].row, lane);
        const ShuffleSource source = shuffle_source(in.shuffle, lane, operand, bounds);
        if ((active >> source.lane & 1) == 0)
            fail(Status::LaunchFailed,
                 "reads lane " + std::to_string(source.lane) + " of its warp, which does not take part", in,
                 lane);
        values[lane] = get<std::uint32_t>(registers_ + in.src[0].row, source.lane);
        in_bounds |= static_cast<std::uint32_t>(source.is_in_bounds) << lane;
    });
    for_lanes_in_order(active, [&](unsigned lane) { put(registers_ + in.dst[0].row, lane, values[lane]); });
    if (in.dst[1].is_present())
        put_mask(registers_, in.dst[1], active, in_bounds);
}

void Warp::vote(const Instruction &in, std::uint32_t active) {
    const std::uint32_t predicate = get_mask(registers_, in.src[0]);
    const std::uint32_t votes = (in.is_source_negated ? ~predicate : predicate) & active;
    const bool is_all = votes == active, is_any = votes != 0;
    if (in.vote == VoteMode::Ballot) {
        for_lanes_in_order(active, [&](unsigned lane) { put(registers_ + in.dst[0].row, lane, votes); });
        return;
    }
    const bool answer = in.vote == VoteMode::All   ? is_all
                        : in.vote == VoteMode::Any ? is_any
                                                   : is_all || !is_any;
    put_mask(registers_, in.dst[0], active, answer ? kAllLanes : 0);
}

} // namespace convsmith::ptx
