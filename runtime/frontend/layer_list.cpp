// Reading of layer lists: networks as JSON (docs/layer_lists.md), every field checked. Shapes only, no
// weights. Consumed through load_spec; layer_list_fields.cpp reads the fields of a layer, layer_list_save.cpp
// writes the same format.
#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "runtime/frontend/file_io.h"
#include "runtime/frontend/json_fields.h"
#include "runtime/frontend/layer_list_fields.h"
#include "runtime/frontend/network.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <set>

namespace convsmith {

namespace {

/// The descriptor of an exact key; fields beside it may repeat it but not contradict it.
ConvDesc read_key(const JsonFields &fields, const std::string &key) {
    ConvDesc desc = ConvDesc::parse(key);
    const Json stated = layer_fields(desc);
    static const std::set<std::string> for_the_reader = {"bias", "bn", "activation", "add", "macs", "params"};
    for (const auto &[field, want] : stated.items()) {
        const Json *got = fields.find(field);
        if (got == nullptr || *got == want || for_the_reader.count(field) != 0) {
            continue;
        }
        const std::optional<ListedOp> op =
            field == "op" && got->is_string() ? find_listed_op(got->get<std::string>()) : std::nullopt;
        if (!op || op->op != whole_op(desc)) {
            fields.fail(field, got->dump(), want.dump() + " as in the key");
        }
    }
    return desc;
}

/// Output channels and extents that the list states, before rearrangement.
void check_output(const JsonFields &fields, const ConvDesc &desc) {
    const ConvDesc &last = last_op(desc);
    fields.expect("oc", last.co);
    for (int axis = 0; axis < desc.rank; ++axis) {
        if (last.in[axis] != 0) {
            fields.expect(std::string("o") + axis_name(axis, desc.rank), out_extents(last)[axis]);
        }
    }
}

/// Reads and validates the descriptor; every Error names the layer.
ConvDesc read_desc(const JsonFields &fields, const ListedOp &op, const ListDefaults &defaults) {
    try {
        const std::string key = fields.text("key", "");
        if (key.empty() && (op.op == Op::Chain || op.op == Op::Concat || op.op == Op::Excite)) {
            fields.fail("key", "missing", "the key: it has what the " + op_info(op.op).name + " consists of");
        }
        ConvDesc desc = key.empty() ? read_layer_fields(fields, op, defaults) : read_key(fields, key);
        desc.validate();
        return desc;
    } catch (const Error &error) {
        if (error.code() == ErrorCode::Unsupported) {
            throw UnsupportedLayer{error.what()};
        }
        const std::string what = error.what(); // already placed if it comes from `fields`
        const bool placed = what.compare(0, fields.where().size(), fields.where()) == 0;
        throw Error(error.code(), placed ? what : fmt::format("{}: {}", fields.where(), what));
    }
}

/// Appends the layer, before it the activation of its input if it has one.
void append_layer(const JsonFields &fields, const ListedOp &op, const ListDefaults &defaults,
                  const std::string &name, std::vector<Layer> &layers) {
    Layer layer;
    layer.name = name;
    layer.multiplicity = fields.integer("multiplicity").value_or(1);
    if (layer.multiplicity < 1) {
        fields.fail("multiplicity", std::to_string(layer.multiplicity), "at least 1");
    }
    layer.desc = read_desc(fields, op, defaults);
    check_output(fields, layer.desc);
    if (const std::optional<ConvDesc> activation = read_input_activation(fields, layer.desc)) {
        Layer pre;
        pre.name = name + ".pre";
        pre.multiplicity = layer.multiplicity;
        pre.desc = *activation;
        layers.push_back(std::move(pre));
    }
    layers.push_back(std::move(layer));
}

void read_layer(const std::string &where, const Json &object, size_t index, const ListDefaults &defaults,
                Network &network) {
    if (!object.is_object()) {
        throw Error(ErrorCode::BadArgument,
                    fmt::format("{}: layer {} is {}, want an object", where, index, object.type_name()));
    }
    const JsonFields unnamed(fmt::format("{}: layer {}", where, index), object);
    const std::string name = unnamed.text("name", fmt::format("layer{}", index));
    const JsonFields fields(fmt::format("{}: layer {} '{}'", where, index, name), object);
    const std::string op_name = fields.text("op", "conv");
    const std::optional<ListedOp> op = find_listed_op(op_name);
    if (!op) {
        network.skipped.push_back({name, op_name, fmt::format("op '{}' is not supported", op_name)});
        return;
    }
    try {
        append_layer(fields, *op, defaults, name, network.layers);
    } catch (const UnsupportedLayer &unsupported) {
        network.skipped.push_back({name, op_name, unsupported.reason});
    }
}

void read_skipped(const JsonFields &fields, const std::string &path, Network &network) {
    const Json *list = fields.find("skipped");
    if (!list) {
        return;
    }
    if (!list->is_array()) {
        fields.fail("skipped", list->type_name(), "an array");
    }
    for (const Json &object : *list) {
        if (!object.is_object()) {
            fields.fail("skipped", object.dump(), "an array of objects");
        }
        const JsonFields node(fmt::format("{}: skipped", path), object);
        network.skipped.push_back({node.text("name", ""), node.text("op", ""), node.text("reason", "")});
    }
}

} // namespace

Network load_layer_list(const std::string &path) {
    const std::string content = read_file(path);
    Json json;
    try {
        json = Json::parse(content);
    } catch (const Json::exception &error) {
        throw Error(ErrorCode::BadArgument, fmt::format("{}: no JSON: {}", path, error.what()));
    }
    if (!json.is_object()) {
        throw Error(ErrorCode::BadArgument,
                    fmt::format("{}: is a JSON {}, want an object with 'layers'", path, json.type_name()));
    }
    const JsonFields fields(path, json);
    const Json *layers = fields.find("layers");
    if (!layers || !layers->is_array()) {
        fields.fail("layers", layers ? layers->type_name() : "missing", "an array of layers");
    }
    const ListDefaults defaults = {fields.text("layout", ""), fields.text("dtype", "")};
    Network network;
    network.name = fields.text("network", std::filesystem::path(path).stem().string());
    for (size_t i = 0; i < layers->size(); ++i) {
        read_layer(path, (*layers)[i], i, defaults, network);
    }
    read_skipped(fields, path, network);
    return network;
}

} // namespace convsmith
