// Deformable convolution, versions 1 and 2: each tap of each position reads the input, bilinearly, at a place
// moved by its offset, scaled by its mask. Whatever the offsets are (1e30, infinite, NaN), no address outside
// the input is formed; a place at or beyond one cell outside the input, or not a number, contributes zero.
#include "generators/algorithms.h"
#include "generators/halide_compat.h"

namespace convsmith {

using Halide::cast;
using Halide::Expr;
using Halide::Var;

namespace {

/// A moved coordinate: the cells around it and the weight of the upper one.
struct Between {
    Expr low;    ///< index of the lower cell, -1 to extent - 1
    Expr weight; ///< of cell low + 1; 1 - weight is that of low
    Expr inside; ///< false: contributes nothing
};

Between between_cells(const Expr &coordinate, const Expr &extent) {
    const Halide::Type type = coordinate.type();
    const Expr zero = Halide::Internal::make_zero(type);
    const Expr end = cast(type, extent);
    Between b;
    // Strict: fast-math may assume that there is no NaN.
    b.inside = strict_float(coordinate > Halide::Internal::make_const(type, -1) && coordinate < end);
    const Expr safe = select(b.inside, coordinate, zero);
    const Expr low = floor(safe);
    b.low = cast<int>(low);
    b.weight = safe - low;
    return b;
}

/// The input at a moved place: the sum over the 2^rank cells around it.
Expr bilinear(const ConvPipeline &conv, const std::vector<Between> &place) {
    const ConvDesc &d = conv.desc;
    Expr total, inside;
    for (int corner = 0; corner < 1 << d.rank; corner++) {
        std::vector<Expr> cell = {conv.ci};
        Expr weight, exists;
        for (int i = 0; i < d.rank; i++) {
            const bool upper = (corner >> i & 1) != 0;
            const Between &b = place[i];
            const Expr last = input_extent(conv, i) - 1;
            const Expr index = upper ? b.low + 1 : b.low;
            const Expr here = upper ? index <= last : index >= 0;
            const Expr share = upper ? b.weight : 1 - b.weight;
            cell.push_back(clamp(index, 0, last));
            exists = exists.defined() ? exists && here : here;
            weight = weight.defined() ? weight * share : share;
        }
        cell.emplace_back(conv.n);
        const Expr value = read_input(conv, cell);
        const Expr part = select(exists, value * weight, Halide::Internal::make_zero(value.type()));
        total = total.defined() ? total + part : part;
    }
    for (const Between &b : place)
        inside = inside.defined() ? inside && b.inside : b.inside;
    return select(inside, total, Halide::Internal::make_zero(total.type()));
}

/// Defines sampled(ci, tap, p..., n), tap in row-major order.
void define_sampled(ConvPipeline &conv) {
    const ConvDesc &d = conv.desc;
    const Halide::Type type = halide_type(d.in_type);
    const Var tap("tap");
    const int taps = static_cast<int>(spatial_product(d.kernel, d.rank));
    const Expr group = d.offset_groups == 1 ? Expr(0) : conv.ci / (d.ci / d.offset_groups);
    const auto at_position = [&](const Halide::ImageParam &tensor, const Expr &channel) {
        std::vector<Expr> args = {channel};
        args.insert(args.end(), conv.at.begin(), conv.at.end());
        args.emplace_back(conv.n);
        return Expr(tensor(args));
    };
    const std::vector<Expr> position = window_position(conv);
    std::vector<Between> place;
    Expr rest = tap;
    for (int i = 0; i < d.rank; i++) {
        const int axis = d.rank - 1 - i;
        const Expr k = i + 1 == d.rank ? rest : rest % d.kernel[axis];
        rest = rest / d.kernel[axis];
        const Expr moved = at_position(conv.offset, (group * taps + tap) * d.rank + axis);
        const Expr grid = position[i] * d.stride[axis] + k * d.dilation[axis] - d.pad_begin[axis];
        place.push_back(between_cells(cast(type, grid) + moved, input_extent(conv, i)));
    }
    Expr value = bilinear(conv, place);
    if (d.masked)
        value *= at_position(conv.mask, group * taps + tap);
    std::vector<Var> args = {conv.ci, tap};
    args.insert(args.end(), conv.at.begin(), conv.at.end());
    args.push_back(conv.n);
    conv.sampled(args) = value;
}

} // namespace

ConvPipeline deformable_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv = begin_pipeline(desc, packing, input);
    const ConvDesc &d = conv.desc;
    define_sampled(conv);

    channel_and_tap_domain(conv);
    const std::vector<Expr> taps(conv.r_k.begin(), conv.r_k.end());
    Expr tap = 0;
    for (int i = d.rank - 1; i >= 0; i--)
        tap = tap * d.kernel[d.rank - 1 - i] + conv.r_k[i];
    std::vector<Expr> sample = {group_begin(conv) + *conv.r_ci, tap};
    sample.insert(sample.end(), conv.at.begin(), conv.at.end());
    sample.emplace_back(conv.n);

    define_weighted_sum(conv, conv.filter(filter_args(conv, *conv.r_ci, taps)), conv.sampled(sample));
    return conv;
}

} // namespace convsmith
