// What floating-point instructions compute (instruction.h): one rounding to nearest each, the approximate
// functions too, which a device computes with a few bits less.
#include "tests/emulated/ptx/lanes.h"

namespace convsmith::ptx {

namespace {

/// Of T by way of double, rounded twice where T is float: within the error that PTX allows approximate
/// functions.
template<typename T, typename Function>
T by_double(T a, const Function &function) {
    return static_cast<T>(function(static_cast<double>(a)));
}

/// Applies `function` to the exact values, whose result double holds exactly, and rounds once.
template<typename Function, typename... Halves>
Half by_exact(const Function &function, Halves... halves) {
    return to_half(function(to_double(halves)...));
}

// Op::value, an operation on numbers and halves, applied to pairs of halves as well.
template<typename Op>
struct Unary {
    template<typename T>
    static T apply(T a) {
        if constexpr (std::is_same_v<T, HalfPair>)
            return for_halves([](Half x) { return Op::value(x); }, a);
        else
            return Op::value(a);
    }
};

template<typename Op>
struct Binary {
    template<typename T>
    static T apply(T a, T b) {
        if constexpr (std::is_same_v<T, HalfPair>)
            return for_halves([](Half x, Half y) { return Op::value(x, y); }, a, b);
        else
            return Op::value(a, b);
    }
};

template<typename Op>
struct Ternary {
    template<typename T>
    static T apply(T a, T b, T c) {
        if constexpr (std::is_same_v<T, HalfPair>)
            return for_halves([](Half x, Half y, Half z) { return Op::value(x, y, z); }, a, b, c);
        else
            return Op::value(a, b, c);
    }
};

struct Add : Binary<Add> {
    template<typename T>
    static T value(T a, T b) {
        return a + b;
    }
    static Half value(Half a, Half b) {
        return by_exact([](double x, double y) { return x + y; }, a, b);
    }
};

struct Subtract : Binary<Subtract> {
    template<typename T>
    static T value(T a, T b) {
        return a - b;
    }
    static Half value(Half a, Half b) {
        return by_exact([](double x, double y) { return x - y; }, a, b);
    }
};

struct Multiply : Binary<Multiply> {
    template<typename T>
    static T value(T a, T b) {
        return a * b;
    }
    static Half value(Half a, Half b) {
        return by_exact([](double x, double y) { return x * y; }, a, b);
    }
};

struct Divide {
    template<typename T>
    static T apply(T a, T b) {
        return a / b;
    }
};

struct FusedMultiplyAdd : Ternary<FusedMultiplyAdd> {
    template<typename T>
    static T value(T a, T b, T c) {
        return std::fma(a, b, c);
    }
    static Half value(Half a, Half b, Half c) { return fused_multiply_add(a, b, c); }
};

/// A NaN loses against a number, or wins for `.NaN`; -0 is less than +0.
template<bool Less, bool PropagatesNan>
struct Extreme : Binary<Extreme<Less, PropagatesNan>> {
    template<typename T>
    static T value(T a, T b) {
        if (std::isnan(a) || std::isnan(b))
            return std::isnan(a) == PropagatesNan ? a : b;
        if (a == b)
            return std::signbit(a) == Less ? a : b;
        return (a < b) == Less ? a : b;
    }
    static Half value(Half a, Half b) {
        return by_exact([](double x, double y) { return Extreme::value(x, y); }, a, b);
    }
};

struct Absolute : Unary<Absolute> {
    template<typename T>
    static T value(T a) {
        return std::fabs(a);
    }
    static Half value(Half a) { return {static_cast<std::uint16_t>(a.bits & 0x7fff)}; }
};

struct Negate : Unary<Negate> {
    template<typename T>
    static T value(T a) {
        return -a;
    }
    static Half value(Half a) { return {static_cast<std::uint16_t>(a.bits ^ 0x8000)}; }
};

struct SquareRoot {
    template<typename T>
    static T apply(T a) {
        return std::sqrt(a);
    }
};

struct Reciprocal {
    template<typename T>
    static T apply(T a) {
        return T{1} / a;
    }
};

struct ReciprocalSquareRoot {
    template<typename T>
    static T apply(T a) {
        return by_double(a, [](double x) { return 1 / std::sqrt(x); });
    }
};

struct Sine {
    template<typename T>
    static T apply(T a) {
        return by_double(a, [](double x) { return std::sin(x); });
    }
};

struct Cosine {
    template<typename T>
    static T apply(T a) {
        return by_double(a, [](double x) { return std::cos(x); });
    }
};

struct PowerOfTwo {
    template<typename T>
    static T apply(T a) {
        return by_double(a, [](double x) { return std::exp2(x); });
    }
};

struct LogarithmOfTwo {
    template<typename T>
    static T apply(T a) {
        return by_double(a, [](double x) { return std::log2(x); });
    }
};

struct HyperbolicTangent {
    template<typename T>
    static T apply(T a) {
        return by_double(a, [](double x) { return std::tanh(x); });
    }
};

/// The magnitude of b with the sign of a: PTX's order.
struct CopySign {
    template<typename T>
    static T apply(T a, T b) {
        return std::copysign(b, a);
    }
};

template<typename T>
bool is_finite(T a) {
    return std::isfinite(a);
}
template<typename T>
bool is_infinite(T a) {
    return std::isinf(a);
}
template<typename T>
bool is_number(T a) {
    return !std::isnan(a);
}
template<typename T>
bool is_nan(T a) {
    return std::isnan(a);
}
template<typename T>
bool is_normal(T a) {
    return std::isnormal(a);
}
template<typename T>
bool is_subnormal(T a) {
    return std::fpclassify(a) == FP_SUBNORMAL;
}

/// cvt.f16x2.f32: the first operand becomes the upper half.
HalfPair pack_halves(float high, float low) {
    return {static_cast<std::uint32_t>(to_half(static_cast<double>(high)).bits) << 16 |
            to_half(static_cast<double>(low)).bits};
}

template<typename T>
void add_class_tests(ArithmeticTable &table, Type type) {
    table.add<&is_finite<T>>("testp.finite", type);
    table.add<&is_infinite<T>>("testp.infinite", type);
    table.add<&is_number<T>>("testp.number", type);
    table.add<&is_nan<T>>("testp.notanumber", type);
    table.add<&is_normal<T>>("testp.normal", type);
    table.add<&is_subnormal<T>>("testp.subnormal", type);
}

} // namespace

void add_float_arithmetic(ArithmeticTable &table) {
    table.add_all_floats<Add>("add");
    table.add_all_floats<Subtract>("sub");
    table.add_all_floats<Multiply>("mul");
    table.add_all_floats<FusedMultiplyAdd>("fma");
    table.add_floats<FusedMultiplyAdd>("mad");
    table.add_all_floats<Extreme<true, false>>("min");
    table.add_all_floats<Extreme<false, false>>("max");
    table.add_all_floats<Extreme<true, true>>("min.NaN");
    table.add_all_floats<Extreme<false, true>>("max.NaN");
    table.add_all_floats<Absolute>("abs");
    table.add_all_floats<Negate>("neg");
    table.add_floats<Divide>("div");
    table.add_floats<SquareRoot>("sqrt");
    table.add_floats<Reciprocal>("rcp");
    table.add_floats<ReciprocalSquareRoot>("rsqrt");
    table.add_floats<Sine>("sin");
    table.add_floats<Cosine>("cos");
    table.add_floats<PowerOfTwo>("ex2");
    table.add_floats<LogarithmOfTwo>("lg2");
    table.add_floats<HyperbolicTangent>("tanh");
    table.add_floats<CopySign>("copysign");
    add_class_tests<float>(table, Type::F32);
    add_class_tests<double>(table, Type::F64);
    table.add<&pack_halves>("cvt.f16x2", Type::F32);
}

const Arithmetic *find_arithmetic(std::string_view name, Type type) {
    static const ArithmeticTable table = [] {
        ArithmeticTable rows;
        add_integer_arithmetic(rows);
        add_bit_operations(rows);
        add_float_arithmetic(rows);
        return rows;
    }();
    return table.find(name, type);
}

} // namespace convsmith::ptx
