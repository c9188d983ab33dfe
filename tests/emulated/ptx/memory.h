// Device memory: bytes with what is known of each (written or not, who touched it), and the address space of
// global memory, in which allocations lie far apart so that an overrun hits nothing. Before it:
// race_shadow.h; after it: the machine, which checks accesses against it, and the driver, which allocates and
// copies.
#pragma once

#include "tests/emulated/ptx/fault.h"
#include "tests/emulated/ptx/race_shadow.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace convsmith::ptx {

/// A run of bytes whose accesses are checked. Uninitialised bytes hold 0xcd, so that a result made of them
/// looks wrong.
class Region {
public:
    Region() = default;
    explicit Region(std::uint64_t size);

    std::uint64_t size() const { return size_; }
    std::byte *data() { return bytes_.get(); }

    /// Whether [offset, offset + bytes) was written; `bytes` is a power of two of at most 32.
    bool is_initialised(std::uint64_t offset, unsigned bytes) const;
    void set_initialised(std::uint64_t offset, std::uint64_t bytes) {
        std::memset(&written_[offset], 1, bytes);
    }
    /// Nothing is written any more.
    void forget_writes() { written_.assign(written_.size(), 0); }
    void forget_writes(std::uint64_t offset, std::uint64_t bytes) {
        std::memset(&written_[offset], 0, bytes);
    }
    /// Copies `bytes` from another region, with what is known of them.
    void copy(std::uint64_t offset, const Region &source, std::uint64_t source_offset, std::uint64_t bytes);

    RaceShadow shadow;

private:
    std::uint64_t size_ = 0;
    std::unique_ptr<std::byte[]> bytes_;
    std::vector<std::uint8_t> written_; ///< by byte: 1 once it is written
};

/// One run of addresses of global memory.
struct Allocation {
    std::uint64_t base;
    Region region;
    const void *owner;        ///< context or module that goes with it
    bool is_constant = false; ///< kernels may not write

    /// Whether [address, address + bytes) lies inside.
    bool contains(std::uint64_t address, std::uint64_t bytes) const {
        return address - base < region.size() && bytes <= region.size() - (address - base);
    }
};

class Memory {
public:
    static constexpr std::uint64_t kBytes = std::uint64_t{8} << 30; ///< what the device claims to have

    /// Starts at a multiple of 256 bytes, as CUDA's do. Throws OutOfMemory.
    Allocation &allocate(std::uint64_t bytes, const void *owner);
    /// Throws InvalidValue unless an allocation starts at `address`.
    void free(std::uint64_t address);
    void free_all_of(const void *owner);

    /// The allocation with this address; nullptr if there is none.
    Allocation *find(std::uint64_t address);
    /// The allocation of a copy's bytes. Throws InvalidValue, naming `what`, unless one holds them all.
    Allocation &find_range(std::uint64_t address, std::uint64_t bytes, const std::string &what);
    /// "4 bytes past the end of the 1024 bytes at 0x...", for messages on an access outside of allocations.
    std::string describe(std::uint64_t address) const;

    std::uint64_t free_bytes() const { return kBytes - used_; }
    /// Forgets all accesses: before stamps start anew.
    void clear_shadows();

private:
    struct Freed {
        std::uint64_t base;
        std::uint64_t size;
    };

    std::map<std::uint64_t, Allocation> allocations_; ///< by base
    std::deque<Freed> freed_;                         ///< the latest, for messages
    std::uint64_t next_base_ = std::uint64_t{0x70} << 32;
    std::uint64_t used_ = 0;
};

inline bool Region::is_initialised(std::uint64_t offset, unsigned bytes) const {
    constexpr std::uint64_t ones = 0x0101'0101'0101'0101;
    std::uint64_t written = ones;
    const std::uint8_t *first = &written_[offset];
    switch (bytes) {
    case 1:
        return *first != 0;
    case 2:
        std::memcpy(&written, first, 2);
        return written == ones;
    case 4:
        std::memcpy(&written, first, 4);
        return written == ones;
    default:
        for (unsigned i = 0; i < bytes; i += 8) {
            std::memcpy(&written, first + i, 8);
            if (written != ones)
                return false;
        }
        return true;
    }
}

} // namespace convsmith::ptx
