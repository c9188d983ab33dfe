// Reads Halide's x86 assembly output: finds the hot loop of a kernel and what is in it. Used by the tests
// that keep schedules from rotting (spills, integer vector arithmetic, extra broadcasts).
#pragma once

#include "schedules/plan.h"

#include <string>
#include <vector>

namespace convsmith::testing {

/// Instructions of one loop body, comments and directives removed.
struct Loop {
    std::vector<std::string> instructions;
    bool has_frame_pointer = false; ///< %rbp is the frame of the loop's function, not just a register

    /// Instructions whose mnemonic starts with `mnemonic`.
    int count(const std::string &mnemonic) const;

    /// Instructions that touch the stack: a spill or a reload.
    int stack_accesses() const;

    std::string text() const;
};

/// What LLVM makes of a problem under a plan for an x86 target.
std::string assembly_of(const ConvDesc &desc, const Plan &plan);

/// The innermost loop (a block that jumps back to its own label) with the most FMAs per instruction.
Loop hot_loop(const std::string &assembly);

/// Fails the test for each of `mnemonics`, as Loop::count takes them, that the loop has.
void expect_none(const Loop &loop, const std::vector<const char *> &mnemonics);

/// Fails the test if the loop computes addresses in vectors, shuffles, multiplies or divides integers, or
/// calls.
void expect_no_vector_addressing(const Loop &loop);

} // namespace convsmith::testing
