// 16-bit floating-point numbers by way of double, which holds all of them and their sums and products
// exactly. Before it: registers.h; after it: lanes.h and the arithmetic tables.
#pragma once

#include "tests/emulated/ptx/registers.h"

namespace convsmith::ptx {

double to_double(Half half);

/// Rounded once; beyond the largest number to infinity or, where `rounding` points back, to the largest
/// number.
Half to_half(double value, Rounding rounding = Rounding::Nearest);

/// a * b + c, rounded once.
Half fused_multiply_add(Half a, Half b, Half c);

/// The integer next to `value` in the direction of `rounding`; ties of Nearest go to even.
double round_to_integer(double value, Rounding rounding);

} // namespace convsmith::ptx
