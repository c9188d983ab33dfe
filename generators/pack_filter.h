// Weight packing as an algorithm: weights in any memory order to the blocked order of Packing
// (signature.h). A generated kernel like any other.
#pragma once

#include "generators/signature.h"

#include <Halide.h>

namespace convsmith {

/// Handle of the packing pipeline.
struct PackFilter {
    /// {co of the group, group, ci of the group, kx, ky, kz}; extents and strides known at the call
    Halide::ImageParam filter;
    Halide::Func packed; ///< {co_i, ci, kx, ky, kz, co_o}; zero beyond the channels (Packing)
    Halide::Var co_i, ci, kx, ky, kz, co_o;
    Halide::Func g;    ///< {element, tap}: coefficients of the transform; undefined without one
    Halide::Func wide; ///< as packed, in f64; undefined without a transform
};

PackFilter pack_filter(DType type, const Packing &packing);

} // namespace convsmith
