// Writing of layer lists (docs/layer_lists.md): the fields that people read, and per layer the exact key,
// from which layer_list.cpp reads the same layers back.
#include "generators/conv_shape.h"
#include "runtime/frontend/file_io.h"
#include "runtime/frontend/json_fields.h"
#include "runtime/frontend/network.h"

#include <fmt/format.h>

namespace convsmith {

namespace {

/// The name a layer list gives the chain's last activation; the key has the exact chain.
std::string saved_activation(const ConvDesc &desc) {
    if (desc.epilogue.empty() || epilogue_info(desc.epilogue.back().name).operand != Operand::None) {
        return "none";
    }
    return desc.epilogue.back().name;
}

Json save_layer(const Layer &layer) {
    const ConvDesc &desc = layer.desc;
    const auto axes = [&](const Spatial &s) { return std::vector<int>(s.begin(), s.begin() + desc.rank); };
    Json json = {{"name", layer.name}, {"op", "conv"}, {"n", desc.n}, {"ic", desc.ci}};
    for (int axis = 0; axis < desc.rank; ++axis) {
        json[std::string("i") + axis_name(axis, desc.rank)] = desc.in[axis];
    }
    json["oc"] = desc.co;
    for (int axis = 0; axis < desc.rank && !desc.is_open(); ++axis) {
        json[std::string("o") + axis_name(axis, desc.rank)] = out_extents(desc)[axis];
    }
    std::vector<int> pad = axes(desc.pad_begin);
    const std::vector<int> pad_end = axes(desc.pad_end);
    pad.insert(pad.end(), pad_end.begin(), pad_end.end());
    json["k"] = axes(desc.kernel);
    json["stride"] = axes(desc.stride);
    json["pad"] = pad;
    json["dilation"] = axes(desc.dilation);
    json["groups"] = desc.groups;
    json["bias"] = desc.has_operand(Operand::Bias);
    json["bn"] = false;
    json["activation"] = saved_activation(desc);
    json["add"] = desc.has_operand(Operand::Residual);
    if (!desc.is_open()) {
        json["macs"] = mac_count(desc);
    }
    json["params"] = parameter_count(desc);
    json["multiplicity"] = layer.multiplicity;
    json["key"] = desc.key();
    return json;
}

/// One object per line, as people read and diff these files.
std::string lines(const std::vector<Json> &objects) {
    std::string text = "[";
    for (size_t i = 0; i < objects.size(); ++i) {
        text += fmt::format("{}\n  {}", i ? "," : "",
                            objects[i].dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    return text + (objects.empty() ? "]" : "\n ]");
}

} // namespace

void save_layer_list(const Network &network, const std::string &path) {
    std::vector<Json> layers;
    for (const Layer &layer : network.layers) {
        layers.push_back(save_layer(layer));
    }
    std::vector<Json> skipped;
    for (const SkippedNode &node : network.skipped) {
        skipped.push_back({{"name", node.name}, {"op", node.op}, {"reason", node.reason}});
    }
    write_file_atomically(path,
                          fmt::format("{{\n \"network\": {},\n \"layers\": {},\n \"skipped\": {}\n}}\n",
                                      Json(network.name).dump(-1, ' ', false, Json::error_handler_t::replace),
                                      lines(layers), lines(skipped)));
}

} // namespace convsmith
