// Variants: which algorithm computes a descriptor. The table is variants.inc; the planner takes the first row
// that accepts. Free of Halide; the algorithms themselves are in algorithms.h.
#pragma once

#include "generators/conv_desc.h"

#include <string>
#include <string_view>
#include <vector>

namespace convsmith {

/// A row of variants.inc.
struct VariantInfo {
    std::string name;
    Op op;
    bool (*accepts)(const ConvDesc &desc); ///< of descriptors with that op
    std::string condition;                 ///< what it takes, in words
    std::string doc;
    /// Largest error before the epilogue as a fraction of the problem's largest result; 0: that of a sum,
    /// whatever its order (oracle_op.cpp).
    double relative_error = 0;

    bool is_exact() const { return relative_error == 0; }
};

/// All rows, the special before the general.
const std::vector<VariantInfo> &variant_table();

/// The row called `name`. Throws Error(BadArgument) if there is none.
const VariantInfo &variant_info(std::string_view name);

/// A conv with a kernel of 1, one group and no padding: a matrix product at every position.
bool is_pointwise(const ConvDesc &desc);

/// A conv that the Winograd algorithm takes: f32 throughout, closed, stored as it is computed, not
/// depthwise, stride and dilation 1, three or five taps along one or two axes and any number along a third,
/// at most kWinogradMaxChannels terms in a sum.
bool is_winograd(const ConvDesc &desc);

/// A conv with one input channel per group.
bool is_depthwise(const ConvDesc &desc);

/// A conv with several groups of several input channels.
bool is_grouped(const ConvDesc &desc);

/// True if every output channel is computed from the input channel of its own number: a depthwise conv
/// without multiplier, a pool, an identity.
bool keeps_channels(const ConvDesc &desc);

/// An op that slides over each channel apart, whose neighbours lie side by side: a depthwise conv or a pool,
/// channels last.
bool is_channelwise(const ConvDesc &desc);

/// The same, channels first: positions of a channel lie side by side, planes apart.
bool is_planewise(const ConvDesc &desc);

/// True if taps of a channelwise op beyond its input change no result, so that they are left out: a sum with
/// padding of zeros, a pool that ignores them. Not where a padded axis has one tap.
bool leaves_out_padding(const ConvDesc &desc);

} // namespace convsmith
