// Sizes of every value of an ONNX graph: the caller's sizes for the inputs, then libonnx's shape inference.
#pragma once

#include "runtime/frontend/network.h"
#include "runtime/frontend/onnx_graph.h"

#include <string>
#include <unordered_map>
#include <vector>

namespace convsmith::frontend {

/// Shape by value name: dims, -1 where unknown; a value whose rank is unknown is absent.
using OnnxShapes = std::unordered_map<std::string, std::vector<int64_t>>;

/// Infers shapes. Throws Error(BadArgument) naming the input, its dims and the option to give if an input
/// keeps an open dimension, or if the caller names an unknown input or contradicts the model.
OnnxShapes infer_shapes(const OnnxGraph &graph, const ImportOptions &options);

/// True if rank and every dim of `value` are known.
bool is_known(const OnnxShapes &shapes, const std::string &value);

/// The node because of which `value` has no known shape, as text for messages.
std::string blame_unknown_shape(const OnnxGraph &graph, const OnnxShapes &shapes, const std::string &value);

} // namespace convsmith::frontend
