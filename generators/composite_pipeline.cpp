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

Func append_chain(ConvPipeline &conv, const ConvDesc &first, const Func &source) {
    Func result = source;
    const auto append = [&](const ConvDesc &op) {
        conv.parts.push_back(op_pipeline(op, conv.packing, {result, static_cast<int>(conv.parts.size())}));
        result = conv.parts.back().output;
    };
    append(first);
    for (const ConvDesc &next : first.then)
        append(next);
    return result;
}

} // namespace convsmith
