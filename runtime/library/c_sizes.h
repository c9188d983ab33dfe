// The sizes of a call as C text: extents that a caller gives, extents that follow, and the checks between
// them. Between conv_shape.h, which owns the formulas, and the C header.
#pragma once

#include "generators/conv_desc.h"

#include <string>
#include <vector>

namespace convsmith::library {

/// Names of the sizes that the descriptor leaves open, in the order n, d, h, w.
std::vector<std::string> open_sizes(const ConvDesc &desc);

/// window_out_extent of an axis whose input extent is the C expression `in`.
std::string out_extent(const ConvDesc &desc, int axis, const std::string &in);

/// Statements that define n, d, h, w, oh, ... from `args`, and `out` where the kernel counts positions; open
/// sizes of which no descriptor can be made return an error code of `library`.
std::string size_checks(const std::string &library, const ConvDesc &desc);

} // namespace convsmith::library
