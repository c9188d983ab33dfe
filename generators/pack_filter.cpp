// The packing algorithm (see pack_filter.h).
#include "generators/pack_filter.h"

#include "generators/halide_compat.h"
#include "generators/winograd_transform.h"

namespace convsmith {

using Halide::Expr;
using Halide::Var;

namespace {

/// Taps along a transformed axis.
constexpr int kTaps[] = {3, 5};

/// Elements of the largest transform.
constexpr int kMostElements = 6;

/// Element (`element`, `tap`) of g for `taps` taps.
Expr coefficient(const Packing &packing, int taps, const Expr &element, const Expr &tap) {
    if (packing.tile + taps - 1 > kMostElements)
        return Expr(0.0); // no plan transforms so
    std::vector<Expr> rows;
    for (const std::vector<double> &row : winograd_transform(packing.tile, taps).g)
        rows.push_back(Halide::mux(tap, std::vector<Expr>(row.begin(), row.end())));
    return Halide::mux(element, rows);
}

/// p.g as numbers: {element, tap, which of kTaps}.
Halide::Func coefficients(const Packing &packing) {
    const Var element("element"), tap("tap"), taps("taps");
    Halide::Func g("g");
    g(element, tap, taps) = Halide::select(taps == 0, coefficient(packing, kTaps[0], element, tap),
                                           coefficient(packing, kTaps[1], element, tap));
    return g;
}

/// The filter of `co`, transformed along the axes of transforms_axis, in f64.
Expr transformed_weight(PackFilter &p, const Packing &packing, const Expr &co, const Expr &group_co) {
    p.g = coefficients(packing);
    std::vector<Expr> extents;
    Halide::Region taps;
    for (int i = 3; i < 6; i++) {
        extents.push_back(p.filter.dim(i).extent());
        taps.emplace_back(0, extents.back());
    }
    const Halide::RDom r(taps, "r");
    const std::vector<Var> k = {p.kx, p.ky, p.kz};
    const Expr is_last_as_it_is = extents[0] > 1 && extents[1] > 1;
    Expr factor = Expr(1.0);
    for (int i = 0; i < 3; i++) {
        const Expr element = Halide::clamp(k[i], 0, kMostElements - 1);
        const Expr tap = Halide::clamp(r[i], 0, kTaps[1] - 1);
        Expr one = Halide::select(extents[i] == 1, Expr(1.0),
                                  p.g(element, tap, Halide::select(extents[i] == kTaps[0], 0, 1)));
        if (i == 2)
            one = Halide::select(is_last_as_it_is, Halide::cast<double>(k[i] == r[i]), one);
        factor *= one;
    }
    p.wide = Halide::Func("wide");
    const std::vector<Var> args = {p.co_i, p.ci, p.kx, p.ky, p.kz, p.co_o};
    p.wide(args) = Expr(0.0);
    p.wide(args) +=
        factor * Halide::cast<double>(p.filter(co % group_co, co / group_co, p.ci, r[0], r[1], r[2]));
    return p.wide(p.co_i, p.ci, p.kx, p.ky, p.kz, p.co_o);
}

} // namespace

PackFilter pack_filter(DType type, const Packing &packing) {
    PackFilter p;
    p.filter = Halide::ImageParam(halide_type(type), 6, "filter");
    p.packed = Halide::Func("packed");
    p.co_i = Var("co_i"), p.ci = Var("ci"), p.co_o = Var("co_o");
    p.kx = Var("kx"), p.ky = Var("ky"), p.kz = Var("kz");

    const Expr group_co = p.filter.dim(0).extent();
    const Expr blocks = (group_co + (packing.co_block - 1)) / packing.co_block; // of a group
    const Expr block = packing.by_group ? p.co_o % blocks : Expr(p.co_o);
    const Expr begin = packing.by_group ? p.co_o / blocks * group_co : Expr(0);
    const Expr co = begin + block * packing.co_block + p.co_i;
    const Expr last = (packing.by_group ? begin + group_co : group_co * p.filter.dim(1).extent()) - 1;
    const Expr real_co = Halide::clamp(co, 0, last);
    const Expr weight =
        packing.is_transformed()
            ? Halide::cast(halide_type(type), transformed_weight(p, packing, real_co, group_co))
            : Expr(p.filter(real_co % group_co, real_co / group_co, p.ci, p.kx, p.ky, p.kz));
    p.packed(p.co_i, p.ci, p.kx, p.ky, p.kz, p.co_o) =
        Halide::select(co <= last, weight, Halide::Internal::make_zero(weight.type()));
    return p;
}

} // namespace convsmith
