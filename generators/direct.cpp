// Direct convolution: the definition. Serves any conv; pointwise.cpp and depthwise.cpp are its special cases.
#include "generators/algorithms.h"

namespace convsmith {

namespace {

/// Leaves out the taps that lie in the padding for every position of a tile, as most do where dilation pads
/// by more than a tile: 7 taps 128 apart before 784 positions have half of their products there.
void leave_out_padded_taps(const ConvPipeline &conv, Halide::RDom r) {
    const ConvDesc &d = conv.desc;
    const Halide::Expr tile = conv.at[0] / conv.row_tile * conv.row_tile;
    const Halide::Expr first = tile * d.stride[0] + conv.r_k[0] * d.dilation[0];
    if (d.pad_begin[0] > 0)
        r.where(first + (conv.row_tile - 1) * d.stride[0] >= d.pad_begin[0]);
    if (d.pad_end[0] > 0)
        r.where(first < d.pad_begin[0] + d.in[0]);
}

} // namespace

ConvPipeline direct_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv = begin_pipeline(desc, packing, input);
    define_padded(conv, input_zero(conv));

    const Halide::RDom r = channel_and_tap_domain(conv);
    if (conv.row_tile > 0 && conv.desc.rank == 1)
        leave_out_padded_taps(conv, r);
    const std::vector<Halide::Expr> taps(conv.r_k.begin(), conv.r_k.end());
    define_weighted_sum(conv, conv.filter(filter_args(conv, *conv.r_ci, taps)),
                        window_element(conv, group_begin(conv) + *conv.r_ci));
    return conv;
}

} // namespace convsmith
