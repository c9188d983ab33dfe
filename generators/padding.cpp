// Index maps of the padding modes (see padding.h).
#include "generators/padding.h"

#include "generators/error.h"

namespace convsmith {

using Halide::clamp;
using Halide::Expr;
using Halide::max;
using Halide::select;

PaddedIndex padded_index(PadMode mode, const Expr &x, const Expr &extent) {
    switch (mode) {
    case PadMode::Zeros:
    case PadMode::Constant:
    case PadMode::Ignore:
        return {clamp(x, 0, extent - 1), x >= 0 && x < extent};
    case PadMode::Replicate:
        return {clamp(x, 0, extent - 1), Expr()};
    case PadMode::Circular:
        return {clamp(x % extent, 0, extent - 1), Expr()};
    case PadMode::Symmetric: {
        // A triangle wave of period 2 extent that stays for two cells at each end.
        const Expr phase = x % (2 * extent);
        return {clamp(select(phase < extent, phase, 2 * extent - 1 - phase), 0, extent - 1), Expr()};
    }
    case PadMode::Reflect: {
        // A triangle wave of period 2 (extent - 1); an axis of one element has only that element.
        const Expr period = max(2 * (extent - 1), 1);
        const Expr phase = x % period;
        return {clamp(select(phase < extent, phase, period - phase), 0, extent - 1), Expr()};
    }
    }
    throw Error(ErrorCode::Internal, "unknown padding mode");
}

} // namespace convsmith
