// Problems to check that nobody thought of: random descriptors over everything a descriptor can say, and
// sizes for descriptors that leave some open. Consumed by check.cpp.
#pragma once

#include "generators/conv_desc.h"
#include "generators/conv_shape.h"
#include "runtime/random.h"

#include <vector>

namespace convsmith {

/// A valid descriptor: any rank, layout, type, padding, grouping and epilogue chain, extents and channel
/// counts near vector and tile sizes, some extents open. At most about 2 million multiply-accumulates for
/// each of its sizes_to_check, so that the oracle judges every output.
ConvDesc random_desc(Random &random);

/// Sizes for a check of `desc`: its own if it is closed; else the smallest legal ones and two larger ones
/// drawn from `seed`, so that one compiled kernel is called with each.
std::vector<Sizes> sizes_to_check(const ConvDesc &desc, uint64_t seed);

} // namespace convsmith
