// Pointwise (1x1) convolution: a matrix product over channels at every position, strided or not. No taps, no
// padding; neighbouring positions are one dimension (merge_trivial_axes).
#include "generators/algorithms.h"

namespace convsmith {

using Halide::Expr;

ConvPipeline pointwise_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv = begin_pipeline(desc, packing, input);
    define_padded(conv, input_zero(conv));

    const Halide::RDom r(0, conv.desc.ci, "r");
    conv.r_ci = r[0];
    std::vector<Expr> pixel = {conv.ci};
    const std::vector<Expr> position = window_position(conv);
    for (int i = 0; i < conv.desc.rank; i++)
        pixel.push_back(position[i] * conv.desc.stride[conv.desc.rank - 1 - i]);
    pixel.emplace_back(conv.n);
    std::vector<Halide::Var> at = {conv.ci};
    at.insert(at.end(), conv.at.begin(), conv.at.end());
    at.push_back(conv.n);
    conv.gathered = Halide::Func("gathered");
    conv.gathered(at) = conv.padded(pixel);

    const std::vector<Expr> no_taps(conv.desc.rank, 0);
    std::vector<Expr> element(at.begin(), at.end());
    element[0] = *conv.r_ci;
    define_weighted_sum(conv, conv.filter(filter_args(conv, *conv.r_ci, no_taps)), conv.gathered(element));
    return conv;
}

} // namespace convsmith
