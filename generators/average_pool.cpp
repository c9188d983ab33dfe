// Average pooling. The divisor counts the taps that take part: every tap up to the declared padding if
// padding has a value (zeros: ONNX count_include_pad = 1), the taps inside the input if it is ignored; never
// the overhang of ceil mode. Integers: quotient rounded half away from zero.
#include "generators/algorithms.h"
#include "generators/halide_compat.h"

namespace convsmith {

using Halide::cast;
using Halide::Expr;

namespace {

/// Taps of a window along one axis that take part, as a constant where that is every tap.
Expr counted_taps(const ConvPipeline &conv, int dim, const Expr &position) {
    const ConvDesc &d = conv.desc;
    const int axis = d.rank - 1 - dim;
    const int kernel = d.kernel[axis], dilation = d.dilation[axis];
    const bool ignores = d.pad_mode == PadMode::Ignore;
    const bool can_miss = (ignores && (d.pad_begin[axis] != 0 || d.pad_end[axis] != 0)) || d.ceil_mode;
    if (!can_miss)
        return kernel;
    const Expr extent = input_extent(conv, dim);
    const Expr start = position * d.stride[axis] - d.pad_begin[axis];
    const Expr low = ignores ? Expr(0) : Expr(-d.pad_begin[axis]);
    const Expr high = ignores ? extent : extent + d.pad_end[axis];
    const Expr first = max(0, (low - start + dilation - 1) / dilation);
    const Expr last = min(kernel, (high - start + dilation - 1) / dilation);
    return max(last - first, 0);
}

/// Rounded half away from zero; Halide's division rounds down.
Expr rounded_quotient(const Expr &sum, const Expr &count) {
    const Expr half = count / 2;
    return select(sum >= 0, (sum + half) / count, -((half - sum) / count));
}

} // namespace

ConvPipeline average_pool_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv = begin_pipeline(desc, packing, input);
    const Halide::Type type = halide_type(conv.desc.acc_type);
    define_padded(conv, tap_domain(conv), input_zero(conv));

    const auto args = conv.output_args();
    conv.acc(args) = Halide::Internal::make_zero(type);
    conv.acc(args) += cast(type, conv.padded(window_args(conv, conv.co)));

    const std::vector<Expr> position = window_position(conv);
    Expr count = 1;
    for (int i = 0; i < conv.desc.rank; i++)
        count = count * counted_taps(conv, i, position[i]);
    count = max(count, 1); // a window of ignored taps only is zero
    conv.value(args) = type.is_float() ? conv.acc(args) / cast(type, count)
                                       : rounded_quotient(conv.acc(args), cast(type, count));
    define_output(conv);
    return conv;
}

} // namespace convsmith
