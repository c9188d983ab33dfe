// Direct convolution: the definition. Serves any conv; pointwise.cpp and depthwise.cpp are its special cases.
#include "generators/algorithms.h"

namespace convsmith {

namespace {

/// Leaves out the taps that lie in the padding for every position of a tile. Along one axis most do where
/// dilation pads by more than a tile: 7 taps 128 apart before 784 positions have half of their products
/// there. Of several axes, a tile lies within a row, which is beyond the others' borders as a whole: a third
/// of the slices that 3 taps meet, where there are two slices.
void leave_out_padded_taps(const ConvPipeline &conv, Halide::RDom &r) {
    const ConvDesc &d = conv.desc;
    const bool is_one_axis = d.rank == 1;
    const Halide::Expr tile = conv.at[0] / conv.row_tile * conv.row_tile;
    const std::vector<Halide::Expr> at = is_one_axis ? std::vector{tile} : window_position(conv);
    for (int i = is_one_axis ? 0 : 1; i < d.rank; i++) {
        const int a = axis_of(d, i), last = is_one_axis ? (conv.row_tile - 1) * d.stride[a] : 0;
        const Halide::Expr first = at[i] * d.stride[a] + conv.r_k[i] * d.dilation[a];
        if (d.pad_begin[a] > 0)
            r.where(first + last >= d.pad_begin[a]);
        if (d.pad_end[a] > 0)
            r.where(first < d.pad_begin[a] + d.in[a]);
    }
}

} // namespace

ConvPipeline direct_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv = begin_pipeline(desc, packing, input);
    define_padded(conv, input_zero(conv));

    Halide::RDom r = channel_and_tap_domain(conv);
    if (conv.leaves_out_taps)
        leave_out_padded_taps(conv, r);
    const std::vector<Halide::Expr> taps(conv.r_k.begin(), conv.r_k.end());
    define_weighted_sum(conv, conv.filter(filter_args(conv, *conv.r_ci, taps)),
                        window_element(conv, group_begin(conv) + *conv.r_ci));
    return conv;
}

} // namespace convsmith
