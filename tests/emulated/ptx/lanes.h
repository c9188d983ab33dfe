// From a function of values to a handler that applies it to the lanes of a warp, and to a row of the table of
// arithmetic. Before it: instruction.h, half.h; after it: the files that fill the table.
#pragma once

#include "tests/emulated/ptx/half.h"
#include "tests/emulated/ptx/instruction.h"

#include <cfloat>
#include <cmath>
#include <map>
#include <type_traits>
#include <utility>

namespace convsmith::ptx {

template<typename T>
constexpr bool kIsModifiable =
    std::is_same_v<T, float> || std::is_same_v<T, Half> || std::is_same_v<T, HalfPair>;

/// .ftz: a zero of the same sign for subnormal numbers.
inline float flush(float value) {
    return std::fabs(value) < FLT_MIN ? std::copysign(0.0F, value) : value;
}
inline Half flush(Half value) {
    return (value.bits & 0x7c00) == 0 ? Half{static_cast<std::uint16_t>(value.bits & 0x8000)} : value;
}

/// .sat: clamped to [0, 1], NaN to 0.
inline float saturate(float value) {
    return value > 0.0F ? std::fmin(value, 1.0F) : 0.0F;
}
inline Half saturate(Half value) {
    return to_half(saturate(static_cast<float>(to_double(value))));
}

/// Applies `function` to both halves.
template<typename Function, typename... Pairs>
HalfPair for_halves(const Function &function, Pairs... pairs) {
    const Half low = function(Half{static_cast<std::uint16_t>(pairs.bits)}...);
    const Half high = function(Half{static_cast<std::uint16_t>(pairs.bits >> 16)}...);
    return {static_cast<std::uint32_t>(high.bits) << 16 | low.bits};
}
inline HalfPair flush(HalfPair value) {
    return for_halves([](Half half) { return flush(half); }, value);
}
inline HalfPair saturate(HalfPair value) {
    return for_halves([](Half half) { return saturate(half); }, value);
}

template<auto Function>
struct Lanes;

/// dst[0] = Function(src[0], src[1], ...) on each active lane; a bool result sets a predicate.
template<typename Result, typename... Args, Result (*Function)(Args...)>
struct Lanes<Function> {
    static constexpr bool kHasModified = (kIsModifiable<Result> || ... || kIsModifiable<Args>);

    static void plain(Registers registers, const Instruction &in, std::uint32_t active) {
        apply<false>(registers, in, active, std::index_sequence_for<Args...>());
    }
    static void modified(Registers registers, const Instruction &in, std::uint32_t active) {
        apply<true>(registers, in, active, std::index_sequence_for<Args...>());
    }

    static Arithmetic row() {
        Arithmetic row;
        row.plain = plain;
        if (kHasModified)
            row.modified = modified;
        row.sources = sizeof...(Args);
        row.dst_slot = std::is_same_v<Result, bool> ? 0 : kSlot<Result>;
        row.src_slots = {kSlot<Args>...};
        return row;
    }

private:
    template<bool Modified, typename T>
    static T input(T value, bool flushes) {
        if constexpr (Modified && kIsModifiable<T>)
            return flushes ? flush(value) : value;
        return value;
    }

    template<bool Modified>
    static Result output(Result value, bool flushes, bool saturates) {
        if constexpr (Modified && kIsModifiable<Result>) {
            value = flushes ? flush(value) : value;
            return saturates ? saturate(value) : value;
        }
        return value;
    }

    template<bool Modified, std::size_t... Index>
    static void apply(Registers registers, const Instruction &in, std::uint32_t active,
                      std::index_sequence<Index...>) {
        // Copies: the compiler could not tell that writing a lane leaves the instruction as it is.
        const std::byte *const sources[] = {registers + in.src[Index].row...};
        const bool flushes = in.flushes, saturates = in.saturates;
        const auto value = [&](unsigned lane) {
            return output<Modified>(Function(input<Modified>(get<Args>(sources[Index], lane), flushes)...),
                                    flushes, saturates);
        };
        if constexpr (std::is_same_v<Result, bool>) {
            std::uint32_t mask = 0;
            for_lanes(active,
                      [&](unsigned lane) { mask |= static_cast<std::uint32_t>(value(lane)) << lane; });
            put_mask(registers, in.dst[0], active, mask);
        } else {
            std::byte *const out = registers + in.dst[0].row;
            for_lanes(active, [&](unsigned lane) { put<Result>(out, lane, value(lane)); });
        }
    }
};

/// The table behind find_arithmetic.
class ArithmeticTable {
public:
    /// Adds the instruction `name`.`type`, which computes `Function` of its operands.
    template<auto Function>
    void add(std::string_view name, Type type) {
        rows_[{name, type}] = Lanes<Function>::row();
    }

    /// Adds `name` for types whose values are C++'s integers, computing Op::apply<T>.
    template<typename Op>
    void add_16_to_64(std::string_view name) {
        add<&Op::template apply<std::uint16_t>>(name, Type::U16);
        add<&Op::template apply<std::int16_t>>(name, Type::S16);
        add_32_to_64<Op>(name);
    }
    template<typename Op>
    void add_32_to_64(std::string_view name) {
        add<&Op::template apply<std::uint32_t>>(name, Type::U32);
        add<&Op::template apply<std::int32_t>>(name, Type::S32);
        add<&Op::template apply<std::uint64_t>>(name, Type::U64);
        add<&Op::template apply<std::int64_t>>(name, Type::S64);
    }
    template<typename Op>
    void add_bits(std::string_view name) {
        add<&Op::template apply<std::uint16_t>>(name, Type::B16);
        add<&Op::template apply<std::uint32_t>>(name, Type::B32);
        add<&Op::template apply<std::uint64_t>>(name, Type::B64);
    }
    template<typename Op>
    void add_floats(std::string_view name) {
        add<&Op::template apply<float>>(name, Type::F32);
        add<&Op::template apply<double>>(name, Type::F64);
    }
    template<typename Op>
    void add_all_floats(std::string_view name) {
        add_floats<Op>(name);
        add<&Op::template apply<Half>>(name, Type::F16);
        add<&Op::template apply<HalfPair>>(name, Type::F16x2);
    }

    const Arithmetic *find(std::string_view name, Type type) const {
        const auto found = rows_.find({name, type});
        return found == rows_.end() ? nullptr : &found->second;
    }

private:
    std::map<std::pair<std::string_view, Type>, Arithmetic> rows_;
};

void add_integer_arithmetic(ArithmeticTable &table);
void add_bit_operations(ArithmeticTable &table);
void add_float_arithmetic(ArithmeticTable &table);

} // namespace convsmith::ptx
