// Padding as an index map: what a tap at a coordinate outside the input reads. Written once for all modes,
// axes and layouts; schedules decide whether it is inlined or staged in a strip.
#pragma once

#include "generators/conv_desc.h"

#include <Halide.h>

namespace convsmith {

/// Where a coordinate of one axis (which may lie outside [0, extent)) reads from.
struct PaddedIndex {
    Halide::Expr index;  ///< always inside [0, extent)
    Halide::Expr inside; ///< undefined if the mode replaces no value; else false where the pad value is read
};

/// The map of `mode` for coordinate `x` on an axis of `extent` elements.
PaddedIndex padded_index(PadMode mode, const Halide::Expr &x, const Halide::Expr &extent);

} // namespace convsmith
