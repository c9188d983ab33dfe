// Weight packing by plain loops, for libraries whose weights are baked in: works at build time for any
// target. Judge of the generated packing kernel in tests.
#pragma once

#include "generators/signature.h"
#include "runtime/tensor.h"

namespace convsmith::library {

/// `filter` ([co][ci / groups][kernel...], checked by the caller) in the order of Packing.
Tensor pack_reference(const ConvDesc &desc, const Packing &packing, const Tensor &filter);

} // namespace convsmith::library
