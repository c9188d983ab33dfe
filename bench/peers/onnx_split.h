// What ONNX Runtime made of a model, taken apart: reorders of its inputs and outputs, which a network has at
// its ends only, and what lies between. Before it: the optimised model; after it: onnxruntime.cpp.
#pragma once

#include <string>

namespace convsmith::bench {

/// Three serialised models; `before` and `after` are empty where there is nothing to reorder.
struct SplitModel {
    std::string before; ///< the inputs in ONNX Runtime's own layouts
    std::string layer;  ///< everything else
    std::string after;  ///< the result in the standard's layout, called "output"
    std::string operators;
    bool repeatable = false; ///< the weights lie in the layer as they are read: copies of it share them
};

/// Throws Error(Unsupported) if `optimized` is no model.
SplitModel split_model(const std::string &optimized);

/// `layer` computed `times` times in a row, on the same inputs and weights. Only the last result is kept, so
/// it is one call that costs as much as many; what lies outside the operators is spread over all of them.
std::string repeated_layer(const std::string &layer, int times);

} // namespace convsmith::bench
