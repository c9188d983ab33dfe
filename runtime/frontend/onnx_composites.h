// Layers of an ONNX graph that one kernel can compute together (generators/composite.h): a depthwise
// convolution and the pointwise one after it, squeeze-and-excitation. Used by onnx_layers.cpp once the layers
// themselves are made.
#pragma once

#include "runtime/frontend/onnx_layers.h"

#include <optional>
#include <string>
#include <vector>

namespace convsmith::frontend {

/// True if nothing but one node reads what `layer` writes, and that is a tensor of its own.
bool is_private(const OnnxGraph &graph, const OnnxLayer &layer);

/// Replaces every depthwise convolution whose only reader is a pointwise convolution, and that one, by a
/// chain of both, named "<depthwise>+<pointwise>".
void join_pairs(const OnnxGraph &graph, std::vector<OnnxLayer> &layers);

/// The layers that compute one number per channel of `value`, first to last, when read backwards from `gate`:
/// nothing if some other value takes part.
std::optional<std::vector<OnnxLayer>> squeezing_layers(const OnnxGraph &graph,
                                                       const std::vector<OnnxLayer> &layers,
                                                       const std::string &value, const std::string &gate);

/// `branch` and the product with its input as one layer, without a name. Throws Error if there is no kernel
/// for it.
OnnxLayer excited(const std::vector<OnnxLayer> &branch);

} // namespace convsmith::frontend
