// Squeeze-and-excitation: the input scaled by a branch of one number per channel and image, itself computed
// from the input (global average, two pointwise ops). What follows reads the scaled input without it being
// stored.
#include "generators/composite_pipeline.h"
#include "generators/epilogue_expr.h"
#include "generators/error.h"
#include "generators/halide_compat.h"

namespace convsmith {

using Halide::cast;
using Halide::Expr;

ConvPipeline excite_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &) {
    ConvPipeline conv = begin_composite(desc, packing);
    const Halide::Func scale = append_chain(conv, desc.branches.at(0), conv.input);

    const std::vector<Halide::Var> args = conv.output_args();
    const std::vector<Expr> at(args.begin(), args.end());
    std::vector<Expr> pixel(at.size(), 0);
    pixel.front() = conv.co;
    pixel.back() = conv.n;
    const auto no_operand = [](Operand) -> Expr { throw Error(ErrorCode::Internal, "excite: no operand"); };
    Halide::Func excited("excited");
    const Halide::Type type = halide_type(desc.acc_type);
    const Expr product = cast(type, conv.input(at)) * cast(type, scale(pixel));
    excited(args) = cast(halide_type(desc.out_type), apply_epilogue(desc.epilogue, product, no_operand));
    conv.output = excited;
    for (const ConvDesc &next : desc.then) {
        conv.parts.push_back(op_pipeline(next, packing, {conv.output, static_cast<int>(conv.parts.size())}));
        conv.output = conv.parts.back().output;
        conv.co = conv.parts.back().co, conv.n = conv.parts.back().n;
        conv.at = conv.parts.back().at;
    }
    return conv;
}

} // namespace convsmith
