// See budget.h.
#include "autotune/budget.h"

#include "generators/composite.h"
#include "generators/conv_shape.h"

#include <algorithm>
#include <numeric>

namespace convsmith::autotune {

std::vector<double> tuning_weights(const std::vector<Layer> &layers) {
    std::vector<double> weights;
    for (const Layer &layer : layers)
        weights.push_back(layer.multiplicity * static_cast<double>(mac_count(layer.desc)));
    const double all = std::accumulate(weights.begin(), weights.end(), 0.0);
    for (double &weight : weights)
        weight = 0.5 + (all > 0 ? 0.5 * weight / all * static_cast<double>(layers.size()) : 0.5);
    return weights;
}

double share_of(double seconds_left, const std::vector<double> &weights, size_t next) {
    const auto from = weights.begin() + static_cast<std::ptrdiff_t>(next);
    return std::max(0.0, seconds_left) * *from / std::accumulate(from, weights.end(), 0.0);
}

} // namespace convsmith::autotune
