// Allocations of global memory (memory.h).
#include "tests/emulated/ptx/memory.h"

#include <iterator>

namespace convsmith::ptx {

namespace {

constexpr std::uint64_t kAlignment = 256;
/// Between allocations: more than an index that is wrong by a whole tensor of a test reaches.
constexpr std::uint64_t kGap = std::uint64_t{1} << 30;
constexpr std::size_t kFreedRemembered = 4096;
constexpr int kUninitialised = 0xcd;

std::string count_bytes(std::uint64_t bytes) {
    return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

} // namespace

Region::Region(std::uint64_t size) : size_(size), bytes_(new std::byte[size]), written_(size, 0) {
    if (size != 0)
        std::memset(bytes_.get(), kUninitialised, size);
}

void Region::copy(std::uint64_t offset, const Region &source, std::uint64_t source_offset,
                  std::uint64_t bytes) {
    std::memmove(bytes_.get() + offset, source.bytes_.get() + source_offset, bytes);
    std::memmove(&written_[offset], &source.written_[source_offset], bytes);
}

Allocation &Memory::allocate(std::uint64_t bytes, const void *owner) {
    if (bytes > free_bytes())
        throw Fault(Status::OutOfMemory, "allocation of " + count_bytes(bytes) + ": the device has " +
                                             count_bytes(free_bytes()) + " left");
    const std::uint64_t base = next_base_;
    // Addresses are never used again: what is left of a freed pointer points nowhere.
    next_base_ += (bytes + kGap + kAlignment - 1) / kAlignment * kAlignment;
    used_ += bytes;
    return allocations_.emplace(base, Allocation{base, Region(bytes), owner}).first->second;
}

void Memory::free(std::uint64_t address) {
    const auto found = allocations_.find(address);
    if (found == allocations_.end())
        throw Fault(Status::InvalidValue,
                    "free of " + hex(address) + ", where no allocation starts: it is " + describe(address));
    used_ -= found->second.region.size();
    freed_.push_back({address, found->second.region.size()});
    if (freed_.size() > kFreedRemembered)
        freed_.pop_front();
    allocations_.erase(found);
}

void Memory::free_all_of(const void *owner) {
    for (auto next = allocations_.begin(); next != allocations_.end();) {
        const auto current = next++;
        if (current->second.owner == owner)
            free(current->first);
    }
}

Allocation *Memory::find(std::uint64_t address) {
    const auto after = allocations_.upper_bound(address);
    if (after == allocations_.begin())
        return nullptr;
    Allocation &allocation = std::prev(after)->second;
    return allocation.contains(address, 1) ? &allocation : nullptr;
}

Allocation &Memory::find_range(std::uint64_t address, std::uint64_t bytes, const std::string &what) {
    Allocation *allocation = find(address);
    if (!allocation)
        throw Fault(Status::InvalidValue, what + " of " + count_bytes(bytes) + " at " + hex(address) +
                                              ", which is " + describe(address));
    if (!allocation->contains(address, bytes))
        throw Fault(Status::InvalidValue, what + " of " + count_bytes(bytes) + " at " + hex(address) +
                                              " runs over the end of the " +
                                              count_bytes(allocation->region.size()) + " at " +
                                              hex(allocation->base));
    return *allocation;
}

std::string Memory::describe(std::uint64_t address) const {
    for (const Freed &freed : freed_) {
        if (address - freed.base < freed.size)
            return "in freed memory (" + count_bytes(freed.size) + " at " + hex(freed.base) + ")";
    }
    const auto after = allocations_.upper_bound(address);
    if (after != allocations_.begin()) {
        const Allocation &before = std::prev(after)->second;
        const std::uint64_t offset = address - before.base;
        const std::string whole = count_bytes(before.region.size()) + " at " + hex(before.base);
        if (offset < before.region.size())
            return count_bytes(offset) + " into the " + whole;
        if (offset - before.region.size() < kGap / 2 || after == allocations_.end())
            return count_bytes(offset - before.region.size()) + " past the end of the " + whole;
    }
    if (after == allocations_.end())
        return "in no allocation";
    return count_bytes(after->first - address) + " before the " + count_bytes(after->second.region.size()) +
           " at " + hex(after->first);
}

void Memory::clear_shadows() {
    for (auto &[base, allocation] : allocations_)
        allocation.region.shadow.clear();
}

} // namespace convsmith::ptx
