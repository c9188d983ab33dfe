// Depthwise convolution: every group has one input channel; output channel co reads input channel co /
// multiplier. No reduction over channels, so vectors run over channels of input, filter and output alike.
#include "generators/algorithms.h"
#include "generators/halide_compat.h"

namespace convsmith {

using Halide::cast;

ConvPipeline depthwise_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv = begin_pipeline(desc, packing, input);
    const Halide::Type type = halide_type(conv.desc.acc_type);
    define_padded(conv, Halide::Internal::make_zero(halide_type(conv.desc.in_type)));

    const auto args = conv.output_args();
    const Halide::RDom r = tap_domain(conv);
    const std::vector<Halide::Expr> taps(conv.r_k.begin(), conv.r_k.end());
    conv.acc(args) = Halide::Internal::make_zero(type);
    conv.acc(args) += cast(type, conv.filter(filter_args(conv, 0, taps))) *
                      cast(type, conv.padded(window_args(conv, group_begin(conv))));
    conv.value(args) = conv.acc(args);
    define_output(conv);
    return conv;
}

} // namespace convsmith
