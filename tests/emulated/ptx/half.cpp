// Conversions of 16-bit floating-point numbers (half.h).
#include "tests/emulated/ptx/half.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace convsmith::ptx {

namespace {

constexpr int kFractionBits = 10;
constexpr int kSmallestExponent = -24; ///< of the last fraction bit of subnormal numbers
constexpr unsigned kInfinity = 0x7c00;
constexpr unsigned kNan = 0x7fff;

/// The sum, its last bit set if it is inexact: rounding it to fewer bits then rounds the exact sum.
double add_to_odd(double a, double b) {
    const double sum = a + b;
    const double b_part = sum - a;
    const double error = (a - (sum - b_part)) + (b - b_part);
    std::uint64_t bits;
    std::memcpy(&bits, &sum, sizeof bits);
    if (!std::isfinite(sum) || error == 0 || (bits & 1) != 0)
        return sum;
    return std::nextafter(sum, error > 0 ? std::numeric_limits<double>::infinity()
                                         : -std::numeric_limits<double>::infinity());
}

} // namespace

double to_double(Half half) {
    const int exponent = half.bits >> kFractionBits & 31;
    const int fraction = half.bits & ((1 << kFractionBits) - 1);
    double magnitude;
    if (exponent == 31)
        magnitude = fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                                  : std::numeric_limits<double>::infinity();
    else if (exponent == 0)
        magnitude = std::ldexp(fraction, kSmallestExponent);
    else
        magnitude = std::ldexp(fraction + (1 << kFractionBits), exponent - 1 + kSmallestExponent);
    return (half.bits & 0x8000) != 0 ? -magnitude : magnitude;
}

Half to_half(double value, Rounding rounding) {
    const unsigned sign = std::signbit(value) ? 0x8000 : 0;
    const auto half = [sign](unsigned bits) { return Half{static_cast<std::uint16_t>(sign | bits)}; };
    if (std::isnan(value))
        return Half{kNan};
    if (std::isinf(value))
        return half(kInfinity);
    if (value == 0)
        return half(0);
    const int exponent = std::max(std::ilogb(value) - kFractionBits, kSmallestExponent);
    // Carries of the rounding run on into the exponent.
    const double fraction = std::fabs(round_to_integer(std::ldexp(value, -exponent), rounding));
    const double bits = std::ldexp(exponent - kSmallestExponent, kFractionBits) + fraction;
    if (bits < kInfinity)
        return half(static_cast<unsigned>(bits));
    const bool is_towards_zero =
        rounding == Rounding::Zero || rounding == (sign != 0 ? Rounding::Up : Rounding::Down);
    return half(is_towards_zero ? kInfinity - 1 : kInfinity);
}

Half fused_multiply_add(Half a, Half b, Half c) {
    return to_half(add_to_odd(to_double(a) * to_double(b), to_double(c)));
}

double round_to_integer(double value, Rounding rounding) {
    switch (rounding) {
    case Rounding::Zero:
        return std::trunc(value);
    case Rounding::Down:
        return std::floor(value);
    case Rounding::Up:
        return std::ceil(value);
    case Rounding::Nearest:
        break;
    }
    return std::nearbyint(value);
}

} // namespace convsmith::ptx
