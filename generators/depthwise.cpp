// Depthwise convolution: every group has one input channel; output channel co reads input channel co /
// multiplier. No reduction over channels, so vectors run over channels of input, filter and output alike.
#include "generators/algorithms.h"

namespace convsmith {

ConvPipeline depthwise_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv = begin_pipeline(desc, packing, input);
    define_padded(conv, tap_domain(conv), input_zero(conv));
    const std::vector<Halide::Expr> taps(conv.r_k.begin(), conv.r_k.end());
    define_weighted_sum(conv, conv.filter(filter_args(conv, 0, taps)),
                        conv.padded(window_args(conv, group_begin(conv))));
    return conv;
}

} // namespace convsmith
