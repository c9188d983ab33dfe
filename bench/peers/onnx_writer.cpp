// See onnx_writer.h.
#include "bench/peers/onnx_writer.h"

namespace convsmith::bench {

OnnxWriter::OnnxWriter() {
    constexpr int kIrVersion = 9, kOpset = 20; // the first operator set with every operator that is used
    model_.set_ir_version(kIrVersion);
    model_.add_opset_import()->set_version(kOpset);
    graph().set_name("layer");
}

onnx::NodeProto &OnnxWriter::node(const std::string &type, const std::vector<std::string> &inputs) {
    onnx::NodeProto &node = *graph().add_node();
    node.set_op_type(type);
    node.set_name("node" + std::to_string(values_));
    for (const std::string &input : inputs)
        node.add_input(input);
    node.add_output("value" + std::to_string(values_++));
    return node;
}

void OnnxWriter::ints(onnx::NodeProto &node, const std::string &name, const std::vector<int64_t> &values) {
    onnx::AttributeProto &attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::INTS);
    for (const int64_t value : values)
        attribute.add_ints(value);
}

void OnnxWriter::integer(onnx::NodeProto &node, const std::string &name, int64_t value) {
    onnx::AttributeProto &attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::INT);
    attribute.set_i(value);
}

void OnnxWriter::number(onnx::NodeProto &node, const std::string &name, double value) {
    onnx::AttributeProto &attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::FLOAT);
    attribute.set_f(static_cast<float>(value));
}

void OnnxWriter::text(onnx::NodeProto &node, const std::string &name, const std::string &value) {
    onnx::AttributeProto &attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::STRING);
    attribute.set_s(value);
}

std::string OnnxWriter::constant(const std::string &name, const std::vector<int64_t> &dims, const void *data,
                                 onnx::TensorProto::DataType type) {
    onnx::TensorProto &tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    size_t bytes = type == onnx::TensorProto::INT64 ? sizeof(int64_t) : sizeof(float);
    for (const int64_t dim : dims) {
        tensor.add_dims(dim);
        bytes *= static_cast<size_t>(dim);
    }
    tensor.set_raw_data(data, bytes);
    return name;
}

std::string OnnxWriter::integers(const std::vector<int64_t> &values) {
    return constant("integers" + std::to_string(values_++), {static_cast<int64_t>(values.size())},
                    values.data(), onnx::TensorProto::INT64);
}

std::string OnnxWriter::scalar(double value) {
    const auto number = static_cast<float>(value);
    return constant("scalar" + std::to_string(values_++), {}, &number, onnx::TensorProto::FLOAT);
}

void OnnxWriter::declare(onnx::ValueInfoProto &value, const std::string &name,
                         const std::vector<int64_t> &dims) {
    value.set_name(name);
    onnx::TypeProto::Tensor &type = *value.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    for (const int64_t dim : dims)
        type.mutable_shape()->add_dim()->set_dim_value(dim);
}

} // namespace convsmith::bench
