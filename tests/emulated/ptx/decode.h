// Instructions from text to what the machine runs. Before it: statement.h, kernel_builder.h; after it:
// body.cpp.
#pragma once

#include "tests/emulated/ptx/kernel_builder.h"

namespace convsmith::ptx {

/// An instruction of which only the guard is set. Throws NameError if that is no predicate.
Instruction guarded(const Statement &statement, KernelBuilder &kernel);

/// Of Kind::Unsupported if the emulator does not know the opcode, a modifier or the combination. Throws
/// NameError if an operand is unknown or of the wrong width.
Instruction decode(const Statement &statement, KernelBuilder &kernel);

} // namespace convsmith::ptx
