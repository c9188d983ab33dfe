// See pairs.h.
#include "runtime/frontend/pairs.h"

#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "generators/variant.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace convsmith::frontend {

namespace {

/// Both as one layer, run as often as both are; nothing if the second does not take what the first gives.
std::optional<Layer> joined(const Layer &first, const Layer &second) {
    if (!is_pair(first.desc, second.desc) || input_shape(second.desc) != output_shape(first.desc) ||
        first.desc.is_open() || !first.trained.empty() || !second.trained.empty())
        return std::nullopt;
    Layer both;
    both.name = first.name + "+" + second.name;
    both.multiplicity = std::min(first.multiplicity, second.multiplicity);
    try {
        both.desc = chain({first.desc, second.desc});
    } catch (const Error &) {
        return std::nullopt; // no kernel for both, such as of integers
    }
    return both;
}

} // namespace

bool is_pair(const ConvDesc &first, const ConvDesc &second) {
    const bool has_stride = spatial_product(second.stride, second.rank) > 1;
    return is_depthwise(first) && is_pointwise(second) && !has_stride && !is_composite(first) &&
           !is_composite(second);
}

void join_listed_pairs(Network &network) {
    std::vector<Layer> result;
    for (Layer &layer : network.layers) {
        std::optional<Layer> both = result.empty() ? std::nullopt : joined(result.back(), layer);
        if (!both) {
            result.push_back(std::move(layer));
            continue;
        }
        result.back().multiplicity -= both->multiplicity;
        layer.multiplicity -= both->multiplicity;
        if (result.back().multiplicity == 0)
            result.pop_back();
        result.push_back(std::move(*both));
        if (layer.multiplicity > 0)
            result.push_back(std::move(layer));
    }
    network.layers = std::move(result);
}

} // namespace convsmith::frontend
