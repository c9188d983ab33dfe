// Activations in an ONNX graph as epilogue stages: single operators, and activations spelled out in several
// nodes. Used by onnx_fuse.h.
#pragma once

#include "generators/epilogue.h"
#include "runtime/frontend/onnx_graph.h"

#include <optional>
#include <string>
#include <vector>

namespace convsmith::frontend {

/// Element-wise stages that one operator is.
struct Activation {
    std::vector<EpilogueStage> stages; ///< none: the operator changes nothing
    double scale = 1;                  ///< of every channel, for the stage channel_scale if there is one
};

/// Nodes that together compute `stage` of one value.
struct ActivationMatch {
    EpilogueStage stage;
    std::vector<int> nodes;
    std::string output;
};

/// The activation that a single operator applies to its only computed input; nothing if `node` is none, or
/// one whose parameters are not constant.
std::optional<Activation> single_activation(const OnnxGraph &graph, int node);

/// The activation that all consumers of `value` spell out together, such as x * sigmoid(x), recognised by
/// what it computes: the nodes are evaluated on sample points and compared with every stage of the epilogue
/// table that has no parameters. Values inside must have no consumer outside.
std::optional<ActivationMatch> spelled_activation(const OnnxGraph &graph, const std::string &value);

} // namespace convsmith::frontend
