// Reader of ONNX-style cases: a node list with attributes as the model gives them, tensors in files.
#include "runtime/frontend/case_readers.h"

#include "generators/conv_shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <map>

namespace convsmith {

namespace {

/// A node and its attributes; absent ones take ONNX's defaults.
struct Node {
    explicit Node(const JsonField &node)
        : op(node.at("op").text()), inputs(node.at("inputs").items()), field(node),
          attributes(node.at("attrs")) {}

    double number(const std::string &name, double absent) const {
        return attributes.has(name) ? attributes.at(name).number() : absent;
    }
    std::string text(const std::string &name, const std::string &absent) const {
        return attributes.has(name) ? attributes.at(name).text() : absent;
    }
    Spatial spatial(const std::string &name, int rank, const Spatial &absent) const {
        return attributes.has(name) ? to_spatial(attributes.at(name).integers(), rank, attributes.at(name))
                                    : absent;
    }
    /// The name of input `i`, empty if absent.
    std::string input(size_t i) const { return i < inputs.size() ? inputs[i].text() : ""; }

    std::string op;
    std::vector<JsonField> inputs;
    JsonField field;
    JsonField attributes;
};

using Records = std::map<std::string, TensorRecord>;

Records read_records(const JsonField &root) {
    Records records;
    for (const char *list : {"inputs", "initializers"}) {
        for (const JsonField &item : root.at(list).items()) {
            TensorRecord record(item);
            records.emplace(record.name, record);
        }
    }
    return records;
}

const TensorRecord &record_of(const Records &records, const Node &node, size_t input) {
    const auto found = records.find(node.input(input));
    if (found == records.end()) {
        node.field.at("inputs").fail(fmt::format("entry {} is '{}', want the name of an input or initializer",
                                                 input, node.input(input)));
    }
    return found->second;
}

void read_padding(const Node &node, ConvDesc &desc) {
    const std::string auto_pad = node.text("auto_pad", "NOTSET");
    if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
        set_same_padding(desc, auto_pad == "SAME_UPPER");
    } else if (auto_pad == "NOTSET") {
        if (node.attributes.has("pads")) {
            const JsonField field = node.attributes.at("pads");
            const std::vector<int64_t> pads = field.integers();
            if (pads.size() != 2 * static_cast<size_t>(desc.rank)) {
                field.fail(fmt::format("has {} entries, want {}", pads.size(), 2 * desc.rank));
            }
            desc.pad_begin = to_spatial({pads.begin(), pads.begin() + desc.rank}, desc.rank, field);
            desc.pad_end = to_spatial({pads.begin() + desc.rank, pads.end()}, desc.rank, field);
        }
    } else if (auto_pad != "VALID") {
        node.attributes.at("auto_pad")
            .fail("is '" + auto_pad + "', want NOTSET, VALID, SAME_UPPER or SAME_LOWER");
    }
}

ConvDesc read_conv(const Node &node, const TensorRecord &input, const TensorRecord &filter) {
    ConvDesc desc;
    desc.rank = static_cast<int>(input.shape.size()) - 2;
    if (filter.shape.size() != input.shape.size()) {
        filter.field.at("shape").fail(
            fmt::format("has {} dimensions, want {} as the input", filter.shape.size(), input.shape.size()));
    }
    const JsonField in_shape = input.field.at("shape");
    const JsonField filter_field = filter.field.at("shape");
    desc.n = to_extent(input.shape[0], in_shape);
    desc.ci = to_extent(input.shape[1], in_shape);
    desc.co = to_extent(filter.shape[0], filter_field);
    desc.in = to_spatial({input.shape.begin() + 2, input.shape.end()}, desc.rank, in_shape);
    desc.kernel = to_spatial({filter.shape.begin() + 2, filter.shape.end()}, desc.rank, filter_field);
    const Spatial declared = node.spatial("kernel_shape", desc.rank, desc.kernel);
    if (!std::equal(declared.begin(), declared.begin() + desc.rank, desc.kernel.begin())) {
        node.attributes.at("kernel_shape")
            .fail("differs from the filter's shape " + shape_text(filter.shape));
    }
    desc.stride = node.spatial("strides", desc.rank, {1, 1, 1});
    desc.dilation = node.spatial("dilations", desc.rank, {1, 1, 1});
    if (node.attributes.has("group")) {
        desc.groups = to_extent(node.attributes.at("group").integer(), node.attributes.at("group"));
    }
    desc.in_layout = desc.out_layout = Layout::ChannelsFirst;
    desc.in_type = desc.weight_type = desc.acc_type = desc.out_type =
        input.dtype == "f64" ? DType::F64 : DType::F32;
    return desc;
}

/// The stage that an activation node is, or nothing if there is none for it.
std::optional<EpilogueStage> to_stage(const Node &node) {
    static const std::map<std::string, std::string> plain = {{"Relu", "relu"},
                                                             {"Tanh", "tanh"},
                                                             {"Sigmoid", "sigmoid"},
                                                             {"HardSwish", "hard_swish"},
                                                             {"Mish", "mish"}};
    if (const auto found = plain.find(node.op); found != plain.end()) {
        return epilogue_stage(found->second);
    }
    if (node.op == "LeakyRelu") {
        return EpilogueStage{"leaky_relu", {node.number("alpha", 0.01)}};
    }
    if (node.op == "Elu") {
        return EpilogueStage{"elu", {node.number("alpha", 1)}};
    }
    if (node.op == "Selu" && !node.attributes.has("alpha") && !node.attributes.has("gamma")) {
        return epilogue_stage("selu");
    }
    if (node.op == "HardSigmoid") {
        return EpilogueStage{"hard_sigmoid", {node.number("alpha", 0.2), node.number("beta", 0.5)}};
    }
    if (node.op == "Gelu") {
        return epilogue_stage(node.text("approximate", "none") == "tanh" ? "fast_gelu" : "gelu");
    }
    if (node.op == "Clip" && node.inputs.size() == 1) { // opset 6: bounds are attributes
        constexpr double kLargest = std::numeric_limits<float>::max();
        return EpilogueStage{"clamp", {node.number("min", -kLargest), node.number("max", kLargest)}};
    }
    return std::nullopt;
}

/// Why the tensors have no kernel yet; empty if they have.
std::string unsupported_type(const std::vector<const TensorRecord *> &records) {
    for (const TensorRecord *record : records) {
        if (!record->is_float()) {
            return "dtype " + record->dtype + ": not supported yet";
        }
        if (record->dtype != records[0]->dtype) {
            return fmt::format("dtypes {} and {} mixed: not supported yet", records[0]->dtype, record->dtype);
        }
    }
    return "";
}

} // namespace

void read_onnx_case(const JsonField &root, ConformanceCase &target) {
    const std::string op = root.at("op").text();
    if (op != "Conv") {
        target.skipped = "op " + op + ": not supported yet";
        return;
    }
    std::vector<Node> nodes;
    for (const JsonField &item : root.at("nodes").items()) {
        nodes.emplace_back(item);
    }
    std::optional<EpilogueStage> activation = nodes.size() == 2 ? to_stage(nodes[1]) : std::nullopt;
    if (nodes.empty() || nodes[0].op != "Conv" || nodes.size() > 2 || (nodes.size() == 2 && !activation)) {
        std::vector<std::string> ops;
        std::transform(nodes.begin(), nodes.end(), std::back_inserter(ops),
                       [](const Node &node) { return node.op; });
        target.skipped = fmt::format("nodes {}: not supported yet", fmt::join(ops, ", "));
        return;
    }
    const Records records = read_records(root);
    const Node &conv = nodes[0];
    const TensorRecord &input = record_of(records, conv, 0);
    const TensorRecord &filter = record_of(records, conv, 1);
    const bool has_bias = !conv.input(2).empty();
    const std::vector<JsonField> outputs = root.at("outputs").items();
    if (outputs.size() != 1) {
        root.at("outputs").fail(fmt::format("has {} entries, want 1", outputs.size()));
    }
    const TensorRecord output(outputs[0]);
    target.skipped =
        unsupported_type({&input, &filter, has_bias ? &record_of(records, conv, 2) : &filter, &output});
    if (input.shape.size() < 3 || input.shape.size() > 2 + kMaxSpatialRank) {
        target.skipped = fmt::format("input of {} dimensions: not supported yet", input.shape.size());
    }
    if (!target.skipped.empty()) {
        return;
    }
    ConvDesc desc = read_conv(conv, input, filter);
    read_padding(conv, desc);
    if (has_bias) {
        desc.epilogue.push_back(epilogue_stage("bias"));
    }
    if (activation) {
        desc.epilogue.push_back(*activation);
    }
    CaseTensors tensors{input.load(), filter.load(), Tensor(), output.load()};
    if (has_bias) {
        tensors.bias = record_of(records, conv, 2).load();
    }
    complete_case(root, desc, std::move(tensors), target);
}

} // namespace convsmith
