// Buffer dimensions as C expressions: those of buffer_dims (generators/signature.h) as numbers, or, where
// extents are open, what it computes of variables of the generated function: n, d, h, w and `out`, the number
// of output positions.
#pragma once

#include "generators/signature.h"

#include <string>
#include <vector>

namespace convsmith::library {

/// Dimensions of one buffer, in Halide order.
struct CDims {
    std::vector<std::string> extents, strides;

    /// Dense strides for the dimensions of `order`, innermost first.
    void make_dense(const std::vector<int> &order);

    /// Extent and stride of every dimension: "{64, 1, w, 64}".
    std::string initializer() const;
};

/// Dimensions that are all known, as numbers.
CDims fixed_dims(const BufferDims &dims);

/// C names of the spatial axes, outermost first: {w}, {h, w} or {d, h, w}.
std::vector<std::string> axis_names(int rank);

/// The kernel's view of the input.
CDims input_dims(const ConvDesc &desc);

/// The extent stored along an axis, from that of the output before rearrangement: "oh" or "(oh * 2)".
std::string stored_extent(const ConvDesc &desc, const std::string &out);

/// {channel, p..., n} of a tensor at the output's positions, before or after rearrangement, of `channels` of
/// which the kernel sees `seen`.
CDims positional_dims(const ConvDesc &desc, Layout layout, int64_t channels, int64_t seen, bool is_stored);

/// C expressions of Packing::co_block and Packing::tile; no tile if it is 1 on every platform.
struct CPacking {
    std::string block;
    std::string tile;
    bool by_group = false; ///< Packing::by_group, on every platform
};

/// C expression of the output channels that packed weights have, those beyond the last block's included.
std::string packed_channels(const ConvDesc &desc, const CPacking &packing);

/// Elements of the packed filter along `axis` (packed_taps of signature.h).
std::string packed_taps(const ConvDesc &desc, int axis, const CPacking &packing);

/// The packed filter with `axes` kernel axes (those beyond the rank have extent 1).
CDims packed_dims(const ConvDesc &desc, const CPacking &packing, int axes);

/// Weights as users have them (filter_shape) in the packing kernel's order {co / groups, groups, ci / groups,
/// kx, ky, kz}.
CDims plain_filter_dims(const ConvDesc &desc);

} // namespace convsmith::library
