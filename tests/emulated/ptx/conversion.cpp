// cvt, mov, selp and cvta: values from type to type and from register to register (instruction.h).
#include "tests/emulated/ptx/lanes.h"

#include <limits>
#include <tuple>

namespace convsmith::ptx {

namespace {

__extension__ using Int128 = __int128;

template<typename T>
constexpr bool kIsFloat = std::is_floating_point_v<T> || std::is_same_v<T, Half>;

template<typename T>
double wide(T value) {
    if constexpr (std::is_same_v<T, Half>)
        return to_double(value);
    else
        return static_cast<double>(value);
}

/// `nearest`, or its neighbour if `rounding` demands that; `error`: the sign of what was rounded minus
/// `nearest`.
template<typename T>
T direct(T nearest, int error, Rounding rounding) {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    if (rounding == Rounding::Down && error < 0)
        return std::nextafter(nearest, -infinity);
    if (rounding == Rounding::Up && error > 0)
        return std::nextafter(nearest, infinity);
    if (rounding == Rounding::Zero && (std::signbit(nearest) ? error > 0 : error < 0))
        return std::nextafter(nearest, T{0});
    return nearest;
}

template<typename T>
int sign_of(T value) {
    return value < 0 ? -1 : value > 0 ? 1 : 0;
}

template<typename To, typename From>
To float_from_integer(From value, Rounding rounding) {
    if constexpr (std::is_same_v<To, Half>) {
        return to_half(static_cast<double>(value), rounding); // inexact only far beyond the largest half
    } else {
        const To nearest = static_cast<To>(value);
        if (rounding == Rounding::Nearest)
            return nearest;
        return direct(nearest, sign_of(static_cast<Int128>(value) - static_cast<Int128>(nearest)), rounding);
    }
}

/// Out of range to the nearest integer, NaN to 0.
template<typename To>
To integer_from_float(double value, Rounding rounding) {
    value = round_to_integer(value, rounding);
    const double end = std::ldexp(1.0, std::numeric_limits<To>::digits); // one above the largest
    if (std::isnan(value))
        return 0;
    if (value >= end)
        return std::numeric_limits<To>::max();
    if (value < static_cast<double>(std::numeric_limits<To>::min()))
        return std::numeric_limits<To>::min();
    return static_cast<To>(value);
}

template<typename To>
To float_from_float(double value, const Instruction &in) {
    if (in.saturates)
        value = value > 0 ? std::fmin(value, 1.0) : 0;
    if (in.rounds_to_integer)
        value = round_to_integer(value, in.rounding);
    const Rounding rounding = in.rounds_to_integer ? Rounding::Nearest : in.rounding;
    To result;
    if constexpr (std::is_same_v<To, Half>) {
        result = to_half(value, rounding);
    } else {
        const To nearest = static_cast<To>(value);
        const double back = static_cast<double>(nearest);
        result = direct(nearest, std::isinf(value) ? 0 : (value > back) - (value < back), rounding);
    }
    if constexpr (std::is_same_v<To, float>) // .ftz concerns no other type
        result = in.flushes ? flush(result) : result;
    return result;
}

/// The nearest value of To.
template<typename To>
To clamp(Int128 value) {
    using Limits = std::numeric_limits<To>;
    if (value < static_cast<Int128>(Limits::min()))
        return Limits::min();
    if (value > static_cast<Int128>(Limits::max()))
        return Limits::max();
    return static_cast<To>(value);
}

template<typename To, typename From>
To convert_value(From value, const Instruction &in) {
    if constexpr (std::is_same_v<From, float>)
        value = in.flushes ? flush(value) : value;
    if constexpr (kIsFloat<To> && kIsFloat<From>)
        return float_from_float<To>(wide(value), in);
    else if constexpr (kIsFloat<From>)
        return integer_from_float<To>(wide(value), in.rounding);
    else if constexpr (kIsFloat<To>)
        return float_from_integer<To>(value, in.rounding);
    else
        return in.saturates ? clamp<To>(value) : static_cast<To>(value);
}

template<typename To, typename From>
void convert(Registers registers, const Instruction &in, std::uint32_t active) {
    const Instruction copy = in; // the compiler could not tell that writing a lane leaves it as it is
    const std::byte *const source = registers + in.src[0].row;
    std::byte *const out = registers + in.dst[0].row;
    for_lanes(active, [&](unsigned lane) {
        const To value = convert_value<To>(get<From>(source, lane, copy.src[0].slot), copy);
        put<To>(out, lane, value, copy.dst[0].slot);
    });
}

/// A type of C++ that a type of PTX stands for.
template<typename T>
struct Named {
    using Value = T;
    Type type;
};

constexpr auto kConvertible = std::make_tuple(
    Named<std::uint8_t>{Type::U8}, Named<std::int8_t>{Type::S8}, Named<std::uint16_t>{Type::U16},
    Named<std::int16_t>{Type::S16}, Named<Half>{Type::F16}, Named<std::uint32_t>{Type::U32},
    Named<std::int32_t>{Type::S32}, Named<float>{Type::F32}, Named<std::uint64_t>{Type::U64},
    Named<std::int64_t>{Type::S64}, Named<double>{Type::F64});

using Table = std::map<std::pair<Type, Type>, Handler>;

Table make_table() {
    Table table;
    const auto add = [&](auto to, auto from) {
        table[{to.type, from.type}] = convert<typename decltype(to)::Value, typename decltype(from)::Value>;
    };
    const auto add_all_from = [&](auto to) {
        std::apply([&](auto... from) { (add(to, from), ...); }, kConvertible);
    };
    std::apply([&](auto... to) { (add_all_from(to), ...); }, kConvertible);
    return table;
}

template<typename Slot>
void move(Registers registers, const Instruction &in, std::uint32_t active) {
    const std::byte *const source = registers + in.src[0].row;
    std::byte *const out = registers + in.dst[0].row;
    for_lanes(active, [&](unsigned lane) { put(out, lane, get<Slot>(source, lane)); });
}

void move_predicate(Registers registers, const Instruction &in, std::uint32_t active) {
    put_mask(registers, in.dst[0], active, get_mask(registers, in.src[0]));
}

template<typename Slot>
void select(Registers registers, const Instruction &in, std::uint32_t active) {
    const std::byte *const first = registers + in.src[0].row;
    const std::byte *const second = registers + in.src[1].row;
    std::byte *const out = registers + in.dst[0].row;
    const std::uint32_t mask = get_mask(registers, in.src[2]);
    for_lanes(active, [&](unsigned lane) {
        const Slot a = get<Slot>(first, lane), b = get<Slot>(second, lane);
        put(out, lane, (mask >> lane & 1) != 0 ? a : b);
    });
}

} // namespace

Handler find_conversion(Type to, Type from) {
    static const Table table = make_table();
    const auto found = table.find({to, from});
    return found == table.end() ? nullptr : found->second;
}

Handler move_handler(unsigned slot) {
    return slot == 0 ? move_predicate : slot == 4 ? move<std::uint32_t> : move<std::uint64_t>;
}

Handler select_handler(unsigned slot) {
    return slot == 4 ? select<std::uint32_t> : slot == 8 ? select<std::uint64_t> : nullptr;
}

void pack(Registers registers, const Instruction &in, std::uint32_t active) {
    const unsigned bytes = info(in.type).bytes / in.elements;
    for_lanes(active, [&](unsigned lane) {
        std::uint64_t value = 0;
        for (unsigned i = 0; i < in.elements; i++) {
            std::uint64_t part = 0;
            std::memcpy(&part, registers + in.src[i].row + lane * in.src[i].slot, bytes);
            value |= part << (8 * bytes * i);
        }
        put(registers + in.dst[0].row, lane, value, in.dst[0].slot);
    });
}

void unpack(Registers registers, const Instruction &in, std::uint32_t active) {
    const unsigned bytes = info(in.type).bytes / in.elements;
    for_lanes(active, [&](unsigned lane) {
        // Read before any part is written: the source may be a destination too.
        std::uint64_t value = 0;
        std::memcpy(&value, registers + in.src[0].row + lane * in.src[0].slot, info(in.type).bytes);
        for (unsigned i = 0; i < in.elements; i++) {
            const std::uint64_t part = value >> (8 * bytes * i) & ((std::uint64_t{1} << (8 * bytes)) - 1);
            put(registers + in.dst[i].row, lane, part, in.dst[i].slot);
        }
    });
}

void add_offset(Registers registers, const Instruction &in, std::uint32_t active) {
    const std::byte *const source = registers + in.src[0].row;
    std::byte *const out = registers + in.dst[0].row;
    const auto offset = static_cast<std::uint64_t>(in.offset);
    for_lanes(active, [&](unsigned lane) { put(out, lane, get<std::uint64_t>(source, lane) + offset); });
}

} // namespace convsmith::ptx
