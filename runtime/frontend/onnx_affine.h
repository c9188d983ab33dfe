// Per-channel constants and affine nodes of an ONNX graph: batch norm, and sums and products with constants.
// Used by onnx_fuse.cpp.
#pragma once

#include "runtime/frontend/onnx_graph.h"
#include "runtime/frontend/onnx_shapes.h"

#include <optional>
#include <string>
#include <vector>

namespace convsmith::frontend {

/// x -> scale(c) * x + shift(c).
struct Affine {
    std::vector<double> scale;
    std::vector<double> shift;
    bool has_shift = false;
};

/// The value [n][c][...] that a node is applied to, with `channels` channels as its layer sees it.
struct ChannelValue {
    std::string name;
    int channels = 0;
};

/// The affine map that `node` applies to `value`; nothing if it is none, or one with computed factors. Throws
/// Error(BadArgument) naming the node if a batch norm's parameters do not have one number per channel.
std::optional<Affine> read_affine(const OnnxGraph &graph, const OnnxShapes &shapes, int node,
                                  const ChannelValue &value);

/// The slopes of a PRelu node: nothing if it is none, or one whose slopes are computed or vary within a
/// channel.
std::optional<std::vector<double>> read_slopes(const OnnxGraph &graph, const OnnxShapes &shapes, int node,
                                               const ChannelValue &value);

} // namespace convsmith::frontend
