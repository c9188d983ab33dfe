// A SPEC of the command line: a descriptor key, a layer list or an ONNX model, told apart by how it is
// spelled.
#include "generators/error.h"
#include "runtime/frontend/pairs.h"

#include <fmt/format.h>

#include <algorithm>

namespace convsmith {

namespace {

bool ends_with(const std::string &text, const std::string &end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// Spelled like a key: letters, digits and underscores, opening with an op's name.
bool is_key_like(const std::string &text) {
    const auto is_key_char = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
    const auto opens = [&](const OpInfo &op) { return text.compare(0, op.name.size(), op.name) == 0; };
    return std::any_of(op_table().begin(), op_table().end(), opens) &&
           std::all_of(text.begin(), text.end(), is_key_char);
}

} // namespace

Network load_spec(const std::string &spec, const ImportOptions &options) {
    if (ends_with(spec, ".onnx")) {
        return import_onnx(spec, options);
    }
    if (ends_with(spec, ".json")) {
        Network network = load_layer_list(spec);
        if (options.composites)
            frontend::join_listed_pairs(network);
        return network;
    }
    if (!is_key_like(spec)) {
        throw Error(
            ErrorCode::BadArgument,
            fmt::format("SPEC '{}': want a key (conv_ci64_i56x56_co64_k3), a layer list (.json) or an "
                        "ONNX model (.onnx)",
                        spec));
    }
    Layer layer;
    layer.desc = ConvDesc::parse(spec);
    layer.name = layer.desc.key();
    Network network;
    network.name = layer.name;
    network.layers.push_back(std::move(layer));
    return network;
}

} // namespace convsmith
