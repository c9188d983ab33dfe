// Lp pooling: the p-norm of every window, (sum |x|^p)^(1/p), p = ConvDesc::norm.
#include "generators/algorithms.h"
#include "generators/halide_compat.h"

namespace convsmith {

using Halide::cast;
using Halide::Expr;

namespace {

/// x^p by repeated squaring, for x >= 0.
Expr integer_power(const Expr &x, int p) {
    Expr result, square = x;
    for (; p > 0; p /= 2) {
        if (p % 2 == 1)
            result = result.defined() ? result * square : square;
        square *= square;
    }
    return result;
}

} // namespace

ConvPipeline lp_pool_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv = begin_pipeline(desc, packing, input);
    const Halide::Type type = halide_type(conv.desc.acc_type);
    const int p = conv.desc.norm;
    define_padded(conv, tap_domain(conv), input_zero(conv));

    const auto args = conv.output_args();
    conv.acc(args) = Halide::Internal::make_zero(type);
    conv.acc(args) += integer_power(abs(cast(type, conv.padded(window_args(conv, conv.co)))), p);
    const Expr sum = conv.acc(args);
    conv.value(args) = p == 1   ? sum
                       : p == 2 ? sqrt(sum)
                                : pow(sum, Halide::Internal::make_const(type, 1.0 / p));
    define_output(conv);
    return conv;
}

} // namespace convsmith
