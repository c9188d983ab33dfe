// Reads Halide's assembly output, of x86 (AT&T syntax) and AArch64: finds the hot loop of a kernel and what
// is in it. Used by the static cost (machine_model.h) and by the tests that keep schedules from rotting.
#pragma once

#include "schedules/plan.h"

#include <string>
#include <vector>

namespace convsmith::autotune {

/// Instructions of one loop body, comments and directives removed; the last one jumps back.
struct Loop {
    std::vector<std::string> instructions;
    bool has_frame_pointer = false; ///< %rbp, x29 is the frame of the loop's function, not just a register

    /// Instructions whose mnemonic starts with `mnemonic`.
    int count(const std::string &mnemonic) const;

    /// Fused floating point multiply-adds.
    int multiply_adds() const;

    /// All floating point instructions that the units for them share.
    int arithmetic() const;

    /// Loads of vectors, or of elements for all their lanes.
    int loads() const;

    /// Instructions that touch the stack: a spill or a reload.
    int stack_accesses() const;

    std::string text() const;
};

/// The first word of an instruction.
std::string mnemonic_of(const std::string &instruction);

/// What LLVM makes of a problem under a plan for a CPU target, in the syntax of Linux. Throws Error(Compile).
std::string assembly_of(const ConvDesc &desc, const Plan &plan);

/// The innermost loop (a block that jumps back to its own label) with the most multiply-adds per instruction,
/// or, on a CPU without them, multiplications; of those that are nearly as dense the one inside of the most
/// other loops. No instructions if there is none.
Loop hot_loop(const std::string &assembly);

} // namespace convsmith::autotune
