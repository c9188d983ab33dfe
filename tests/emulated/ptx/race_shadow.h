// Who touched each piece of memory last, and whether an access races with that: two accesses race if
// different threads make them, at least one writes, not both are atomic, and no barrier lies between them.
// Blocks of a launch are never ordered. Before it: nothing; after it: memory.h, which pairs a shadow with
// bytes.
#pragma once

#include <cstdint>
#include <vector>

namespace convsmith::ptx {

/// One access, packed: stamp (32 bits), thread of its block (10), instruction (19), flags (3). Stamps count
/// barriers and blocks from the start of the process, so that records need no clearing between launches.
class AccessRecord {
public:
    /// Instructions further on are recorded as the last of these.
    static constexpr std::uint32_t kInstructions = 1U << 19;

    AccessRecord() = default;
    /// `is_by_several`: threads of the warp that all read the same bytes in this instruction, of which
    /// `thread` is one.
    AccessRecord(std::uint32_t stamp, unsigned thread, std::uint32_t instruction, bool is_atomic,
                 bool is_by_several)
        : bits_(std::uint64_t{stamp} << 32 | std::uint64_t{thread} << 22 |
                std::uint64_t{instruction < kInstructions ? instruction : kInstructions - 1} << 3 |
                (is_atomic ? kAtomic : 0) | (is_by_several ? kSeveral : 0)) {}

    /// False for memory that nothing touched.
    explicit operator bool() const { return bits_ != 0; }
    std::uint32_t stamp() const { return static_cast<std::uint32_t>(bits_ >> 32); }
    unsigned thread() const { return static_cast<unsigned>(bits_ >> 22) & 0x3ff; }
    std::uint32_t instruction() const { return static_cast<std::uint32_t>(bits_ >> 3) & (kInstructions - 1); }
    bool is_atomic() const { return (bits_ & kAtomic) != 0; }
    /// It stands for accesses of other threads of its block too.
    bool is_by_several() const { return (bits_ & (kSeveral | kSeveralWarps)) != 0; }

private:
    friend class RaceShadow;
    static constexpr std::uint64_t kAtomic = 1;
    /// The record stands for other threads of the warp too, since the block's last barrier...
    static constexpr std::uint64_t kSeveral = 2;
    /// ... and for threads of other warps.
    static constexpr std::uint64_t kSeveralWarps = 4;

    bool has(std::uint64_t flag) const { return (bits_ & flag) != 0; }

    std::uint64_t bits_ = 0;
};

/// An access about to be made, and the stamps before which others are ordered before it.
struct Access {
    AccessRecord record;
    std::uint32_t horizon;     ///< start of the launch, in shared memory of the block: all before is ordered
    std::uint32_t block_start; ///< accesses between horizon and here are other blocks': never ordered
    std::uint32_t barrier;     ///< the block's last barrier
    std::uint32_t warp_sync;   ///< the last barrier of the whole warp, which orders the warp's own accesses
};

enum class AccessKind : std::uint8_t {
    Read,
    ReadConstant, ///< through the cache that does not see the launch's own writes (ld.global.nc)
    Write,
    Update ///< an atomic's read and write
};

class RaceShadow {
public:
    /// Makes ready for accesses of this many bytes, a power of two, to a region of `size` bytes.
    void prepare(std::uint64_t size, unsigned bytes) {
        if (cells_.empty())
            cells_.resize((size + 3) / 4 << (kCoarsest - granule_bits_));
        if (bytes < 1U << granule_bits_)
            refine(bytes == 1 ? 0 : 1);
    }

    /// Records an access to bytes [offset, offset + bytes); `offset` is a multiple of `bytes`. Returns an
    /// earlier access that it races with, or an empty record.
    AccessRecord access(std::uint64_t offset, unsigned bytes, AccessKind kind, const Access &access) {
        Cell *cell = &cells_[offset >> granule_bits_];
        for (Cell *const end = cell + (bytes >> granule_bits_); cell < end; cell++) {
            if (const AccessRecord other = touch(*cell, kind, access))
                return other;
        }
        return {};
    }

    /// Forgets all accesses.
    void clear() { cells_.clear(); }

private:
    struct Cell {
        AccessRecord write;
        AccessRecord read;
    };

    static constexpr unsigned kCoarsest = 2; ///< granules are of 4 bytes, or less

    static bool is_race(AccessRecord earlier, const Access &access);
    static AccessRecord merge(AccessRecord earlier, const Access &access);
    static bool is_absorbed(AccessRecord earlier, const Access &access);
    static AccessRecord touch(Cell &cell, AccessKind kind, const Access &access);
    void refine(unsigned granule_bits);

    std::vector<Cell> cells_;           ///< one per granule; empty until the first access
    unsigned granule_bits_ = kCoarsest; ///< log2 of a granule's bytes: those of the smallest access so far
};

/// Whether a read changes nothing: what would race with it races with what is recorded.
inline bool RaceShadow::is_absorbed(AccessRecord earlier, const Access &access) {
    if (earlier.is_atomic() || earlier.stamp() < access.horizon)
        return false;
    return earlier.stamp() < access.block_start ||
           (earlier.stamp() >= access.barrier && earlier.has(AccessRecord::kSeveralWarps));
}

inline AccessRecord RaceShadow::touch(Cell &cell, AccessKind kind, const Access &access) {
    if (cell.write.stamp() >= access.horizon &&
        (kind == AccessKind::ReadConstant || is_race(cell.write, access)))
        return cell.write;
    if (kind == AccessKind::Read || kind == AccessKind::ReadConstant) {
        if (!is_absorbed(cell.read, access))
            cell.read = merge(cell.read, access);
        return {};
    }
    if (cell.read.stamp() >= access.horizon && is_race(cell.read, access))
        return cell.read;
    cell.write = kind == AccessKind::Update ? merge(cell.write, access) : access.record;
    return {};
}

/// Of an access since the horizon.
inline bool RaceShadow::is_race(AccessRecord earlier, const Access &access) {
    if (earlier.is_atomic() && access.record.is_atomic())
        return false;
    if (earlier.stamp() < access.block_start)
        return true;
    if (earlier.stamp() < access.barrier)
        return false;
    if (earlier.has(AccessRecord::kSeveralWarps))
        return true;
    const bool is_same_warp = earlier.thread() / 32 == access.record.thread() / 32;
    if (is_same_warp && earlier.stamp() < access.warp_sync)
        return false;
    return earlier.has(AccessRecord::kSeveral) || access.record.has(AccessRecord::kSeveral) ||
           earlier.thread() != access.record.thread();
}

/// What is remembered of an access and an earlier one that does not race with it: one record, with flags for
/// those that it stands for, so that whatever races with any of them races with it.
inline AccessRecord RaceShadow::merge(AccessRecord earlier, const Access &access) {
    AccessRecord merged = access.record;
    if (earlier.stamp() < access.horizon)
        return merged;
    if (earlier.stamp() < access.block_start) {
        // Another block's access is ordered with nothing more in this launch.
        if (!merged.is_atomic())
            earlier.bits_ &= ~AccessRecord::kAtomic;
        return earlier;
    }
    if (earlier.stamp() < access.barrier)
        return merged;
    const bool is_same_warp = earlier.thread() / 32 == merged.thread() / 32;
    if (is_same_warp && earlier.stamp() < access.warp_sync && !earlier.has(AccessRecord::kSeveralWarps))
        return merged;
    merged.bits_ |= earlier.bits_ & (AccessRecord::kSeveral | AccessRecord::kSeveralWarps);
    if (earlier.thread() != merged.thread())
        merged.bits_ |= is_same_warp ? AccessRecord::kSeveral : AccessRecord::kSeveralWarps;
    if (!earlier.is_atomic())
        merged.bits_ &= ~AccessRecord::kAtomic;
    return merged;
}

} // namespace convsmith::ptx
