// Joining of layers (see onnx_composites.h).
#include "runtime/frontend/onnx_composites.h"

#include "generators/composite.h"
#include "generators/signature.h"
#include "runtime/frontend/pairs.h"

#include <algorithm>

namespace convsmith::frontend {

namespace {

/// Layers in a row as one: a tensor of the second is called by its name and number, "filter2".
OnnxLayer in_a_row(const std::vector<OnnxLayer> &layers) {
    OnnxLayer joined;
    std::vector<ConvDesc> ops;
    for (const OnnxLayer &one : layers) {
        const int number = static_cast<int>(ops.size());
        for (const auto &[name, values] : one.layer.trained)
            joined.layer.trained[tensor_name(name, number)] = values;
        for (const auto &[name, value] : one.computed) {
            if (number == 0 || name != "input")
                joined.computed[tensor_name(name, number)] = value;
        }
        joined.layer.name += (number == 0 ? "" : "+") + one.layer.name;
        joined.output = one.output;
        ops.push_back(one.layer.desc);
    }
    joined.layer.desc = chain(ops);
    return joined;
}

} // namespace

bool is_private(const OnnxGraph &graph, const OnnxLayer &layer) {
    return !graph.is_output(layer.output) && graph.consumers(layer.output).size() == 1 &&
           last_op(layer.layer.desc).co_total == 0;
}

void join_pairs(const OnnxGraph &graph, std::vector<OnnxLayer> &layers) {
    std::vector<OnnxLayer> result;
    for (OnnxLayer &layer : layers) {
        const auto before = std::find_if(result.begin(), result.end(), [&](const OnnxLayer &one) {
            return one.output == layer.computed["input"] && is_pair(one.layer.desc, layer.layer.desc) &&
                   is_private(graph, one);
        });
        if (before != result.end()) {
            try {
                OnnxLayer pair = in_a_row({*before, layer});
                result.erase(before);
                layer = std::move(pair);
            } catch (const Error &) {
                // no kernel for both, such as of integers: they stay apart
            }
        }
        result.push_back(std::move(layer));
    }
    layers = std::move(result);
}

std::optional<std::vector<OnnxLayer>> squeezing_layers(const OnnxGraph &graph,
                                                       const std::vector<OnnxLayer> &layers,
                                                       const std::string &value, const std::string &gate) {
    std::vector<OnnxLayer> branch;
    for (std::string at = gate; at != value; at = branch.front().computed["input"]) {
        const auto writer = std::find_if(layers.begin(), layers.end(), [&](const OnnxLayer &one) {
            return one.output == at && is_private(graph, one) && !is_composite(one.layer.desc) &&
                   one.computed.size() == 1;
        });
        if (writer == layers.end())
            return std::nullopt;
        branch.insert(branch.begin(), *writer);
    }
    return branch.empty() ? std::nullopt : std::make_optional(branch);
}

OnnxLayer excited(const std::vector<OnnxLayer> &branch) {
    OnnxLayer joined = in_a_row(branch);
    joined.layer.name.clear();
    joined.layer.desc = excite(joined.layer.desc);
    return joined;
}

} // namespace convsmith::frontend
