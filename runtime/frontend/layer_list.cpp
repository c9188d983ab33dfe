// Reading of layer lists: networks as JSON (docs/layer_lists.md), every field checked. Shapes only, no
// weights. Consumed through load_spec; layer_list_save.cpp writes the same format.
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "runtime/frontend/file_io.h"
#include "runtime/frontend/json_fields.h"
#include "runtime/frontend/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

namespace convsmith {

namespace {

/// A layer that is valid but that convsmith does not compile.
struct Unsupported {
    std::string reason;
};

void read_axes(const JsonFields &fields, const std::string &field, int rank, Spatial &axes) {
    const auto numbers = fields.integers(field);
    if (!numbers) {
        return;
    }
    if (static_cast<int>(numbers->size()) != rank) {
        fields.fail(field, fmt::format("[{}]", fmt::join(*numbers, ", ")),
                    fmt::format("{} numbers, one per axis of 'k'", rank));
    }
    std::copy(numbers->begin(), numbers->end(), axes.begin());
}

void read_padding(const JsonFields &fields, ConvDesc &desc) {
    const auto numbers = fields.integers("pad");
    if (numbers && static_cast<int>(numbers->size()) != 2 * desc.rank) {
        fields.fail("pad", fmt::format("[{}]", fmt::join(*numbers, ", ")),
                    fmt::format("{} numbers: begin of every axis, then end of every axis", 2 * desc.rank));
    }
    for (int axis = 0; numbers && axis < desc.rank; ++axis) {
        desc.pad_begin[axis] = (*numbers)[axis];
        desc.pad_end[axis] = (*numbers)[desc.rank + axis];
    }
    const std::string mode = fields.text("pad_mode", pad_mode_name(PadMode::Zeros));
    std::vector<std::string> known;
    for (const PadMode candidate :
         {PadMode::Zeros, PadMode::Constant, PadMode::Reflect, PadMode::Replicate, PadMode::Circular}) {
        known.push_back(pad_mode_name(candidate));
        if (mode == known.back()) {
            desc.pad_mode = candidate;
            known.clear();
            break;
        }
    }
    if (!known.empty()) {
        fields.fail("pad_mode", "'" + mode + "'", fmt::format("one of {}", fmt::join(known, ", ")));
    }
    if (const Json *value = fields.find("pad_value")) {
        if (!value->is_number()) {
            fields.fail("pad_value", value->dump(), "a number");
        }
        desc.pad_value = value->get<double>();
    }
}

void read_layout(const JsonFields &fields, const std::string &default_layout, ConvDesc &desc) {
    const std::string last = layout_name(Layout::ChannelsLast, desc.rank);
    const std::string first = layout_name(Layout::ChannelsFirst, desc.rank);
    const std::string layout = fields.text("layout", default_layout.empty() ? last : default_layout);
    const size_t to = layout.find('2');
    const std::string in = layout.substr(0, to);
    const std::string out = to == std::string::npos ? in : layout.substr(to + 1);
    for (const std::string &name : {in, out}) {
        if (name != last && name != first) {
            fields.fail("layout", "'" + layout + "'",
                        fmt::format("{0}, {1}, {0}2{1} or {1}2{0}", last, first));
        }
    }
    desc.in_layout = in == last ? Layout::ChannelsLast : Layout::ChannelsFirst;
    desc.out_layout = out == last ? Layout::ChannelsLast : Layout::ChannelsFirst;
}

void read_dtype(const JsonFields &fields, const std::string &default_dtype, ConvDesc &desc) {
    const std::string name = fields.text("dtype", default_dtype.empty() ? "f32" : default_dtype);
    const std::optional<DType> dtype = parse_dtype(name);
    if (!dtype) {
        fields.fail("dtype", "'" + name + "'", "a type such as f32 or f64");
    }
    desc.in_type = desc.weight_type = desc.acc_type = desc.out_type = *dtype;
}

/// The stage that a list calls `name`; nothing for "none".
std::optional<EpilogueStage> activation_stage(const JsonFields &fields, const std::string &name) {
    if (name == "none") {
        return std::nullopt;
    }
    if (name == "hardsigmoid") {
        return EpilogueStage{"hard_sigmoid", {1.0 / 6, 0.5}}; // PyTorch's and MobileNetV3's definition
    }
    if (name == "hardswish") {
        return epilogue_stage("hard_swish");
    }
    std::vector<std::string> known = {"none", "hardsigmoid", "hardswish"};
    for (const EpilogueInfo &info : epilogue_table()) {
        if (info.operand == Operand::None && info.name == name) {
            return epilogue_stage(name);
        }
        if (info.operand == Operand::None) {
            known.push_back(info.name);
        }
    }
    fields.fail("activation", "'" + name + "'", fmt::format("one of {}", fmt::join(known, ", ")));
}

/// The chain of a layer: bias (or a folded batch norm), residual, activation.
std::vector<EpilogueStage> read_epilogue(const JsonFields &fields) {
    std::vector<EpilogueStage> chain;
    if (fields.boolean("bias") || fields.boolean("bn")) {
        chain.push_back(epilogue_stage("bias"));
    }
    const std::string name = fields.text("activation", "none");
    const std::optional<EpilogueStage> activation = activation_stage(fields, name);
    const Json *add = fields.find("add");
    if (add && add->is_string() && activation && *add == fmt::format("{0}({0}(conv)+residual)", name)) {
        chain.push_back(*activation);
    } else if (add && add->is_string() && *add != "skip sum") {
        throw Unsupported{fmt::format("add '{}' is not supported", add->get<std::string>())};
    }
    const bool residual = add && (add->is_string() || fields.boolean("add"));
    if (residual) {
        chain.push_back(epilogue_stage("residual"));
    }
    if (activation) {
        chain.push_back(*activation);
    }
    return chain;
}

/// Defaults that the file states once for all layers.
struct ListDefaults {
    std::string layout;
    std::string dtype;
};

ConvDesc read_fields(const JsonFields &fields, const ListDefaults &defaults) {
    const auto kernel = fields.integers("k");
    if (!kernel || kernel->empty() || kernel->size() > kMaxSpatialRank) {
        fields.fail("k", kernel ? fmt::format("[{}]", fmt::join(*kernel, ", ")) : "missing",
                    "1 to 3 kernel extents");
    }
    ConvDesc desc;
    desc.rank = static_cast<int>(kernel->size());
    desc.n = fields.integer("n").value_or(1);
    desc.ci = fields.required_integer("ic");
    desc.co = fields.required_integer("oc");
    desc.groups = fields.integer("groups").value_or(1);
    for (int axis = 0; axis < kMaxSpatialRank; ++axis) {
        const std::string field = std::string("i") + axis_name(axis, kMaxSpatialRank);
        const int spatial = axis - (kMaxSpatialRank - desc.rank);
        if (spatial >= 0) {
            desc.in[spatial] = fields.required_integer(field);
        } else if (const auto extra = fields.integer(field)) {
            fields.fail(field, std::to_string(*extra), fmt::format("nothing: 'k' has {} axes", desc.rank));
        }
    }
    read_axes(fields, "k", desc.rank, desc.kernel);
    read_axes(fields, "stride", desc.rank, desc.stride);
    read_axes(fields, "dilation", desc.rank, desc.dilation);
    read_padding(fields, desc);
    read_layout(fields, defaults.layout, desc);
    read_dtype(fields, defaults.dtype, desc);
    desc.epilogue = read_epilogue(fields);
    return desc;
}

/// The descriptor of an exact key; fields beside it may repeat it but not contradict it.
ConvDesc read_key(const JsonFields &fields, const std::string &key) {
    ConvDesc desc = ConvDesc::parse(key);
    fields.expect("n", desc.n);
    fields.expect("ic", desc.ci);
    fields.expect("oc", desc.co);
    fields.expect("groups", desc.groups);
    const auto expect_axes = [&](const char *field, std::vector<int> want) {
        const auto got = fields.integers(field);
        if (got && *got != want) {
            fields.fail(field, fmt::format("[{}]", fmt::join(*got, ", ")),
                        fmt::format("[{}] as in the key", fmt::join(want, ", ")));
        }
    };
    const auto axes = [&](const Spatial &s) { return std::vector<int>(s.begin(), s.begin() + desc.rank); };
    std::vector<int> pad = axes(desc.pad_begin);
    const std::vector<int> pad_end = axes(desc.pad_end);
    pad.insert(pad.end(), pad_end.begin(), pad_end.end());
    expect_axes("k", axes(desc.kernel));
    expect_axes("stride", axes(desc.stride));
    expect_axes("dilation", axes(desc.dilation));
    expect_axes("pad", pad);
    for (int axis = 0; axis < desc.rank; ++axis) {
        fields.expect(std::string("i") + axis_name(axis, desc.rank), desc.in[axis]);
    }
    return desc;
}

void check_output(const JsonFields &fields, const ConvDesc &desc) {
    fields.expect("oc", desc.co);
    for (int axis = 0; axis < desc.rank; ++axis) {
        if (desc.in[axis] == 0) {
            continue;
        }
        const int64_t want = conv_out_extent(desc.in[axis], desc.kernel[axis], desc.stride[axis],
                                             desc.dilation[axis], desc.pad_begin[axis], desc.pad_end[axis]);
        fields.expect(std::string("o") + axis_name(axis, desc.rank), want);
    }
}

Layer read_conv(const JsonFields &fields, const ListDefaults &defaults, const std::string &name) {
    const std::string pre = fields.text("pre", "none");
    if (pre != "none") {
        throw Unsupported{fmt::format("activation '{}' of the input (pre) is not supported", pre)};
    }
    Layer layer;
    layer.name = name;
    layer.multiplicity = fields.integer("multiplicity").value_or(1);
    if (layer.multiplicity < 1) {
        fields.fail("multiplicity", std::to_string(layer.multiplicity), "at least 1");
    }
    try {
        const std::string key = fields.text("key", "");
        layer.desc = key.empty() ? read_fields(fields, defaults) : read_key(fields, key);
        layer.desc.validate();
    } catch (const Error &error) {
        if (error.code() == ErrorCode::Unsupported) {
            throw Unsupported{error.what()};
        }
        const std::string what = error.what(); // already placed if it comes from `fields`
        const bool placed = what.compare(0, fields.where().size(), fields.where()) == 0;
        throw Error(error.code(), placed ? what : fmt::format("{}: {}", fields.where(), what));
    }
    check_output(fields, layer.desc);
    return layer;
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
    const std::string op = fields.text("op", "conv");
    if (op != "conv") {
        network.skipped.push_back({name, op, fmt::format("op '{}' is not supported", op)});
        return;
    }
    try {
        network.layers.push_back(read_conv(fields, defaults, name));
    } catch (const Unsupported &unsupported) {
        network.skipped.push_back({name, op, unsupported.reason});
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
