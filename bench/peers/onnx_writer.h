// Writing ONNX models: nodes, attributes, constants, inputs and outputs as protobuf has them. Before it:
// onnx_model.cpp, which knows what a descriptor is in ONNX.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <string>
#include <vector>

namespace convsmith::bench {

/// A model under construction: opset 20, f32.
class OnnxWriter {
public:
    OnnxWriter();

    onnx::GraphProto &graph() { return *model_.mutable_graph(); }
    std::string bytes() const { return model_.SerializeAsString(); }

    /// A new node with one output of a new name.
    onnx::NodeProto &node(const std::string &type, const std::vector<std::string> &inputs);
    /// The output of a node without attributes.
    std::string simple(const std::string &type, const std::vector<std::string> &inputs) {
        return node(type, inputs).output(0);
    }

    static void ints(onnx::NodeProto &node, const std::string &name, const std::vector<int64_t> &values);
    static void integer(onnx::NodeProto &node, const std::string &name, int64_t value);
    static void number(onnx::NodeProto &node, const std::string &name, double value);
    static void text(onnx::NodeProto &node, const std::string &name, const std::string &value);

    /// Constants; each returns its name. `data` holds the product of `dims` elements.
    std::string constant(const std::string &name, const std::vector<int64_t> &dims, const void *data,
                         onnx::TensorProto::DataType type);
    std::string integers(const std::vector<int64_t> &values);
    std::string scalar(double value);

    /// Declares an f32 input or output of the graph.
    static void declare(onnx::ValueInfoProto &value, const std::string &name,
                        const std::vector<int64_t> &dims);

private:
    onnx::ModelProto model_;
    int values_ = 0;
};

} // namespace convsmith::bench
