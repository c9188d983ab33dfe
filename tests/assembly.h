// What tests demand of a kernel's hot loop (autotune/hot_loop.h).
#pragma once

#include "autotune/hot_loop.h"

#include <vector>

namespace convsmith::testing {

/// Fails the test for each of `mnemonics`, as Loop::count takes them, that the loop has.
void expect_none(const autotune::Loop &loop, const std::vector<const char *> &mnemonics);

/// Fails the test if the loop computes addresses in vectors, shuffles, multiplies or divides integers, or
/// calls.
void expect_no_vector_addressing(const autotune::Loop &loop);

} // namespace convsmith::testing
