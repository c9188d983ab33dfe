// What the algorithms of composites share (chain.cpp, concat.cpp, excite.cpp): variables and input of the
// whole, and ops joined in a row.
#pragma once

#include "generators/algorithms.h"

namespace convsmith {

/// A pipeline with the whole's variables and input, without parts and output.
ConvPipeline begin_composite(const ConvDesc &desc, const Packing &packing);

/// Appends the pipelines of `first` and what follows it, the first taking `source`; returns the last one's
/// output. Of `input`, inlines_ops counts for all but the last op, fills_tiles for the last.
Halide::Func append_chain(ConvPipeline &conv, const ConvDesc &first, const Halide::Func &source,
                          const OpInput &input = OpInput());

} // namespace convsmith
