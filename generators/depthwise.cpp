// Depthwise convolution: every group has one input channel; output channel co reads input channel co /
// multiplier. No reduction over channels, so vectors run over channels of input, filter and output alike.
#include "generators/algorithms.h"

namespace convsmith {

ConvPipeline depthwise_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv = begin_pipeline(desc, packing, input);
    define_padded(conv, tap_domain(conv), input_zero(conv));
    std::vector<Halide::Var> args = {conv.co};
    std::vector<Halide::Expr> k, at = {conv.co};
    for (const Halide::RVar &tap : conv.r_k) {
        args.emplace_back(tap.name() + "_w");
        k.emplace_back(args.back());
        at.emplace_back(tap);
    }
    conv.weights = Halide::Func("weights");
    conv.weights(args) = conv.filter(filter_args(conv, 0, k));
    define_weighted_sum(conv, conv.weights(at), conv.padded(window_args(conv, group_begin(conv))));
    return conv;
}

} // namespace convsmith
