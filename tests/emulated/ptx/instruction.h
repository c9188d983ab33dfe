// A decoded instruction, ready to run on a warp, and the tables that say what arithmetic ones compute. Before
// it: registers.h; after it: decode.cpp, which makes them from text, and warp.cpp, which runs them.
#pragma once

#include "tests/emulated/ptx/registers.h"

#include <array>
#include <string>
#include <string_view>

namespace convsmith::ptx {

struct Instruction;

/// Runs an arithmetic instruction on the active lanes.
using Handler = void (*)(Registers registers, const Instruction &in, std::uint32_t active);

/// The lanes, among the active ones, for which a comparison of src[0] and src[1] holds.
using Comparison = std::uint32_t (*)(const std::byte *registers, const Instruction &in, std::uint32_t active);

/// What the warp does with an instruction. All but Arithmetic concern more than the lane's own registers.
enum class Kind : std::uint8_t {
    Arithmetic,
    Branch,
    Call, ///< of a function, whose copy follows; its `ret` is a branch behind the copy
    Exit,
    Barrier,
    WarpBarrier,
    Load,
    Store,
    Atomic,
    Shuffle,
    Vote,
    ActiveMask,
    Nothing,    ///< fences: memory here is never stale
    Trap,       ///< the kernel's own
    Unsupported ///< unknown to the emulator; fails when it is reached, so that code never run does no harm
};

enum class AtomicOp : std::uint8_t {
    Add,
    Min,
    Max,
    And,
    Or,
    Xor,
    Exchange,
    CompareAndSwap,
    Increment,
    Decrement
};
enum class ShuffleMode : std::uint8_t { Up, Down, Butterfly, Index };
enum class VoteMode : std::uint8_t { All, Any, Uniform, Ballot };
enum class Combination : std::uint8_t { None, And, Or, Xor };

struct Instruction {
    Kind kind = Kind::Arithmetic;
    Type type = Type::None;
    Space space = Space::Generic;
    Rounding rounding = Rounding::Nearest;
    std::uint8_t elements = 1; ///< of the vector that is loaded, stored, packed or unpacked

    AtomicOp atomic = AtomicOp::Add;
    ShuffleMode shuffle = ShuffleMode::Index;
    VoteMode vote = VoteMode::All;
    Combination combination = Combination::None; ///< of a comparison's result with src[2]

    bool is_guard_negated = false;
    bool is_source_negated = false; ///< the predicate that is combined with a comparison, or voted on
    bool flushes = false;           ///< .ftz: subnormal inputs and outputs become zeros of their sign
    bool saturates = false; ///< .sat: floating-point results are clamped to [0, 1], integers to their type
    bool rounds_to_integer = false; ///< cvt.rni and the like between floating-point types
    bool is_strong = false;         ///< .volatile, .relaxed: ordered with atomics
    bool is_constant = false;       ///< .nc: nothing may write in this launch
    bool counts_as_fma = false;

    Operand guard;
    std::array<Operand, 4> dst;
    std::array<Operand, 4> src;
    Operand base;            ///< address of a load, store or atomic
    std::int64_t offset = 0; ///< added to it
    int target = 0;          ///< of a branch: index in the kernel's code; of a call: in its calls

    Handler handler = nullptr;
    Comparison comparison = nullptr;
    const char *refusal = nullptr; ///< of Unsupported: what the fault says
};

/// How an arithmetic instruction works and which registers it takes.
struct Arithmetic {
    Handler plain = nullptr;
    Handler modified = nullptr; ///< obeys .ftz and .sat; nullptr: neither is allowed
    unsigned sources = 0;
    std::uint8_t dst_slot = 0;
    std::array<std::uint8_t, 4> src_slots{};
};

/// `name` is the opcode with the modifiers that choose what is computed, such as "mul.wide", "min.NaN" or
/// "testp.finite". nullptr if there is no such instruction.
const Arithmetic *find_arithmetic(std::string_view name, Type type);

/// "add", "sub", "mad.lo" or "mad.hi" of dst[0] = src[0], src[1], src[2] with a carry into it, the predicate
/// src[3], and one out of it, the predicate dst[1], either absent. nullptr if there is none for the type.
Handler find_carry_arithmetic(std::string_view name, Type type);

/// `name` is CUDA's: "lt", "geu", "nan"... nullptr if the type has no such comparison.
Comparison find_comparison(std::string_view name, Type type);

/// "and", "or", "xor" and "not" of predicates; nullptr for others.
Handler find_predicate_logic(std::string_view opcode);

/// cvt: src[0] of type `from` to dst[0] of type `to`, by rounding, .ftz and .sat. nullptr if there is no such
/// conversion.
Handler find_conversion(Type to, Type from);

/// Copies between rows of this slot: 0, 4 or 8.
Handler move_handler(unsigned slot);
/// dst[0] = src[2] ? src[0] : src[1].
Handler select_handler(unsigned slot);
/// setp: dst[0] = comparison combined with src[2], dst[1] = its opposite combined with src[2], either absent.
void set_predicates(Registers registers, const Instruction &in, std::uint32_t active);
/// set: dst[0] = all ones, or 1.0 for type f32, where the comparison combined with src[2] holds; else 0.
void set_value(Registers registers, const Instruction &in, std::uint32_t active);
/// mov of {src[0], src[1], ...} into dst[0], whose type is `type`.
void pack(Registers registers, const Instruction &in, std::uint32_t active);
/// mov of src[0], whose type is `type`, into {dst[0], dst[1], ...}.
void unpack(Registers registers, const Instruction &in, std::uint32_t active);
/// cvta: dst[0] = src[0] + offset, 64 bits.
void add_offset(Registers registers, const Instruction &in, std::uint32_t active);

} // namespace convsmith::ptx
