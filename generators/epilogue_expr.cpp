// Epilogue stages as Halide expressions (see epilogue_expr.h): the `expression` column of epilogues.inc,
// evaluated with Real below, so that literals take the accumulator's type instead of promoting it.
#include "generators/epilogue_expr.h"

#include "generators/error.h"

#include <array>
#include <cmath>

namespace convsmith {
namespace {

using Halide::Expr;

/// A floating-point Halide expression; doubles combine with it in its own type.
struct Real {
    Expr e;
    Real like(double value) const { return {Halide::Internal::make_const(e.type(), value)}; }
};

/// A truth value of Real comparisons.
struct Truth {
    Expr e;
};

Real operator+(const Real &a, const Real &b) {
    return {a.e + b.e};
}
Real operator*(const Real &a, const Real &b) {
    return {a.e * b.e};
}
Real operator/(const Real &a, const Real &b) {
    return {a.e / b.e};
}
Real operator+(const Real &a, double b) {
    return a + a.like(b);
}
Real operator+(double a, const Real &b) {
    return b.like(a) + b;
}
Real operator*(double a, const Real &b) {
    return b.like(a) * b;
}
Real operator*(const Real &a, double b) {
    return a * a.like(b);
}
Real operator/(const Real &a, double b) {
    return a * (1 / b);
}
Real operator-(const Real &a) {
    return {-a.e};
}
Truth operator<(const Real &a, double b) {
    return {a.e < a.like(b).e};
}
Real max(const Real &a, const Real &b) {
    return {Halide::max(a.e, b.e)};
}
Real min(const Real &a, const Real &b) {
    return {Halide::min(a.e, b.e)};
}
Real max(const Real &a, double b) {
    return max(a, a.like(b));
}
Real min(const Real &a, double b) {
    return min(a, a.like(b));
}
Real clamp(const Real &a, double low, double high) {
    return min(max(a, low), high);
}
Real select(const Truth &c, const Real &a, const Real &b) {
    return {Halide::select(c.e, a.e, b.e)};
}
Real abs(const Real &a) {
    return {Halide::abs(a.e)};
}

/// 2^n as a number of `type`, which must have it without loss of precision: n is its exponent.
Real power_of_two(const Halide::Type &type, const Expr &n) {
    const bool is_float = type.bits() == 32;
    const Expr exponent = n + (is_float ? 127 : 1023);
    return {
        Halide::reinterpret(type, is_float ? exponent << 23 : Halide::cast(Halide::Int(64), exponent) << 52)};
}

/// exp(x) = power * (1 + fraction).
struct Exponential {
    Real power, fraction;
};

/// Of x <= 0: x = n log(2) + r with |r| <= log(2) / 2, power = 2^n, fraction = exp(r) - 1 by a Taylor series,
/// terms to below a rounding. Below the least normal power, that one. Halide's exp rounds downwards, which
/// LLVM 14 does for half a vector of AVX-512 at a time.
Exponential exponential(const Real &x) {
    constexpr double kLog2 = 0.693147180559945309417;
    const bool is_float = x.e.type().bits() == 32;
    const double lowest = is_float ? -87 : -708;
    const Real least = select(x < lowest, x.like(lowest), x);               // max() would make it of NaN
    const Expr n = Halide::cast(Halide::Int(32), (least / kLog2 + -0.5).e); // cut off towards 0: the nearest
    const Real r = least + -kLog2 * Real{Halide::cast(x.e.type(), n)};
    const int terms = is_float ? 8 : 14;
    Real series = x.like(1 / std::tgamma(terms + 1));
    for (int k = terms - 1; k >= 1; k--)
        series = series * r + 1 / std::tgamma(k + 1);
    return {power_of_two(x.e.type(), n), r * series};
}

/// exp(x) for x <= 0.
Real exp_of(const Real &x) {
    const Exponential e = exponential(x);
    return e.power * e.fraction + e.power;
}

/// exp(x) - 1 for x <= 0 without cancellation near zero.
Real expm1_of(const Real &x) {
    const Exponential e = exponential(x);
    return e.power * e.fraction + (e.power + -1);
}

/// tanh through exp of a negative number: never overflows, keeps relative accuracy near zero.
Real tanh_of(const Real &x) {
    const Real m = expm1_of(-2 * abs(x));
    const Real magnitude = -m / (m + 2);
    return select(x < 0, -magnitude, magnitude);
}

Real sigmoid_of(const Real &x) {
    const Real e = exp_of(-abs(x));
    return select(x < 0, e, x.like(1)) / (e + 1);
}

/// log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)); log1p by 2 atanh(e / (e + 2)) as a series, since
/// log(1 + e) loses what is small of e. z = e / (e + 2) <= 1/3.
Real softplus_of(const Real &x) {
    const Real e = exp_of(-abs(x));
    const Real z = e / (e + 2);
    const Real z2 = z * z;
    const int terms = x.e.type().bits() == 32 ? 8 : 17;
    Real series = x.like(1.0 / (2 * terms + 1));
    for (int k = terms - 1; k >= 0; k--)
        series = series * z2 + 1.0 / (2 * k + 1);
    return max(x, 0) + 2 * z * series;
}

Real erf_of(const Real &x) {
    if (x.e.type().bits() == 32)
        return {Halide::erf(x.e)};
    return {Halide::Internal::Call::make(x.e.type(), "erf", {x.e}, Halide::Internal::Call::PureExtern)};
}

/// x * tanh(log(1 + exp(x))) with the logarithm cancelled: tanh(log(u)) = (u^2 - 1) / (u^2 + 1).
Real mish_of(const Real &x) {
    const Real e = exp_of(-abs(x));
    const Real negative = e * (e + 2) / (e * (e + 2) + 2);
    const Real positive = (2 * e + 1) / (2 * e * (e + 1) + 1);
    return x * select(x < 0, negative, positive);
}

Real apply_stage(const EpilogueStage &stage, const Real &x, const Real &t) {
    std::array<Real, 4> p;
    CONVSMITH_CHECK(stage.params.size() <= p.size());
    for (size_t i = 0; i < stage.params.size(); i++)
        p[i] = x.like(stage.params[i]);
    (void)t;
#define CONVSMITH_EPILOGUE(name_, operand_, params_, defaults_, lipschitz_, rounding_, expression_,          \
                           reference_, formula_)                                                             \
    if (stage.name == #name_)                                                                                \
        return expression_;
#include "generators/epilogues.inc"
#undef CONVSMITH_EPILOGUE
    throw Error(ErrorCode::BadArgument, "epilogue: no stage is called '" + stage.name + "'");
}

} // namespace

Expr apply_epilogue(const std::vector<EpilogueStage> &chain, Expr x, const OperandExpr &operand) {
    Real value{std::move(x)};
    for (const EpilogueStage &stage : chain) {
        const Operand kind = epilogue_info(stage.name).operand;
        const Real t =
            kind == Operand::None ? value.like(0) : Real{Halide::cast(value.e.type(), operand(kind))};
        value = apply_stage(stage, value, t);
    }
    return value.e;
}

} // namespace convsmith
