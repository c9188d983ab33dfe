// Channel shuffles and pixel shuffles spelled as Reshape, Transpose, Reshape. Used by onnx_fuse.h.
#pragma once

#include "generators/conv_desc.h"
#include "runtime/frontend/onnx_graph.h"
#include "runtime/frontend/onnx_shapes.h"

#include <optional>
#include <string>
#include <vector>

namespace convsmith::frontend {

/// Three nodes that together are an index map of a descriptor's store.
struct RearrangeMatch {
    Rearrange rearrange;
    int factor;
    std::vector<int> nodes;
    std::string output;
};

/// The index map of [n][c][spatial...] that node `reshape` begins, recognised by where Reshape, Transpose and
/// Reshape move elements; nothing if they are none, or if something else reads a value between them.
std::optional<RearrangeMatch> spelled_rearrangement(const OnnxGraph &graph, const OnnxShapes &shapes,
                                                    int reshape);

} // namespace convsmith::frontend
