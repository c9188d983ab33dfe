// The packing algorithm (see pack_filter.h).
#include "generators/pack_filter.h"

#include "generators/halide_compat.h"

namespace convsmith {

using Halide::Expr;
using Halide::Var;

PackFilter pack_filter(DType type, const Packing &packing) {
    PackFilter p;
    p.filter = Halide::ImageParam(halide_type(type), 6, "filter");
    p.packed = Halide::Func("packed");
    p.co_i = Var("co_i"), p.ci = Var("ci"), p.co_o = Var("co_o");
    p.kx = Var("kx"), p.ky = Var("ky"), p.kz = Var("kz");

    const Expr co = p.co_o * packing.co_block + p.co_i;
    const Expr group_co = p.filter.dim(0).extent();
    const Expr last = group_co * p.filter.dim(1).extent() - 1;
    const Expr real_co = Halide::clamp(co, 0, last);
    const Expr weight = p.filter(real_co % group_co, real_co / group_co, p.ci, p.kx, p.ky, p.kz);
    p.packed(p.co_i, p.ci, p.kx, p.ky, p.kz, p.co_o) =
        Halide::select(co <= last, weight, Halide::Internal::make_zero(weight.type()));
    return p;
}

} // namespace convsmith
