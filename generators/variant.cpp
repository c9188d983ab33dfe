// The variant table as data (see variant.h).
#include "generators/variant.h"

#include "generators/conv_shape.h"
#include "generators/error.h"
#include "generators/signature.h"
#include "generators/winograd_transform.h"

#include <algorithm>
#include <iterator>

namespace convsmith {

const std::vector<VariantInfo> &variant_table() {
    static const std::vector<VariantInfo> table = {
#define CONVSMITH_VARIANT(name_, file_, op_, accepts_, ...)                                                  \
    {#name_, Op::op_, []([[maybe_unused]] const ConvDesc &d) -> bool { return accepts_; }, __VA_ARGS__},
#include "generators/variants.inc"
#undef CONVSMITH_VARIANT
    };
    return table;
}

const VariantInfo &variant_info(std::string_view name) {
    for (const VariantInfo &row : variant_table()) {
        if (row.name == name)
            return row;
    }
    throw Error(ErrorCode::BadArgument, "no variant '" + std::string(name) + "'");
}

bool is_pointwise(const ConvDesc &desc) {
    bool is_trivial = desc.op == Op::Conv && desc.groups == 1;
    for (int a = 0; a < desc.rank; a++)
        is_trivial = is_trivial && desc.kernel[a] == 1 && desc.pad_begin[a] == 0 && desc.pad_end[a] == 0;
    return is_trivial;
}

bool is_winograd(const ConvDesc &desc) {
    const bool is_f32 = desc.in_type == DType::F32 && desc.weight_type == DType::F32 &&
                        desc.acc_type == DType::F32 && desc.out_type == DType::F32;
    if (desc.op != Op::Conv || !is_f32 || desc.is_open() || desc.is_fused || is_depthwise(desc) ||
        desc.rearrange != Rearrange::None)
        return false;
    int transformed = 0;
    int64_t terms = desc.ci / desc.groups; // of the sums in the transformed domain
    for (int a = 0; a < desc.rank; a++) {
        if (desc.stride[a] != 1 || (desc.kernel[a] != 1 && desc.dilation[a] != 1))
            return false;
        if (!transforms_axis(desc, a)) {
            terms *= desc.kernel[a];
            continue;
        }
        if (desc.kernel[a] != 3 && desc.kernel[a] != 5)
            return false;
        transformed++;
    }
    const Packing largest = {kMaxChannelBlock,
                             *std::max_element(std::begin(kWinogradTiles), std::end(kWinogradTiles))};
    return transformed > 0 && terms <= kWinogradMaxChannels &&
           packed_filter_elements(desc, largest) < int64_t{1} << 31;
}

bool is_depthwise(const ConvDesc &desc) {
    return desc.op == Op::Conv && desc.groups == desc.ci && desc.groups > 1;
}

bool is_grouped(const ConvDesc &desc) {
    return desc.op == Op::Conv && desc.groups > 1 && desc.groups < desc.ci;
}

bool keeps_channels(const ConvDesc &desc) {
    return !op_info(desc.op).has_filter ||
           (desc.op == Op::Conv && desc.groups == desc.ci && desc.ci == desc.co);
}

namespace {

bool slides_over_channels(const ConvDesc &desc, Layout layout) {
    return desc.in_layout == layout && desc.out_layout == layout &&
           (is_depthwise(desc) || op_info(desc.op).is_pool);
}

} // namespace

bool is_channelwise(const ConvDesc &desc) {
    return slides_over_channels(desc, Layout::ChannelsLast);
}

bool is_planewise(const ConvDesc &desc) {
    return slides_over_channels(desc, Layout::ChannelsFirst);
}

bool leaves_out_padding(const ConvDesc &desc) {
    const bool adds_zeros = desc.pad_mode == PadMode::Zeros && desc.op != Op::MaxPool;
    // Of one tap, whether it is inside does not depend on the tap: Halide would drop the clamp of its place
    // and take the input to be read beyond its border.
    for (int a = 0; a < desc.rank; a++) {
        if (desc.kernel[a] == 1 && (desc.pad_begin[a] > 0 || desc.pad_end[a] > 0))
            return false;
    }
    return is_channelwise(desc) && desc.indices == Indices::None &&
           (adds_zeros || desc.pad_mode == PadMode::Ignore);
}

} // namespace convsmith
