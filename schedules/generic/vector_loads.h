// Which vectors of input channels Halide reads safely. Channels 2 to 4 elements apart are read with loads
// that go beyond the tensor's end; such small channels-first images are read channel by channel.
#pragma once

#include "generators/conv_pipeline.h"
#include "generators/conv_shape.h"

namespace convsmith::generic {

/// True if lanes of a vector may read different input channels that lie 2 to 4 elements apart.
inline bool has_unsafe_channel_loads(const ConvPipeline &conv) {
    const ConvDesc &d = conv.desc;
    const int64_t positions = spatial_product(d.in, d.rank);
    const bool lanes_differ = d.groups > 1 || !op_info(d.op).has_filter;
    return lanes_differ && d.in_layout == Layout::ChannelsFirst && positions >= 2 && positions <= 4;
}

} // namespace convsmith::generic
