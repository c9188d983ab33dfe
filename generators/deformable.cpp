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

/// Along one axis, the two cells around a moved place, both within the input, and their weights: 0 for a cell
/// that is not.
std::vector<Expr> ends_and_weights(const Between &b, const Expr &extent) {
    const Expr zero = Halide::Internal::make_zero(b.weight.type()), last = extent - 1;
    return {clamp(b.low, 0, last), clamp(b.low + 1, 0, last),
            select(b.inside && b.low >= 0, 1 - b.weight, zero),
            select(b.inside && b.low + 1 <= last, b.weight, zero)};
}

constexpr int kPartsOfAxis = 4; ///< of conv.place: what ends_and_weights gives

/// Defines place(group, tap, p..., n), tap in row-major order: where the channels of an offset group are
/// read.
void define_place(ConvPipeline &conv, const Var &group, const Var &tap) {
    const ConvDesc &d = conv.desc;
    const Halide::Type type = halide_type(d.in_type);
    const int taps = static_cast<int>(spatial_product(d.kernel, d.rank));
    const auto at_position = [&](const Halide::ImageParam &tensor, const Expr &channel) {
        std::vector<Expr> args = {channel};
        args.insert(args.end(), conv.at.begin(), conv.at.end());
        args.emplace_back(conv.n);
        return Expr(tensor(args));
    };
    const std::vector<Expr> position = window_position(conv);
    std::vector<Expr> parts;
    Expr rest = tap;
    for (int i = 0; i < d.rank; i++) {
        const int axis = d.rank - 1 - i;
        const Expr k = i + 1 == d.rank ? rest : rest % d.kernel[axis];
        rest = rest / d.kernel[axis];
        const Expr moved = at_position(conv.offset, (group * taps + tap) * d.rank + axis);
        const Expr grid = position[i] * d.stride[axis] + k * d.dilation[axis] - d.pad_begin[axis];
        const Expr extent = input_extent(conv, i);
        const std::vector<Expr> along =
            ends_and_weights(between_cells(cast(type, grid) + moved, extent), extent);
        parts.insert(parts.end(), along.begin(), along.end());
    }
    if (d.masked) {
        const Expr scale = at_position(conv.mask, group * taps + tap);
        parts[2] *= scale;
        parts[3] *= scale;
    }
    std::vector<Var> args = {group, tap};
    args.insert(args.end(), conv.at.begin(), conv.at.end());
    args.push_back(conv.n);
    conv.place = Halide::Func("place");
    conv.place(args) = Halide::Tuple(parts);
}

/// Defines sampled(ci, tap, p..., n): the sum over the 2^rank cells around the place.
void define_sampled(ConvPipeline &conv) {
    const ConvDesc &d = conv.desc;
    const Var tap("tap");
    define_place(conv, Var("group"), tap);
    std::vector<Expr> where = {d.offset_groups == 1 ? Expr(0) : conv.ci / (d.ci / d.offset_groups), tap};
    where.insert(where.end(), conv.at.begin(), conv.at.end());
    where.emplace_back(conv.n);
    const Halide::FuncRef place = conv.place(where);
    Expr total;
    for (int corner = 0; corner < 1 << d.rank; corner++) {
        std::vector<Expr> cell = {conv.ci};
        Expr weight;
        for (int i = 0; i < d.rank; i++) {
            const int end = i * kPartsOfAxis + (corner >> i & 1);
            cell.push_back(place[end]);
            weight = weight.defined() ? weight * place[end + 2] : place[end + 2];
        }
        cell.emplace_back(conv.n);
        const Expr part = read_input(conv, cell) * weight;
        total = total.defined() ? total + part : part;
    }
    std::vector<Var> args = {conv.ci, tap};
    args.insert(args.end(), conv.at.begin(), conv.at.end());
    args.push_back(conv.n);
    conv.sampled(args) = total;
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
