// A chain of ops, each on the result of the one before: depthwise-separable (depthwise then pointwise),
// spatially separable (k x 1 then 1 x k), flattened (over channels, vertical, horizontal), stacked small
// kernels, inverted bottlenecks, convolution and pooling.
#include "generators/composite_pipeline.h"

namespace convsmith {

ConvPipeline chain_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv = begin_composite(desc, packing);
    conv.output = append_chain(conv, desc, conv.input, input);
    conv.co = conv.parts.back().co, conv.n = conv.parts.back().n;
    conv.at = conv.parts.back().at;
    return conv;
}

} // namespace convsmith
