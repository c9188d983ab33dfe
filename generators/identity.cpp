// Identity: no window. Padding, cropping, rearranging, type and epilogue of a convolution without the
// convolution.
#include "generators/algorithms.h"
#include "generators/halide_compat.h"

namespace convsmith {

ConvPipeline identity_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv = begin_pipeline(desc, packing, input);
    define_padded(conv, input_zero(conv));

    const auto args = conv.output_args();
    conv.acc(args) = Halide::cast(halide_type(conv.desc.acc_type), conv.padded(window_args(conv, conv.co)));
    conv.value(args) = conv.acc(args);
    define_output(conv);
    return conv;
}

} // namespace convsmith
