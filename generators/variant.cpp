// The variant table as data (see variant.h).
#include "generators/variant.h"

namespace convsmith {

const std::vector<VariantInfo> &variant_table() {
    static const std::vector<VariantInfo> table = {
#define CONVSMITH_VARIANT(name_, file_, op_, accepts_, condition_, doc_)                                     \
    {#name_, Op::op_, condition_, doc_, []([[maybe_unused]] const ConvDesc &d) -> bool { return accepts_; }},
#include "generators/variants.inc"
#undef CONVSMITH_VARIANT
    };
    return table;
}

bool is_pointwise(const ConvDesc &desc) {
    bool is_trivial = desc.op == Op::Conv && desc.groups == 1;
    for (int a = 0; a < desc.rank; a++)
        is_trivial = is_trivial && desc.kernel[a] == 1 && desc.pad_begin[a] == 0 && desc.pad_end[a] == 0;
    return is_trivial;
}

bool is_depthwise(const ConvDesc &desc) {
    return desc.op == Op::Conv && desc.groups == desc.ci && desc.groups > 1;
}

bool is_channelwise(const ConvDesc &desc) {
    return is_depthwise(desc) || desc.op == Op::MaxPool || desc.op == Op::AvgPool || desc.op == Op::LpPool;
}

bool leaves_out_padding(const ConvDesc &desc) {
    const bool adds_zeros = desc.pad_mode == PadMode::Zeros && desc.op != Op::MaxPool;
    return desc.indices == Indices::None && (adds_zeros || desc.pad_mode == PadMode::Ignore);
}

} // namespace convsmith
