// The Halide side of the epilogue table (epilogues.inc): turns a chain of stages into an expression.
#pragma once

#include "generators/epilogue.h"

#include <Halide.h>
#include <functional>
#include <vector>

namespace convsmith {

/// The element of a second tensor at the point being computed.
using OperandExpr = std::function<Halide::Expr(Operand)>;

/// `x` after every stage of the chain, in x's type.
Halide::Expr apply_epilogue(const std::vector<EpilogueStage> &chain, Halide::Expr x,
                            const OperandExpr &operand);

} // namespace convsmith
