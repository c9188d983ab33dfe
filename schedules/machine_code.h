// From a lowered module to machine code: Halide makes LLVM's code, which is told what is particular to the
// CPUs of the target's class before it is translated. Before it: lower.h; after it: the JIT (orc_linker.h),
// libraries (library/archive.h), static programs and what reads assembly (hot_loop.h).
#pragma once

#include "schedules/target.h"

#include <Halide.h>
#include <functional>
#include <string>

namespace llvm {
class Module;
}

namespace convsmith {

enum class MachineCode { Object, Assembly };

/// The object file or the assembly of `module` for CPUs of `target`'s class. `change` sees LLVM's module
/// before it is translated. Throws Halide::Error.
std::string machine_code(const Halide::Module &module, const Target &target, MachineCode kind,
                         const std::function<void(llvm::Module &)> &change = {});

} // namespace convsmith
