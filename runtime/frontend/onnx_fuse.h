// What follows a Conv and becomes part of its layer: batch norm and other per-channel affine nodes (folded
// into weights and bias), a residual addition, activations. Used by onnx_import.cpp.
#pragma once

#include "generators/epilogue.h"
#include "runtime/frontend/onnx_graph.h"
#include "runtime/frontend/onnx_shapes.h"

#include <string>
#include <vector>

namespace convsmith::frontend {

/// The Conv's result r becomes stages(scale(co) * r + shift(co)), computed in double.
struct FusedTail {
    std::vector<double> scale;
    std::vector<double> shift;
    bool has_shift = false;            ///< some node adds a constant
    std::vector<EpilogueStage> stages; ///< after the bias
    std::vector<int> nodes;            ///< nodes that the layer replaces, the Conv not among them
    std::string output;                ///< the value that the layer computes
};

/// Collects what can be fused after node `conv`, which has `co` output channels. A node joins only if the
/// value before it has no other use.
FusedTail fuse_tail(const OnnxGraph &graph, const OnnxShapes &shapes, int conv, int co);

} // namespace convsmith::frontend
