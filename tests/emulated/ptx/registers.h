// Values in the registers of a warp. A register is a row of slots, one per lane: 4 bytes each for types up to
// 32 bits, 8 bytes for wider ones; a predicate is one mask of 32 bits. An instruction runs over the lanes of
// a row at once. Before it: types.h; after it: instruction.h and the tables of what instructions compute.
#pragma once

#include "tests/emulated/ptx/types.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace convsmith::ptx {

constexpr unsigned kLanes = 32;
constexpr std::uint32_t kAllLanes = 0xffff'ffff;

/// Bits of a 16-bit floating-point number.
struct Half {
    std::uint16_t bits;
};

/// Two of them, the first in the lower bits.
struct HalfPair {
    std::uint32_t bits;
};

/// The registers of one warp.
using Registers = std::byte *;

/// Bytes per lane of a register that holds a T.
template<typename T>
constexpr unsigned kSlot = sizeof(T) <= 4 ? 4 : 8;

/// Bytes per lane of a register of `type`; 0 for predicates.
constexpr unsigned slot_of(Type type) {
    return type == Type::Pred ? 0 : info(type).bytes <= 4 ? 4 : 8;
}

/// A register as an instruction names it.
struct Operand {
    static constexpr std::uint32_t kAbsent = 0xffff'ffff;

    std::uint32_t row = kAbsent; ///< bytes from the start of the warp's registers
    std::uint8_t slot = 0;       ///< bytes per lane; 0: a predicate

    bool is_present() const { return row != kAbsent; }
};

inline std::uint32_t get_mask(const std::byte *registers, Operand predicate) {
    std::uint32_t mask;
    std::memcpy(&mask, registers + predicate.row, sizeof mask);
    return mask;
}

/// Sets the predicate of the active lanes to their bit of `mask`.
inline void put_mask(Registers registers, Operand predicate, std::uint32_t active, std::uint32_t mask) {
    mask = (mask & active) | (get_mask(registers, predicate) & ~active);
    std::memcpy(registers + predicate.row, &mask, sizeof mask);
}

/// The value of a lane; `row` is the register's first byte.
template<typename T>
T get(const std::byte *row, unsigned lane, unsigned slot = kSlot<T>) {
    T value;
    std::memcpy(&value, row + lane * slot, sizeof value);
    return value;
}

/// Integers narrower than the slot fill it by their sign or with zeros: a register may be wider than the type
/// that is loaded or converted into it.
template<typename T>
void put(std::byte *row, unsigned lane, T value, unsigned slot = kSlot<T>) {
    if constexpr (std::is_integral_v<T>) {
        if (slot == 8) {
            const auto wide = static_cast<std::uint64_t>(value);
            std::memcpy(row + lane * slot, &wide, sizeof wide);
        } else {
            const auto wide = static_cast<std::uint32_t>(value);
            std::memcpy(row + lane * slot, &wide, sizeof wide);
        }
    } else {
        std::memcpy(row + lane * slot, &value, sizeof value);
    }
}

inline unsigned count_lanes(std::uint32_t lanes) {
    return lanes == kAllLanes ? kLanes : static_cast<unsigned>(__builtin_popcount(lanes));
}

/// Calls `each(lane)` for the lanes of a mask. Lanes are independent of each other.
template<typename Each>
inline void for_lanes(std::uint32_t active, const Each &each) {
    if (active == kAllLanes) {
#if defined(__clang__)
#pragma clang loop vectorize(assume_safety)
#elif defined(__GNUC__)
#pragma GCC ivdep
#endif
        for (unsigned lane = 0; lane < kLanes; lane++)
            each(lane);
        return;
    }
    for (; active != 0; active &= active - 1)
        each(static_cast<unsigned>(__builtin_ctz(active)));
}

} // namespace convsmith::ptx
