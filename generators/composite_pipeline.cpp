// Parts of composites (see composite_pipeline.h).
#include "generators/composite_pipeline.h"

#include "generators/error.h"
#include "generators/halide_compat.h"
#include "generators/variant.h"

namespace convsmith {

using Halide::Func;

ConvPipeline op_pipeline(const ConvDesc &op, const Packing &packing, const OpInput &input) {
    [[maybe_unused]] const ConvDesc &d = op;
#define CONVSMITH_VARIANT(name_, file_, op_, accepts_, ...)                                                  \
    if (op.op == Op::op_ && (accepts_) && variant_info(#name_).is_exact())                                   \
        return name_##_pipeline(op, packing, input);
#include "generators/variants.inc"
#undef CONVSMITH_VARIANT
    throw Error(ErrorCode::Internal, "no variant for op " + op_info(op.op).name);
}

ConvPipeline begin_composite(const ConvDesc &desc, const Packing &packing) {
    ConvDesc whole = desc; // its own variables and input; the ops make the rest
    whole.op = Op::Chain;
    whole.epilogue.clear();
    whole.masked = false;
    ConvPipeline conv = begin_pipeline(whole, packing, OpInput());
    conv.desc = desc;
    return conv;
}

Func append_chain(ConvPipeline &conv, const ConvDesc &first, const Func &source, const OpInput &input) {
    Func result = source;
    const auto append = [&](const ConvDesc &op, bool is_last) {
        OpInput of_op;
        of_op.source = result;
        of_op.number = static_cast<int>(conv.parts.size());
        of_op.is_inlined = input.inlines_ops && !is_last;
        of_op.fills_tiles = input.fills_tiles && is_last;
        conv.parts.push_back(op_pipeline(op, conv.packing, of_op));
        result = conv.parts.back().output;
    };
    append(first, first.then.empty());
    for (size_t i = 0; i < first.then.size(); i++)
        append(first.then[i], i + 1 == first.then.size());
    return result;
}

} // namespace convsmith
