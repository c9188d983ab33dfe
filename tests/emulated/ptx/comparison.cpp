// setp and set: comparisons of two sources, alone or combined with a predicate (instruction.h).
#include "tests/emulated/ptx/lanes.h"

#include <functional>

namespace convsmith::ptx {

namespace {

template<typename T>
bool equal(T a, T b) {
    return a == b;
}
template<typename T>
bool less(T a, T b) {
    return a < b;
}
template<typename T>
bool less_or_equal(T a, T b) {
    return a <= b;
}
template<typename T>
bool less_or_greater(T a, T b) {
    return a < b || b < a;
}
template<typename T>
bool unordered(T a, T b) {
    return a != a || b != b;
}

/// The value that lanes are compared by: halves as doubles.
template<typename T>
T comparable(T value) {
    return value;
}
double comparable(Half value) {
    return to_double(value);
}

/// Lanes where Holds(a, b), its operands swapped and its answer negated if the flags say so.
template<typename T, auto Holds, bool Swapped, bool Negated>
std::uint32_t compare(const std::byte *registers, const Instruction &in, std::uint32_t active) {
    const std::byte *const a_row = registers + in.src[Swapped ? 1 : 0].row;
    const std::byte *const b_row = registers + in.src[Swapped ? 0 : 1].row;
    std::uint32_t mask = 0;
    const auto check = [&](unsigned lane, T a, T b) {
        const bool holds = Holds(comparable(a), comparable(b)) != Negated;
        mask |= static_cast<std::uint32_t>(holds) << lane;
    };
    if constexpr (kIsModifiable<T>) {
        if (in.flushes) {
            for_lanes(active, [&](unsigned lane) {
                check(lane, flush(get<T>(a_row, lane)), flush(get<T>(b_row, lane)));
            });
            return mask;
        }
    }
    for_lanes(active, [&](unsigned lane) { check(lane, get<T>(a_row, lane), get<T>(b_row, lane)); });
    return mask;
}

using Table = std::map<std::pair<std::string_view, Type>, Comparison>;

template<typename T>
void add_integer(Table &table, Type type) {
    table[{"eq", type}] = compare<T, equal<T>, false, false>;
    table[{"ne", type}] = compare<T, equal<T>, false, true>;
    table[{"lt", type}] = table[{"lo", type}] = compare<T, less<T>, false, false>;
    table[{"le", type}] = table[{"ls", type}] = compare<T, less_or_equal<T>, false, false>;
    table[{"gt", type}] = table[{"hi", type}] = compare<T, less<T>, true, false>;
    table[{"ge", type}] = table[{"hs", type}] = compare<T, less_or_equal<T>, true, false>;
}

/// T: type of the registers, V: of the values compared.
template<typename T, typename V = T>
void add_float(Table &table, Type type) {
    // Ordered comparisons do not hold for NaN, unordered ones (.equ, ...) do: negated opposites of ordered
    // ones.
    table[{"eq", type}] = compare<T, equal<V>, false, false>;
    table[{"neu", type}] = compare<T, equal<V>, false, true>;
    table[{"lt", type}] = compare<T, less<V>, false, false>;
    table[{"geu", type}] = compare<T, less<V>, false, true>;
    table[{"le", type}] = compare<T, less_or_equal<V>, false, false>;
    table[{"gtu", type}] = compare<T, less_or_equal<V>, false, true>;
    table[{"gt", type}] = compare<T, less<V>, true, false>;
    table[{"leu", type}] = compare<T, less<V>, true, true>;
    table[{"ge", type}] = compare<T, less_or_equal<V>, true, false>;
    table[{"ltu", type}] = compare<T, less_or_equal<V>, true, true>;
    table[{"nan", type}] = compare<T, unordered<V>, false, false>;
    table[{"num", type}] = compare<T, unordered<V>, false, true>;
    table[{"ne", type}] = compare<T, less_or_greater<V>, false, false>;
    table[{"equ", type}] = compare<T, less_or_greater<V>, false, true>;
}

Table make_table() {
    Table table;
    add_integer<std::uint16_t>(table, Type::U16);
    add_integer<std::int16_t>(table, Type::S16);
    add_integer<std::uint16_t>(table, Type::B16);
    add_integer<std::uint32_t>(table, Type::U32);
    add_integer<std::int32_t>(table, Type::S32);
    add_integer<std::uint32_t>(table, Type::B32);
    add_integer<std::uint64_t>(table, Type::U64);
    add_integer<std::int64_t>(table, Type::S64);
    add_integer<std::uint64_t>(table, Type::B64);
    add_float<float>(table, Type::F32);
    add_float<double>(table, Type::F64);
    add_float<Half, double>(table, Type::F16);
    return table;
}

/// `mask` combined with the predicate src[2], if there is one.
std::uint32_t combine(const std::byte *registers, const Instruction &in, std::uint32_t mask) {
    if (in.combination == Combination::None)
        return mask;
    std::uint32_t other = get_mask(registers, in.src[2]);
    if (in.is_source_negated)
        other = ~other;
    switch (in.combination) {
    case Combination::And:
        return mask & other;
    case Combination::Or:
        return mask | other;
    default:
        return mask ^ other;
    }
}

template<typename Combine>
void combine_predicates(Registers registers, const Instruction &in, std::uint32_t active) {
    put_mask(registers, in.dst[0], active,
             Combine()(get_mask(registers, in.src[0]), get_mask(registers, in.src[1])));
}

void negate_predicate(Registers registers, const Instruction &in, std::uint32_t active) {
    put_mask(registers, in.dst[0], active, ~get_mask(registers, in.src[0]));
}

} // namespace

Comparison find_comparison(std::string_view name, Type type) {
    static const Table table = make_table();
    const auto found = table.find({name, type});
    return found == table.end() ? nullptr : found->second;
}

Handler find_predicate_logic(std::string_view opcode) {
    return opcode == "and"   ? combine_predicates<std::bit_and<std::uint32_t>>
           : opcode == "or"  ? combine_predicates<std::bit_or<std::uint32_t>>
           : opcode == "xor" ? combine_predicates<std::bit_xor<std::uint32_t>>
           : opcode == "not" ? negate_predicate
                             : nullptr;
}

void set_predicates(Registers registers, const Instruction &in, std::uint32_t active) {
    const std::uint32_t holds = in.comparison(registers, in, active);
    // Both before either is written: the combined predicate may be a destination too.
    const std::uint32_t first = combine(registers, in, holds), second = combine(registers, in, ~holds);
    if (in.dst[0].is_present())
        put_mask(registers, in.dst[0], active, first);
    if (in.dst[1].is_present())
        put_mask(registers, in.dst[1], active, second);
}

void set_value(Registers registers, const Instruction &in, std::uint32_t active) {
    const std::uint32_t holds = combine(registers, in, in.comparison(registers, in, active));
    constexpr std::uint32_t one_as_float = 0x3f80'0000;
    const std::uint32_t value = in.type == Type::F32 ? one_as_float : 0xffff'ffff;
    std::byte *const out = registers + in.dst[0].row;
    for_lanes(active, [&](unsigned lane) { put(out, lane, (holds >> lane & 1) != 0 ? value : 0U); });
}

} // namespace convsmith::ptx
