// Direct convolution: the definition. Serves any conv; pointwise.cpp and depthwise.cpp are its special cases.
#include "generators/algorithms.h"

namespace convsmith {

ConvPipeline direct_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv = begin_pipeline(desc, packing, input);
    define_padded(conv, input_zero(conv));

    channel_and_tap_domain(conv);
    const std::vector<Halide::Expr> taps(conv.r_k.begin(), conv.r_k.end());
    define_weighted_sum(conv, conv.filter(filter_args(conv, *conv.r_ci, taps)),
                        window_element(conv, group_begin(conv) + *conv.r_ci));
    return conv;
}

} // namespace convsmith
