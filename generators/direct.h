// Direct convolution, written once for 1, 2 and 3 spatial dimensions, strided, dilated, grouped, every
// padding mode, both layouts and all types. A schedule (schedules/*/direct.cpp) is a free function over
// DirectConv.
#pragma once

#include "generators/conv_desc.h"
#include "generators/signature.h"

#include <Halide.h>
#include <vector>

namespace convsmith {

/// Named parts of the pipeline. Buffers have the dimensions of buffer_dims (signature.h): a layout is only
/// strides.
struct DirectConv {
    ConvDesc desc; ///< after merge_trivial_axes
    Packing packing;

    Halide::ImageParam input;    ///< {ci, x, [y, [z,]] n}
    Halide::ImageParam filter;   ///< {co_i, ci, kx, [ky, [kz,]] co_o}
    Halide::ImageParam bias;     ///< {co}; undefined unless the epilogue reads it
    Halide::ImageParam residual; ///< {co, p, n}; undefined unless the epilogue reads it

    Halide::Func padded; ///< {ci, x, [y, [z,]] n} with x counted from the start of the padding
    Halide::Func acc;    ///< {co, p, n}: the sum over taps; p = flattened output position
    Halide::Func output; ///< {co, p, n}: epilogue(acc) in the output type

    Halide::Var co, p, n;
    Halide::Var ci;                ///< of padded
    std::vector<Halide::Var> axes; ///< of padded, innermost (x) first
    Halide::RVar r_ci;             ///< reduction over the group's input channels
    std::vector<Halide::RVar> r_k; ///< reduction over taps, innermost axis first

    std::vector<Halide::Expr> out_extents; ///< innermost axis first; constants where the desc is closed

    /// The tensors in call order, output excepted.
    std::vector<Halide::Argument> arguments() const;

    /// True if some axis has padding, so that `padded` is more than the input.
    bool is_padded() const;
};

/// Builds the algorithm for `desc` (merged by this function), unscheduled.
DirectConv direct_conv(const ConvDesc &desc, const Packing &packing);

} // namespace convsmith
