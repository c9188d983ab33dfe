// Which tensors have channels a few elements apart (see vector_loads.h).
#include "schedules/vector_loads.h"

#include "generators/conv_shape.h"

namespace convsmith {
namespace {

bool has_short_channel_stride(Layout layout, const Spatial &extents, int rank) {
    const int64_t positions = spatial_product(extents, rank);
    return layout == Layout::ChannelsFirst && positions >= 2 && positions <= 4;
}

} // namespace

bool reads_beyond_residual(const ConvDesc &op) {
    return op.has_operand(Operand::Residual) &&
           has_short_channel_stride(op.out_layout, stored_extents(op), op.rank);
}

bool reads_beyond_input(const ConvDesc &op) {
    const bool lanes_differ = op.groups > 1 || !op_info(op.op).has_filter;
    return lanes_differ && has_short_channel_stride(op.in_layout, op.in, op.rank);
}

std::optional<std::string> reject_short_residual(const ConvDesc &op, const Target &) {
    if (reads_beyond_residual(op))
        return "residual with few positions, channels first: a vector of channels reads beyond its end";
    return std::nullopt;
}

int rearranged_lanes(const ConvDesc &desc, int most) {
    int lanes = 1;
    while (lanes * 2 <= most && stored_channels(desc) % (lanes * 2) == 0)
        lanes *= 2;
    return lanes;
}

} // namespace convsmith
