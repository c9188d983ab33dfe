// Arithmetic on integers wider than a register, in parts: add.cc, addc, mad.lo.cc, madc.hi.cc and the like
// (instruction.h). The carry between them is a predicate that no name of PTX's reaches.
#include "tests/emulated/ptx/lanes.h"

namespace convsmith::ptx {

namespace {

__extension__ using Unsigned128 = unsigned __int128;

/// Twice as wide as T, for a result with its carry.
template<typename T>
using Twice = std::conditional_t<sizeof(T) == 8, Unsigned128, std::uint64_t>;

template<typename T>
constexpr unsigned kBits = sizeof(T) * 8;

struct Add {
    template<typename T>
    static Twice<T> apply(T a, T b, T, bool carry) {
        return Twice<T>{a} + b + carry;
    }
};

struct Subtract {
    template<typename T>
    static Twice<T> apply(T a, T b, T, bool borrow) {
        return Twice<T>{a} - b - borrow;
    }
};

struct MultiplyAddLow {
    template<typename T>
    static Twice<T> apply(T a, T b, T c, bool carry) {
        return Twice<T>{static_cast<T>(a * b)} + c + carry;
    }
};

struct MultiplyAddHigh {
    template<typename T>
    static Twice<T> apply(T a, T b, T c, bool carry) {
        const Twice<T> product = Twice<T>{a} * b;
        return (product >> kBits<T>)+c + carry;
    }
};

template<typename Op, typename T>
void run(Registers registers, const Instruction &in, std::uint32_t active) {
    const std::uint32_t carry = in.src[3].is_present() ? get_mask(registers, in.src[3]) : 0;
    const Operand third = in.src[2].is_present() ? in.src[2] : in.src[0]; // only multiplications have one
    std::uint32_t carry_out = 0;
    for_lanes(active, [&](unsigned lane) {
        const auto source = [&](Operand operand) { return get<T>(registers + operand.row, lane); };
        const Twice<T> result =
            Op::apply(source(in.src[0]), source(in.src[1]), source(third), (carry >> lane & 1) != 0);
        put(registers + in.dst[0].row, lane, static_cast<T>(result));
        carry_out |= static_cast<std::uint32_t>(result >> kBits<T> & 1) << lane;
    });
    if (in.dst[1].is_present())
        put_mask(registers, in.dst[1], active, carry_out);
}

} // namespace

Handler find_carry_arithmetic(std::string_view name, Type type) {
    const bool is_32 = info(type).bytes == 4, is_signed = info(type).is_signed;
    if (info(type).is_float || info(type).bytes < 4)
        return nullptr;
    if (name == "add")
        return is_32 ? run<Add, std::uint32_t> : run<Add, std::uint64_t>;
    if (name == "sub")
        return is_32 ? run<Subtract, std::uint32_t> : run<Subtract, std::uint64_t>;
    if (name == "mad.lo")
        return is_32 ? run<MultiplyAddLow, std::uint32_t> : run<MultiplyAddLow, std::uint64_t>;
    if (name == "mad.hi" && !is_signed)
        return is_32 ? run<MultiplyAddHigh, std::uint32_t> : run<MultiplyAddHigh, std::uint64_t>;
    return nullptr;
}

} // namespace convsmith::ptx
