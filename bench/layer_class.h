// The classes by which summaries group layers: kernels, ours and the peers', are good or bad by class. Before
// it: descriptors; after it: summary.h.
#pragma once

#include "generators/conv_desc.h"

#include <string>
#include <vector>

namespace convsmith::bench {

/// Names of the classes in the order of summaries.
const std::vector<std::string> &layer_classes();

/// The one class of a layer, of layer_classes().
const std::string &layer_class(const ConvDesc &desc);

} // namespace convsmith::bench
