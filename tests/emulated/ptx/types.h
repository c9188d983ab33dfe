// Names of PTX that the whole emulator speaks in: types, state spaces, rounding. Before it: nothing; after
// it: registers.h (values in a warp) and instruction.h (decoded instructions).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace convsmith::ptx {

/// A fundamental type of PTX, `B` where the bits have no interpretation.
enum class Type : std::uint8_t {
    None,
    Pred,
    B8,
    U8,
    S8,
    B16,
    U16,
    S16,
    F16,
    B32,
    U32,
    S32,
    F32,
    F16x2,
    B64,
    U64,
    S64,
    F64
};

struct TypeInfo {
    std::string_view name; ///< as a modifier of an opcode
    unsigned bytes;
    bool is_signed; ///< extends with its sign when it is widened
    bool is_float;
};

/// Indexed by Type.
constexpr std::array<TypeInfo, 18> kTypes = {{
    {"", 0, false, false},
    {"pred", 0, false, false},
    {"b8", 1, false, false},
    {"u8", 1, false, false},
    {"s8", 1, true, false},
    {"b16", 2, false, false},
    {"u16", 2, false, false},
    {"s16", 2, true, false},
    {"f16", 2, false, true},
    {"b32", 4, false, false},
    {"u32", 4, false, false},
    {"s32", 4, true, false},
    {"f32", 4, false, true},
    {"f16x2", 4, false, true},
    {"b64", 8, false, false},
    {"u64", 8, false, false},
    {"s64", 8, true, false},
    {"f64", 8, false, true},
}};

constexpr const TypeInfo &info(Type type) {
    return kTypes[static_cast<std::size_t>(type)];
}

/// The type of this name (without its dot); Type::None if it is no type.
constexpr Type parse_type(std::string_view name) {
    for (std::size_t i = 1; i < kTypes.size(); i++) {
        if (kTypes[i].name == name)
            return static_cast<Type>(i);
    }
    return Type::None;
}

enum class Space : std::uint8_t { Generic, Global, Shared, Local, Param, Const };

enum class Rounding : std::uint8_t { Nearest, Zero, Down, Up };

/// Where shared and local memory lie among generic addresses. An address in either state space is an offset
/// from its window; global addresses are the same in both views and lie above (memory.h).
constexpr std::uint64_t kSharedWindow = 0x1'0000'0000;
constexpr std::uint64_t kLocalWindow = 0x2'0000'0000;
constexpr std::uint64_t kWindowBytes = 0x1'0000'0000;

} // namespace convsmith::ptx
