// What integer instructions compute (instruction.h): wrapping arithmetic, and operations on bits.
#include "tests/emulated/ptx/lanes.h"

#include <algorithm>

namespace convsmith::ptx {

namespace {

__extension__ using Int128 = __int128;

/// Unsigned arithmetic that wraps at T's width or above it.
template<typename T>
using Wrapping = std::common_type_t<std::make_unsigned_t<T>, unsigned>;

template<typename T>
constexpr unsigned kBits = sizeof(T) * 8;

/// The type of a product of two T; for 64 bits only where high halves are taken.
template<typename T>
using Wide = std::conditional_t<
    sizeof(T) == 8, Int128,
    std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>,
                       std::conditional_t<std::is_signed_v<T>, std::int32_t, std::uint32_t>>>;

struct Add {
    template<typename T>
    static T apply(T a, T b) {
        return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
    }
};

struct Subtract {
    template<typename T>
    static T apply(T a, T b) {
        return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
    }
};

struct MultiplyLow {
    template<typename T>
    static T apply(T a, T b) {
        return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
    }
};

struct MultiplyHigh {
    template<typename T>
    static T apply(T a, T b) {
        if constexpr (std::is_same_v<T, std::uint64_t>) {
            __extension__ using Unsigned128 = unsigned __int128;
            return static_cast<T>(static_cast<Unsigned128>(a) * b >> 64);
        } else {
            return static_cast<T>(static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b) >> kBits<T>);
        }
    }
};

struct MultiplyWide {
    template<typename T>
    static Wide<T> apply(T a, T b) {
        return static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b);
    }
};

struct MultiplyAddLow {
    template<typename T>
    static T apply(T a, T b, T c) {
        return Add::apply(MultiplyLow::apply(a, b), c);
    }
};

struct MultiplyAddHigh {
    template<typename T>
    static T apply(T a, T b, T c) {
        return Add::apply(MultiplyHigh::apply(a, b), c);
    }
};

struct MultiplyAddWide {
    template<typename T>
    static Wide<T> apply(T a, T b, Wide<T> c) {
        return Add::apply(MultiplyWide::apply(a, b), c);
    }
};

template<typename T>
T negate(T a) {
    return static_cast<T>(0 - static_cast<Wrapping<T>>(a));
}

template<typename T>
bool is_minus_one(T a) {
    return std::is_signed_v<T> && a == static_cast<T>(-1);
}

/// PTX leaves a quotient by zero open; devices give ones.
struct Divide {
    template<typename T>
    static T apply(T a, T b) {
        if (b == 0)
            return static_cast<T>(-1);
        return is_minus_one(b) ? negate(a) : static_cast<T>(a / b);
    }
};

struct Remainder {
    template<typename T>
    static T apply(T a, T b) {
        if (b == 0)
            return a;
        return is_minus_one(b) ? T{0} : static_cast<T>(a % b);
    }
};

struct Minimum {
    template<typename T>
    static T apply(T a, T b) {
        return a < b ? a : b;
    }
};

struct Maximum {
    template<typename T>
    static T apply(T a, T b) {
        return a > b ? a : b;
    }
};

struct Absolute {
    template<typename T>
    static T apply(T a) {
        return a < 0 ? negate(a) : a;
    }
};

struct Negate {
    template<typename T>
    static T apply(T a) {
        return negate(a);
    }
};

struct And {
    template<typename T>
    static T apply(T a, T b) {
        return a & b;
    }
};

struct Or {
    template<typename T>
    static T apply(T a, T b) {
        return a | b;
    }
};

struct Xor {
    template<typename T>
    static T apply(T a, T b) {
        return a ^ b;
    }
};

struct Not {
    template<typename T>
    static T apply(T a) {
        return static_cast<T>(~a);
    }
};

struct ShiftLeft {
    template<typename T>
    static T apply(T a, std::uint32_t count) {
        return count >= kBits<T> ? T{0} : static_cast<T>(static_cast<Wrapping<T>>(a) << count);
    }
};

struct ShiftRight {
    template<typename T>
    static T apply(T a, std::uint32_t count) {
        const std::uint32_t most = kBits<T> - 1;
        if (count > most)
            return a < 0 ? static_cast<T>(-1) : T{0};
        return static_cast<T>(a >> count);
    }
};

/// slct: by the sign of the last operand.
template<typename T, typename Selector>
T select_by_sign(T a, T b, Selector selector) {
    return selector >= 0 ? a : b;
}

struct CountOnes {
    template<typename T>
    static std::uint32_t apply(T a) {
        return static_cast<std::uint32_t>(__builtin_popcountll(a));
    }
};

struct CountLeadingZeros {
    template<typename T>
    static std::uint32_t apply(T a) {
        return a == 0 ? kBits<T> : static_cast<std::uint32_t>(__builtin_clzll(a)) - (64 - kBits<T>);
    }
};

struct ReverseBits {
    template<typename T>
    static T apply(T a) {
        T reversed = 0;
        for (unsigned i = 0; i < kBits<T>; i++)
            reversed |= (a >> i & 1) << (kBits<T> - 1 - i);
        return reversed;
    }
};

/// `count` ones, at the lower end.
template<typename T>
T ones(std::uint32_t count) {
    return count >= kBits<T> ? static_cast<T>(~T{0}) : static_cast<T>((T{1} << count) - 1);
}

/// Bits [first, first + count) of a. Bits above the field, and those that it has above a's, are zeros or
/// copies of its sign.
struct ExtractField {
    template<typename T>
    static T apply(T a, std::uint32_t first, std::uint32_t count) {
        using Bits = std::make_unsigned_t<T>;
        first &= 0xff;
        count &= 0xff;
        const std::uint32_t usable = first < kBits<T> ? std::min(count, kBits<T> - first) : 0;
        const std::uint32_t sign_at = std::min(first + count - 1, kBits<T> - 1);
        const bool is_negative = std::is_signed_v<T> && count != 0 && (a >> sign_at & 1) != 0;
        const Bits field = usable == 0 ? 0 : static_cast<Bits>(a) >> first & ones<Bits>(usable);
        return static_cast<T>(is_negative ? field | ~ones<Bits>(usable) : field);
    }
};

/// b with the lowest `count` bits of a at `first`.
struct InsertField {
    template<typename T>
    static T apply(T a, T b, std::uint32_t first, std::uint32_t count) {
        first &= 0xff;
        count &= 0xff;
        if (first >= kBits<T>)
            return b;
        const T field = ones<T>(count);
        return static_cast<T>((b & ~(field << first)) | ((a & field) << first));
    }
};

/// Four bytes of the eight of a and b, chosen by the nibbles of `selectors`; bit 3 copies the byte's sign.
std::uint32_t permute_bytes(std::uint32_t a, std::uint32_t b, std::uint32_t selectors) {
    const std::uint64_t bytes = std::uint64_t{b} << 32 | a;
    std::uint32_t result = 0;
    for (unsigned i = 0; i < 4; i++) {
        const unsigned selector = selectors >> (4 * i) & 15;
        unsigned byte = static_cast<unsigned>(bytes >> (8 * (selector & 7))) & 0xff;
        if ((selector & 8) != 0)
            byte = (byte & 0x80) != 0 ? 0xff : 0;
        result |= byte << (8 * i);
    }
    return result;
}

/// shf: the 64 bits b:a shifted; .wrap takes the count modulo 32, .clamp stops at 32.
template<bool Left, bool Wraps>
std::uint32_t funnel_shift(std::uint32_t a, std::uint32_t b, std::uint32_t count) {
    count = Wraps ? count & 31 : std::min(count, 32U);
    const std::uint64_t both = std::uint64_t{b} << 32 | a;
    return static_cast<std::uint32_t>(Left ? both << count >> 32 : both >> count);
}

/// dp4a: c + the products of the four bytes of a and b.
template<typename A, typename B>
std::uint32_t dot_bytes(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    for (unsigned i = 0; i < 32; i += 8)
        c += static_cast<std::uint32_t>(static_cast<A>(a >> i) * static_cast<B>(b >> i));
    return c;
}

/// dp2a: c + the products of the two 16-bit parts of a and two bytes of b, the lower or the upper ones.
template<typename A, typename B, unsigned Shift>
std::uint32_t dot_shorts(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    for (unsigned i = 0; i < 2; i++)
        c += static_cast<std::uint32_t>(static_cast<A>(a >> (16 * i)) * static_cast<B>(b >> (8 * i + Shift)));
    return c;
}

/// Adds dp4a and dp2a under the name that decode.cpp makes of the types of a and b.
template<typename Byte, typename Short, typename OtherByte>
void add_dot_products(ArithmeticTable &table, const char *dp4a, const char *dp2a_lo, const char *dp2a_hi) {
    table.add<&dot_bytes<Byte, OtherByte>>(dp4a, Type::None);
    table.add<&dot_shorts<Short, OtherByte, 0>>(dp2a_lo, Type::None);
    table.add<&dot_shorts<Short, OtherByte, 16>>(dp2a_hi, Type::None);
}

} // namespace

void add_integer_arithmetic(ArithmeticTable &table) {
    table.add_16_to_64<Add>("add");
    table.add_16_to_64<Subtract>("sub");
    table.add_16_to_64<MultiplyLow>("mul.lo");
    table.add_16_to_64<MultiplyHigh>("mul.hi");
    table.add_16_to_64<MultiplyAddLow>("mad.lo");
    table.add_16_to_64<MultiplyAddHigh>("mad.hi");
    table.add_16_to_64<Divide>("div");
    table.add_16_to_64<Remainder>("rem");
    table.add_16_to_64<Minimum>("min");
    table.add_16_to_64<Maximum>("max");

    table.add<&MultiplyWide::apply<std::uint16_t>>("mul.wide", Type::U16);
    table.add<&MultiplyWide::apply<std::int16_t>>("mul.wide", Type::S16);
    table.add<&MultiplyWide::apply<std::uint32_t>>("mul.wide", Type::U32);
    table.add<&MultiplyWide::apply<std::int32_t>>("mul.wide", Type::S32);
    table.add<&MultiplyAddWide::apply<std::uint16_t>>("mad.wide", Type::U16);
    table.add<&MultiplyAddWide::apply<std::int16_t>>("mad.wide", Type::S16);
    table.add<&MultiplyAddWide::apply<std::uint32_t>>("mad.wide", Type::U32);
    table.add<&MultiplyAddWide::apply<std::int32_t>>("mad.wide", Type::S32);

    table.add<&Absolute::apply<std::int16_t>>("abs", Type::S16);
    table.add<&Absolute::apply<std::int32_t>>("abs", Type::S32);
    table.add<&Absolute::apply<std::int64_t>>("abs", Type::S64);
    table.add<&Negate::apply<std::int16_t>>("neg", Type::S16);
    table.add<&Negate::apply<std::int32_t>>("neg", Type::S32);
    table.add<&Negate::apply<std::int64_t>>("neg", Type::S64);

    add_dot_products<std::uint8_t, std::uint16_t, std::uint8_t>(table, "dp4a.u32.u32", "dp2a.lo.u32.u32",
                                                                "dp2a.hi.u32.u32");
    add_dot_products<std::uint8_t, std::uint16_t, std::int8_t>(table, "dp4a.u32.s32", "dp2a.lo.u32.s32",
                                                               "dp2a.hi.u32.s32");
    add_dot_products<std::int8_t, std::int16_t, std::uint8_t>(table, "dp4a.s32.u32", "dp2a.lo.s32.u32",
                                                              "dp2a.hi.s32.u32");
    add_dot_products<std::int8_t, std::int16_t, std::int8_t>(table, "dp4a.s32.s32", "dp2a.lo.s32.s32",
                                                             "dp2a.hi.s32.s32");
}

void add_bit_operations(ArithmeticTable &table) {
    table.add_bits<And>("and");
    table.add_bits<Or>("or");
    table.add_bits<Xor>("xor");
    table.add_bits<Not>("not");
    table.add_bits<ShiftLeft>("shl");
    table.add_bits<ShiftRight>("shr");
    table.add_16_to_64<ShiftRight>("shr");

    table.add<&CountOnes::apply<std::uint32_t>>("popc", Type::B32);
    table.add<&CountOnes::apply<std::uint64_t>>("popc", Type::B64);
    table.add<&CountLeadingZeros::apply<std::uint32_t>>("clz", Type::B32);
    table.add<&CountLeadingZeros::apply<std::uint64_t>>("clz", Type::B64);
    table.add<&ReverseBits::apply<std::uint32_t>>("brev", Type::B32);
    table.add<&ReverseBits::apply<std::uint64_t>>("brev", Type::B64);
    table.add_32_to_64<ExtractField>("bfe");
    table.add<&InsertField::apply<std::uint32_t>>("bfi", Type::B32);
    table.add<&InsertField::apply<std::uint64_t>>("bfi", Type::B64);
    table.add<&permute_bytes>("prmt", Type::B32);
    table.add<&funnel_shift<true, true>>("shf.l.wrap", Type::B32);
    table.add<&funnel_shift<true, false>>("shf.l.clamp", Type::B32);
    table.add<&funnel_shift<false, true>>("shf.r.wrap", Type::B32);
    table.add<&funnel_shift<false, false>>("shf.r.clamp", Type::B32);

    for (const Type type : {Type::B32, Type::U32, Type::S32, Type::F32}) {
        table.add<&select_by_sign<std::uint32_t, std::int32_t>>("slct.s32", type);
        table.add<&select_by_sign<std::uint32_t, float>>("slct.f32", type);
    }
    for (const Type type : {Type::B64, Type::U64, Type::S64, Type::F64}) {
        table.add<&select_by_sign<std::uint64_t, std::int32_t>>("slct.s32", type);
        table.add<&select_by_sign<std::uint64_t, float>>("slct.f32", type);
    }
}

} // namespace convsmith::ptx
