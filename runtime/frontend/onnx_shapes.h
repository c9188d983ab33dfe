// Sizes of every value of an ONNX graph: the caller's sizes for the inputs, then libonnx's shape inference.
#pragma once

#include "runtime/frontend/network.h"
#include "runtime/frontend/onnx_graph.h"

#include <string>
#include <unordered_map>
#include <vector>

namespace convsmith::frontend {

/// What is known of the values of a graph, by name.
struct OnnxShapes {
    std::unordered_map<std::string, std::vector<int64_t>> dims; ///< -1: unknown; absent: rank unknown
    std::unordered_map<std::string, int> types; ///< onnx::TensorProto::DataType; absent: unknown

    /// Dims of `value`; null if even its rank is unknown.
    const std::vector<int64_t> *find(const std::string &value) const {
        const auto at = dims.find(value);
        return at == dims.end() ? nullptr : &at->second;
    }
};

/// Infers shapes; of the values in `known` it takes them from there, because libonnx does not know their
/// operators or another version of them. Throws Error(BadArgument) naming the input, its dims and the option
/// to give if an input keeps an open dimension, or if the caller names an unknown input or contradicts the
/// model.
OnnxShapes infer_shapes(const OnnxGraph &graph, const ImportOptions &options,
                        const OnnxShapes &known = OnnxShapes());

/// True if rank and every dim of `value` are known.
bool is_known(const OnnxShapes &shapes, const std::string &value);

/// The node because of which `value` has no known shape, as text for messages.
std::string blame_unknown_shape(const OnnxGraph &graph, const OnnxShapes &shapes, const std::string &value);

} // namespace convsmith::frontend
