// The algorithms: each turns a descriptor into an unscheduled pipeline, written once for 1, 2 and 3 spatial
// dimensions, every padding mode, layout and type. Which one serves a descriptor is decided by variants.inc.
#pragma once

#include "generators/conv_pipeline.h"

namespace convsmith {

#define CONVSMITH_VARIANT(name_, ...)                                                                        \
    ConvPipeline name_##_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input);
#include "generators/variants.inc"
#undef CONVSMITH_VARIANT

/// The pipeline of one op by its most special algorithm.
ConvPipeline op_pipeline(const ConvDesc &op, const Packing &packing, const OpInput &input);

} // namespace convsmith
