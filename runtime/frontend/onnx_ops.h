// ONNX operators as descriptors: the one place that knows what attributes, inputs and defaults of an operator
// mean. Used by onnx_layers.h, and through it for models and for ONNX-style case files.
#pragma once

#include "runtime/frontend/onnx_node.h"

#include <map>
#include <optional>
#include <string>

namespace convsmith::frontend {

/// One node as one operation, without an epilogue.
struct OnnxOperation {
    ConvDesc desc;
    /// Which input of the node each tensor is, by the names of tensor_specs; "bias" among them although the
    /// epilogue has no stage for it yet.
    std::map<std::string, int> inputs = {{"input", 0}};
};

/// Operators with a window: Conv, ConvTranspose, DeformConv, MaxPool, AveragePool, LpPool and the global
/// pools.
bool is_window_operator(const OnnxGraph &graph, int node);

/// Reads one of those. Throws Error(BadArgument) naming node and attribute if it contradicts the standard or
/// its inputs, Error(Unsupported) if there is no kernel for it.
OnnxOperation read_window(const OnnxGraph &graph, const OnnxShapes &shapes, int node);

/// Reads a Pad as an identity. Throws like read_window.
OnnxOperation read_pad(const OnnxGraph &graph, const OnnxShapes &shapes, int node);

/// The identity of input `input` of a node, for operators that compute each element or channel by itself.
/// Values of other than 3 to 5 dimensions are seen as [n][c][all others]; `flat` sees every element as a
/// channel. Throws Unsupported if its shape or type has no kernel.
ConvDesc identity_of(const OnnxGraph &graph, const OnnxShapes &shapes, int node, int input = 0,
                     bool flat = false);

/// `window` on the input of `pad`, an identity that feeds it: nothing if the window's padding cannot do what
/// both paddings do.
std::optional<ConvDesc> fold_padding(const ConvDesc &pad, const ConvDesc &window);

/// Index map of a DepthToSpace or SpaceToDepth node and its block size in the descriptor; false for any
/// other.
bool read_rearrangement(const OnnxGraph &graph, int node, ConvDesc &desc);

} // namespace convsmith::frontend
