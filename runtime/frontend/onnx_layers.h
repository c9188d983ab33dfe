// The layers of an ONNX graph and how they are wired: every operation that convsmith compiles becomes one
// with its trained values (onnx_ops.h), what follows it is fused (onnx_fuse.h), every other node is listed
// with the reason. Used by onnx_import.cpp for models and by case_onnx.cpp for case files.
#pragma once

#include "runtime/frontend/network.h"
#include "runtime/frontend/onnx_graph.h"
#include "runtime/frontend/onnx_shapes.h"

#include <map>
#include <string>
#include <vector>

namespace convsmith::frontend {

/// A layer and the values of the graph that it reads and writes.
struct OnnxLayer {
    Layer layer;
    std::map<std::string, std::string> computed; ///< "input", "offset", "mask", "residual": names of values
    std::string output;
    std::string indices; ///< of MaxPool; empty if there are none
};

struct OnnxLayers {
    std::vector<OnnxLayer> layers;
    std::vector<SkippedNode> skipped;
    OnnxShapes shapes;
};

/// True for operators whose output is their first input, seen with another shape or none the wiser: memory
/// needs no kernel for them.
bool is_view(const OnnxGraph &graph, int node);

/// Reads every layer. Throws Error(BadArgument) naming file and node for a model that contradicts itself.
OnnxLayers read_layers(const OnnxGraph &graph, const ImportOptions &options);

} // namespace convsmith::frontend
