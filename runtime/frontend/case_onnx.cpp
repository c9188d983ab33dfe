// Reader of ONNX-style cases: a node list with attributes as the model gives them, tensors in files. The case
// becomes a model in memory, so that its operators mean what the importer says (onnx_layers.h).
#include "runtime/frontend/case_readers.h"

#include "generators/conv_shape.h"
#include "generators/signature.h"
#include "runtime/frontend/onnx_layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

namespace convsmith {

namespace {

using frontend::OnnxGraph;
using frontend::OnnxLayer;
using frontend::OnnxLayers;
using Records = std::map<std::string, TensorRecord>;

onnx::TensorProto::DataType onnx_type(const TensorRecord &record) {
    static const std::map<std::string, onnx::TensorProto::DataType> kTypes = {
        {"f32", onnx::TensorProto::FLOAT},   {"f64", onnx::TensorProto::DOUBLE},
        {"f16", onnx::TensorProto::FLOAT16}, {"i8", onnx::TensorProto::INT8},
        {"u8", onnx::TensorProto::UINT8},    {"i16", onnx::TensorProto::INT16},
        {"u16", onnx::TensorProto::UINT16},  {"i32", onnx::TensorProto::INT32},
        {"u32", onnx::TensorProto::UINT32},  {"i64", onnx::TensorProto::INT64},
        {"u64", onnx::TensorProto::UINT64},  {"bool", onnx::TensorProto::BOOL}};
    const auto found = kTypes.find(record.dtype);
    if (found == kTypes.end()) {
        record.field.at("dtype").fail("is '" + record.dtype +
                                      "', want f32, f64, f16, bool, i8, u8, ... or u64");
    }
    return found->second;
}

void add_constant(const TensorRecord &record, onnx::TensorProto &tensor) {
    const Tensor values = record.load();
    tensor.set_name(record.name);
    tensor.set_data_type(onnx_type(record));
    for (const int64_t dim : record.shape) {
        tensor.add_dims(dim);
    }
    tensor.set_raw_data(values.data(), values.bytes());
}

void add_attribute(const std::string &name, const JsonField &value, onnx::NodeProto &node) {
    onnx::AttributeProto &attribute = *node.add_attribute();
    attribute.set_name(name);
    if (value.is_text()) {
        attribute.set_type(onnx::AttributeProto::STRING);
        attribute.set_s(value.text());
    } else if (value.is_integer()) {
        attribute.set_type(onnx::AttributeProto::INT);
        attribute.set_i(value.integer());
    } else if (value.is_number()) {
        attribute.set_type(onnx::AttributeProto::FLOAT);
        attribute.set_f(static_cast<float>(value.number()));
    } else if (value.has("tensor")) {
        attribute.set_type(onnx::AttributeProto::TENSOR);
        add_constant(TensorRecord(value.at("tensor")), *attribute.mutable_t());
    } else {
        const std::vector<JsonField> items = value.items();
        const bool is_float =
            std::any_of(items.begin(), items.end(), [](const JsonField &item) { return !item.is_integer(); });
        attribute.set_type(is_float ? onnx::AttributeProto::FLOATS : onnx::AttributeProto::INTS);
        for (const JsonField &item : items) {
            if (is_float) {
                attribute.add_floats(static_cast<float>(item.number()));
            } else {
                attribute.add_ints(item.integer());
            }
        }
    }
}

void add_node(const JsonField &field, const std::string &name, onnx::GraphProto &graph) {
    onnx::NodeProto &node = *graph.add_node();
    node.set_op_type(field.at("op").text());
    node.set_name(name);
    for (const JsonField &input : field.at("inputs").items()) {
        node.add_input(input.text());
    }
    for (const JsonField &output : field.at("outputs").items()) {
        node.add_output(output.text());
    }
    for (const auto &[attribute, value] : field.at("attrs").members()) {
        add_attribute(attribute, value, node);
    }
}

/// Inputs of the case that a model would have as constants: all but the data that its operators work on.
std::set<std::string> trained_inputs(const onnx::GraphProto &graph) {
    std::set<std::string> trained;
    for (const onnx::NodeProto &node : graph.node()) {
        const bool is_deform = node.op_type() == "DeformConv";
        const bool is_sum = node.op_type() == "Add" || node.op_type() == "Sum" || node.op_type() == "Concat";
        for (int i = 1; i < node.input_size() && !is_sum; ++i) {
            if (!is_deform || (i != 2 && i != 4)) { // offsets and mask are computed
                trained.insert(node.input(i));
            }
        }
    }
    return trained;
}

void add_input(const TensorRecord &record, onnx::ValueInfoProto &value) {
    value.set_name(record.name);
    onnx::TypeProto::Tensor &type = *value.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx_type(record));
    type.mutable_shape(); // a scalar has one, too
    for (const int64_t dim : record.shape) {
        type.mutable_shape()->add_dim()->set_dim_value(dim);
    }
}

Records read_records(const JsonField &list) {
    Records records;
    for (const JsonField &item : list.items()) {
        const TensorRecord record(item);
        records.emplace(record.name, record);
    }
    return records;
}

onnx::ModelProto to_model(const JsonField &root, const Records &inputs, const Records &initializers) {
    onnx::ModelProto model;
    model.set_ir_version(onnx::IR_VERSION);
    model.add_opset_import()->set_version(root.at("opset").integer());
    onnx::GraphProto &graph = *model.mutable_graph();
    int index = 0;
    for (const JsonField &node : root.at("nodes").items()) {
        add_node(node, fmt::format("nodes[{}]", index++), graph);
    }
    const std::set<std::string> trained = trained_inputs(graph);
    for (const auto &[name, record] : inputs) {
        if (trained.count(name) != 0) {
            add_constant(record, *graph.add_initializer());
        } else {
            add_input(record, *graph.add_input());
        }
    }
    for (const auto &[name, record] : initializers) {
        add_constant(record, *graph.add_initializer());
    }
    for (const JsonField &item : root.at("outputs").items()) {
        onnx::ValueInfoProto &output = *graph.add_output();
        const TensorRecord record(item);
        output.set_name(record.name);
        output.mutable_type()->mutable_tensor_type()->set_elem_type(onnx_type(record));
    }
    return model;
}

/// Why the case is not one kernel's work; empty if it is.
std::string skip_reason(const OnnxGraph &graph, const OnnxLayers &read) {
    size_t next = 0;
    for (const SkippedNode &node : read.skipped) {
        int index = 0;
        while (graph.node_name(index) != node.name) {
            ++index;
        }
        if (!frontend::is_view(graph, index)) {
            return fmt::format("op {}: {}", node.op, node.reason);
        }
        ++next;
    }
    return read.layers.size() == 1
               ? ""
               : fmt::format("nodes of {} layers and {} views: want one layer", read.layers.size(), next);
}

/// The value that `name` is a view of; `last` is looked through no further.
std::string behind_views(const OnnxGraph &graph, std::string name, const std::string &last) {
    int node = graph.producer(name);
    while (name != last && node >= 0 && frontend::is_view(graph, node)) {
        name = graph.node(node).input(0);
        node = graph.producer(name);
    }
    return name;
}

/// The same elements with another shape.
Tensor with_shape(const Tensor &tensor, const std::vector<int64_t> &shape, const JsonField &field) {
    Tensor result(tensor.dtype(), shape);
    if (result.elements() != tensor.elements()) {
        field.fail(
            fmt::format("is {}, want the elements of {}", shape_text(tensor.shape()), shape_text(shape)));
    }
    std::memcpy(result.data(), tensor.data(), tensor.bytes());
    return result;
}

/// Loads the expected values of graph output `record`.
Tensor load_expected(const JsonField &root, const TensorRecord &record, const OnnxLayers &read,
                     const std::vector<int64_t> &shape) {
    const std::vector<int64_t> *want = read.shapes.find(record.name);
    if (!want || *want != record.shape) {
        root.fail(fmt::format("expected output is {}, want {}", shape_text(record.shape),
                              want ? shape_text(*want) : "a known shape"));
    }
    return with_shape(record.load(), shape, record.field);
}

void fill_problem(const JsonField &root, const OnnxGraph &graph, const OnnxLayers &read, const Records &data,
                  ConformanceCase &target) {
    const OnnxLayer &one = read.layers[0];
    const ConvDesc &desc = one.layer.desc;
    target.problem.desc = desc;
    for (const TensorSpec &spec : tensor_specs(desc, Packing())) {
        const auto computed = one.computed.find(spec.name);
        if (const std::shared_ptr<const Tensor> values = one.layer.values(spec.name)) {
            target.problem[spec.name] = with_shape(*values, values->shape(), root);
        } else if (computed != one.computed.end()) {
            const auto record = data.find(behind_views(graph, computed->second, ""));
            if (record == data.end()) {
                root.fail(fmt::format("value '{}' is no input of the case", computed->second));
            }
            target.problem[spec.name] = with_shape(record->second.load(), spec.shape, record->second.field);
        }
    }
    for (const JsonField &item : root.at("outputs").items()) {
        const TensorRecord record(item);
        const std::string value = behind_views(graph, record.name, one.output);
        if (value == one.output) {
            target.expected = load_expected(root, record, read, output_shape(desc));
        } else if (value == one.indices) {
            target.expected_indices = load_expected(root, record, read, written_shape(desc));
        } else {
            root.at("outputs").fail(fmt::format("'{}' is not what the nodes compute", record.name));
        }
    }
    if (target.expected.data() == nullptr) {
        root.at("outputs").fail("has no tensor for '" + one.output + "'");
    }
    if (target.expected.dtype() != desc.out_type) {
        root.at("outputs").fail(
            fmt::format("is {}, want {}", dtype_name(target.expected.dtype()), dtype_name(desc.out_type)));
    }
}

} // namespace

void read_onnx_case(const JsonField &root, ConformanceCase &target) {
    const Records inputs = read_records(root.at("inputs"));
    const Records initializers = read_records(root.at("initializers"));
    const OnnxGraph graph(root.file(), to_model(root, inputs, initializers));
    const OnnxLayers read = frontend::read_layers(graph, ImportOptions());
    target.skipped = skip_reason(graph, read);
    if (!target.skipped.empty()) {
        return;
    }
    Records data = inputs;
    data.insert(initializers.begin(), initializers.end());
    fill_problem(root, graph, read, data, target);
    if (root.has("atol")) {
        target.atol = root.at("atol").number();
    }
    if (root.has("rtol")) {
        target.rtol = root.at("rtol").number();
    }
}

} // namespace convsmith
