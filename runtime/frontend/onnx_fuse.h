// What follows an operation and becomes part of its layer: batch norm and other per-channel affine nodes
// (folded into weights and bias, or stages of their own), activations, a residual addition, an index map.
// Used by onnx_layers.cpp.
#pragma once

#include "runtime/frontend/onnx_graph.h"
#include "runtime/frontend/onnx_shapes.h"

#include "generators/conv_desc.h"

#include <map>
#include <string>
#include <vector>

namespace convsmith::frontend {

/// An operation before fusion.
struct FuseStart {
    ConvDesc desc;            ///< with an empty epilogue
    int node = 0;             ///< what is added to the operation must be ready before this node runs
    std::string output;       ///< the value that the operation computes
    std::vector<double> bias; ///< that it adds; empty if none
};

/// The operation's sum r becomes scale(co) * r (folded into the weights), to which the descriptor's epilogue
/// is applied. Everything is computed in double.
struct FusedTail {
    ConvDesc desc;
    std::vector<double> scale;                          ///< of the weights
    std::map<std::string, std::vector<double>> trained; ///< what the epilogue reads: "bias", "scale", "slope"
    std::map<std::string, std::string> computed;        ///< "residual", "gate": the value that it is
    std::vector<int> nodes; ///< that the layer replaces, the operation's own not among them
    std::string output;     ///< the value that the layer computes
};

/// Collects what can be fused after an operation. A node joins only if the value before it has no other use
/// and a kernel for all of it exists.
FusedTail fuse_tail(const OnnxGraph &graph, const OnnxShapes &shapes, const FuseStart &start);

/// The same for a layer that begins with element-wise node `start.node` on the value `start.output`, of which
/// there may be other uses. Its nodes are empty if that node cannot be fused.
FusedTail fuse_from(const OnnxGraph &graph, const OnnxShapes &shapes, const FuseStart &start);

} // namespace convsmith::frontend
