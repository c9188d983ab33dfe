// Networks as the front ends deliver them: layer lists (JSON), ONNX models and single keys all become a list
// of ConvDesc with names. Consumed by every CLI subcommand, bench, demo and tests.
#pragma once

#include "generators/conv_desc.h"
#include "runtime/tensor.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace convsmith {

/// One operation of a network.
struct Layer {
    std::string name;
    ConvDesc desc;
    int multiplicity = 1; ///< how often the network runs this very problem
    /// Trained values where the source has them (ONNX) by the names of tensor_specs, the filter in
    /// filter_shape order: "filter", "bias", "scale", "slope".
    std::map<std::string, std::shared_ptr<const Tensor>> trained;

    /// The trained values of the tensor called `tensor`; null if the source has none.
    std::shared_ptr<const Tensor> values(const std::string &tensor) const {
        const auto found = trained.find(tensor);
        return found == trained.end() ? nullptr : found->second;
    }
};

/// A node or layer that convsmith does not compile, with the reason; never dropped silently.
struct SkippedNode {
    std::string name;
    std::string op;
    std::string reason;
};

struct Network {
    std::string name;
    std::vector<Layer> layers;
    std::vector<SkippedNode> skipped;
};

/// How a model is read.
struct ImportOptions {
    std::map<std::string, std::vector<int64_t>>
        shapes;              ///< ONNX: full shapes of inputs with dynamic dimensions
    bool composites = false; ///< layers that one kernel can compute together are one layer; of a layer list,
                             ///< depthwise-pointwise pairs
};

/// Reads a layer list in the format of docs/layer_lists.md. Throws Error naming file, layer and
/// field.
Network load_layer_list(const std::string &path);

/// Writes one (atomically: a temporary file, then a rename). The result reads back to the same layers.
void save_layer_list(const Network &network, const std::string &path);

/// Reads an ONNX model: which nodes become layers and what is fused into them is listed in docs/onnx.md.
/// Throws Error naming file and node.
Network import_onnx(const std::string &path, const ImportOptions &options = ImportOptions());

/// A SPEC of the command line: a key, a layer list (.json) or an ONNX model (.onnx).
Network load_spec(const std::string &spec, const ImportOptions &options = ImportOptions());

} // namespace convsmith
