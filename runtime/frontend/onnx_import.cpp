// ONNX models as networks (see network.h): the layers of onnx_layers.h without their wiring.
#include "runtime/frontend/network.h"
#include "runtime/frontend/onnx_layers.h"

#include <filesystem>

namespace convsmith {

Network import_onnx(const std::string &path, const ImportOptions &options) {
    const frontend::OnnxGraph graph(path);
    frontend::OnnxLayers read = frontend::read_layers(graph, options);
    Network network;
    network.name = std::filesystem::path(path).stem().string();
    network.skipped = std::move(read.skipped);
    for (frontend::OnnxLayer &one : read.layers) {
        network.layers.push_back(std::move(one.layer));
    }
    return network;
}

} // namespace convsmith
