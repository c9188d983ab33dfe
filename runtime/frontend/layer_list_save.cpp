// Writing of layer lists (docs/layer_lists.md): the fields that people read, and per layer the exact key,
// from which layer_list.cpp reads the same layers back.
#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "runtime/frontend/file_io.h"
#include "runtime/frontend/json_fields.h"
#include "runtime/frontend/layer_list_fields.h"
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

std::vector<int> axes_of(const ConvDesc &desc, const Spatial &s) {
    return {s.begin(), s.begin() + desc.rank};
}

std::string saved_types(const ConvDesc &desc) {
    const std::string &in = dtype_name(desc.in_type);
    if (desc.weight_type == desc.in_type && desc.acc_type == desc.in_type && desc.out_type == desc.in_type) {
        return in;
    }
    return fmt::format("{}x{}x{}x{}", in, dtype_name(desc.weight_type), dtype_name(desc.acc_type),
                       dtype_name(desc.out_type));
}

std::string saved_layout(const ConvDesc &desc) {
    const std::string in = layout_name(desc.in_layout, desc.rank);
    return desc.in_layout == desc.out_layout ? in : in + "2" + layout_name(desc.out_layout, desc.rank);
}

/// The fields that only some ops have, where this op has them.
void save_op_fields(const ConvDesc &desc, Json &json) {
    const bool is_pool = op_info(desc.op).is_pool;
    if (op_info(desc.op).has_filter) {
        json["groups"] = desc.groups;
    }
    if (desc.op == Op::Deconv) {
        json["output_padding"] = axes_of(desc, desc.out_pad);
    }
    if (desc.op == Op::Deform) {
        json["offset_groups"] = desc.offset_groups;
        json["modulated"] = desc.masked;
    }
    if (is_pool) {
        json["ceil_mode"] = desc.ceil_mode;
    }
    if (desc.op == Op::AvgPool) {
        json["count_include_pad"] = desc.pad_mode != PadMode::Ignore;
    }
    if (desc.op == Op::LpPool) {
        json["norm"] = desc.norm;
    }
    for (const auto &[name, indices] : index_order_names()) {
        if (desc.indices == indices) {
            json["indices"] = name;
        }
    }
}

/// Where the output goes, if not to a tensor of its own in its own order.
void save_store(const ConvDesc &desc, Json &json) {
    for (const auto &[name, rearrange] : rearrange_names()) {
        if (desc.rearrange == rearrange) {
            json["rearrange"] = name;
            json["rearrange_factor"] = desc.rearrange_factor;
        }
    }
    if (desc.co_total != 0) {
        json["oc_total"] = desc.co_total;
        json["oc_begin"] = desc.co_begin;
    }
}

void save_epilogue(const ConvDesc &desc, Json &json) {
    json["bias"] = desc.has_operand(Operand::Bias);
    json["bn"] = false;
    json["activation"] = saved_activation(desc);
    json["add"] = desc.has_operand(Operand::Residual);
    json["epilogue"] = Json::array();
    for (const EpilogueStage &stage : desc.epilogue) {
        std::string text = stage.name;
        for (const double value : stage.params) {
            text += "_v" + number_token(value);
        }
        json["epilogue"].push_back(text);
    }
}

Json save_layer(const Layer &layer) {
    Json json = {{"name", layer.name}};
    json.update(layer_fields(layer.desc));
    json["multiplicity"] = layer.multiplicity;
    json["key"] = layer.desc.key();
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

/// What the op reads and writes; of a composite the input of the first and the output of the last.
Json shape_fields(const ConvDesc &desc) {
    Json json = {{"op", op_info(whole_op(desc)).name}, {"n", desc.n}, {"ic", desc.ci}};
    for (int axis = 0; axis < desc.rank; ++axis) {
        json[std::string("i") + axis_name(axis, desc.rank)] = desc.in[axis];
    }
    json["oc"] = last_op(desc).co;
    for (int axis = 0; axis < desc.rank && !desc.is_open(); ++axis) {
        json[std::string("o") + axis_name(axis, desc.rank)] = out_extents(last_op(desc))[axis];
    }
    return json;
}

/// For the reader of the file.
void save_counts(const ConvDesc &desc, Json &json) {
    if (!desc.is_open()) {
        json["macs"] = mac_count(desc);
    }
    json["params"] = parameter_count(desc);
}

} // namespace

Json layer_fields(const ConvDesc &desc) {
    Json json = shape_fields(desc);
    if (is_composite(desc)) { // only the key has what lies between
        json["layout"] = saved_layout(desc);
        json["dtype"] = saved_types(desc);
        save_counts(desc, json);
        return json;
    }
    std::vector<int> pad = axes_of(desc, desc.pad_begin);
    const std::vector<int> pad_end = axes_of(desc, desc.pad_end);
    pad.insert(pad.end(), pad_end.begin(), pad_end.end());
    json["k"] = axes_of(desc, desc.kernel);
    json["stride"] = axes_of(desc, desc.stride);
    json["pad"] = pad;
    json["dilation"] = axes_of(desc, desc.dilation);
    json["pad_mode"] = pad_mode_name(desc.pad_mode);
    if (desc.pad_mode == PadMode::Constant) {
        json["pad_value"] = desc.pad_value;
    }
    save_op_fields(desc, json);
    save_store(desc, json);
    json["layout"] = saved_layout(desc);
    json["dtype"] = saved_types(desc);
    save_epilogue(desc, json);
    save_counts(desc, json);
    return json;
}

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
