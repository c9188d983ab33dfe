// Small ONNX models made in memory, for the importer's tests.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

namespace convsmith {

class OnnxBuilder {
public:
    explicit OnnxBuilder(int64_t opset = 13) {
        model.set_ir_version(7);
        model.add_opset_import()->set_version(opset);
        graph().set_name("g");
    }

    onnx::GraphProto &graph() { return *model.mutable_graph(); }

    /// A float input; -1 leaves a dimension open.
    OnnxBuilder &input(const std::string &name, const std::vector<int64_t> &dims) {
        onnx::ValueInfoProto &value = *graph().add_input();
        value.set_name(name);
        onnx::TypeProto::Tensor &type = *value.mutable_type()->mutable_tensor_type();
        type.set_elem_type(onnx::TensorProto::FLOAT);
        for (const int64_t dim : dims) {
            onnx::TensorShapeProto::Dimension &added = *type.mutable_shape()->add_dim();
            if (dim >= 0)
                added.set_dim_value(dim);
            else
                added.set_dim_param("open");
        }
        return *this;
    }

    OnnxBuilder &output(const std::string &name) {
        onnx::ValueInfoProto &value = *graph().add_output();
        value.set_name(name);
        value.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
        return *this;
    }

    /// A float initialiser as typed data.
    OnnxBuilder &constant(const std::string &name, const std::vector<int64_t> &dims,
                          const std::vector<float> &values) {
        onnx::TensorProto &tensor = *graph().add_initializer();
        tensor.set_name(name);
        tensor.set_data_type(onnx::TensorProto::FLOAT);
        for (const int64_t dim : dims)
            tensor.add_dims(dim);
        for (const float value : values)
            tensor.add_float_data(value);
        return *this;
    }

    /// A float initialiser holding 0.25, 0.5, 0.75, ... (so that sums of products are exact), as raw data.
    OnnxBuilder &weights(const std::string &name, const std::vector<int64_t> &dims) {
        onnx::TensorProto &tensor = *graph().add_initializer();
        tensor.set_name(name);
        tensor.set_data_type(onnx::TensorProto::FLOAT);
        int64_t count = 1;
        for (const int64_t dim : dims) {
            tensor.add_dims(dim);
            count *= dim;
        }
        for (int64_t i = 0; i < count; ++i) {
            const float value = 0.25f * static_cast<float>(i % 16 + 1);
            tensor.mutable_raw_data()->append(reinterpret_cast<const char *>(&value), sizeof(value));
        }
        return *this;
    }

    onnx::NodeProto &node(const std::string &op, const std::vector<std::string> &inputs,
                          const std::string &output) {
        onnx::NodeProto &node = *graph().add_node();
        node.set_op_type(op);
        node.set_name("node_" + output);
        for (const std::string &input : inputs)
            node.add_input(input);
        node.add_output(output);
        return node;
    }

    static onnx::AttributeProto &attribute(onnx::NodeProto &node, const std::string &name,
                                           onnx::AttributeProto::AttributeType type) {
        onnx::AttributeProto &attribute = *node.add_attribute();
        attribute.set_name(name);
        attribute.set_type(type);
        return attribute;
    }
    static void ints(onnx::NodeProto &node, const std::string &name, const std::vector<int64_t> &values) {
        onnx::AttributeProto &added = attribute(node, name, onnx::AttributeProto::INTS);
        for (const int64_t value : values)
            added.add_ints(value);
    }
    static void integer(onnx::NodeProto &node, const std::string &name, int64_t value) {
        attribute(node, name, onnx::AttributeProto::INT).set_i(value);
    }
    static void number(onnx::NodeProto &node, const std::string &name, float value) {
        attribute(node, name, onnx::AttributeProto::FLOAT).set_f(value);
    }
    static void text(onnx::NodeProto &node, const std::string &name, const std::string &value) {
        attribute(node, name, onnx::AttributeProto::STRING).set_s(value);
    }

    void save(const std::string &path) const {
        std::ofstream file(path, std::ios::binary);
        model.SerializeToOstream(&file);
    }

    onnx::ModelProto model;
};

} // namespace convsmith
