// Everything that differs between Halide versions (14 on Debian 12, 19 on Debian 13), and what must happen
// before Halide's first use. Included by pipeline files, schedules and the compile side of runtime.
#pragma once

#include "generators/dtype.h"

#include <Halide.h>
#include <string>

namespace convsmith {

/// Must run before the first use of Halide in a process (idempotent, thread-safe): turns off LLVM's SLP
/// vectoriser, which rewrites the per-pixel addresses of convolution loops into vector integer code.
void prepare_halide();

/// Versions as text, e.g. "14.0.0" and "14.0".
std::string halide_version();
std::string llvm_version();

/// `target` without the LLVM loop optimisations that undo a schedule's unrolling decisions.
Halide::Target without_llvm_loop_opt(Halide::Target target);

/// `value`, a load, where `inside`, else `otherwise`: lanes of a vector that are not inside read nothing.
/// Loops are split so that most iterations have no mask.
Halide::Expr load_where(const Halide::Expr &inside, const Halide::Expr &value, const Halide::Expr &otherwise);

/// Element type of a Func's first value.
Halide::Type output_type(const Halide::Func &func);

/// Halide's type for an element type.
Halide::Type halide_type(DType type);

} // namespace convsmith
