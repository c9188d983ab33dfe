// How a budget of time is shared between the layers of a network: by what they may gain.
#pragma once

#include "runtime/frontend/network.h"

#include <cstddef>
#include <vector>

namespace convsmith::autotune {

/// A weight for each layer, 1 on average: one half equal, since every search needs some time, one half the
/// layer's part of the network's arithmetic. Layers must be closed.
std::vector<double> tuning_weights(const std::vector<Layer> &layers);

/// Seconds for item `next` of `seconds_left`, which items `next` and later share by weight: what earlier ones
/// left of their shares is shared, too.
double share_of(double seconds_left, const std::vector<double> &weights, size_t next);

} // namespace convsmith::autotune
