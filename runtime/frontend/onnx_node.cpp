// Checked access to one ONNX node (see onnx_node.h).
#include "runtime/frontend/onnx_node.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <climits>

namespace convsmith::frontend {

void unsupported(const std::string &reason) {
    throw Error(ErrorCode::Unsupported, reason);
}

void OnnxNode::read_axes(const char *attribute, int rank, int least, Spatial &axes) const {
    if (!has(attribute)) {
        return;
    }
    const std::vector<int64_t> numbers = integers(attribute);
    if (static_cast<int>(numbers.size()) != rank) {
        fail(fmt::format("attribute {} has {} numbers, want {}", attribute, numbers.size(), rank));
    }
    for (int axis = 0; axis < rank; ++axis) {
        axes[axis] = to_int(attribute, numbers[axis]);
        if (axes[axis] < least) {
            fail(fmt::format("attribute {} is [{}], want {}", attribute, fmt::join(numbers, ", "),
                             least == 1 ? "positive numbers" : "no negative number"));
        }
    }
}

void OnnxNode::expect_arity(int least_inputs, int most_inputs, int most_outputs) const {
    const onnx::NodeProto &proto = graph_.node(index_);
    bool is_complete = proto.output_size() >= 1 && !proto.output(0).empty();
    for (int input = 0; input < least_inputs; ++input) {
        is_complete = is_complete && has_input(input);
    }
    if (!is_complete || proto.input_size() > most_inputs || proto.output_size() > most_outputs) {
        fail(fmt::format("has {} inputs and {} outputs, want {} to {} and 1{}", proto.input_size(),
                         proto.output_size(), least_inputs, most_inputs,
                         most_outputs == 1 ? "" : fmt::format(" to {}", most_outputs)));
    }
}

bool OnnxNode::has_input(int input) const {
    const auto &inputs = graph_.node(index_).input();
    return input < inputs.size() && !inputs[input].empty();
}

bool OnnxNode::has_output(int output) const {
    const auto &outputs = graph_.node(index_).output();
    return output < outputs.size() && !outputs[output].empty() &&
           (graph_.is_output(outputs[output]) || !graph_.consumers(outputs[output]).empty());
}

std::vector<int64_t> OnnxNode::shape(int input) const {
    if (const onnx::TensorProto *tensor = constant(input)) {
        return {tensor->dims().begin(), tensor->dims().end()};
    }
    const std::string &name = input_name(input);
    if (!is_known(shapes_, name)) {
        unsupported(fmt::format("the shape of its input '{}' is unknown: {} cannot be inferred", name,
                                blame_unknown_shape(graph_, shapes_, name)));
    }
    return *shapes_.find(name);
}

DType OnnxNode::type(int input) const {
    const onnx::TensorProto *tensor = constant(input);
    const auto inferred = shapes_.types.find(input_name(input));
    const int type = tensor                            ? tensor->data_type()
                     : inferred == shapes_.types.end() ? onnx::TensorProto::UNDEFINED
                                                       : inferred->second;
    switch (type) {
    case onnx::TensorProto::FLOAT:
        return DType::F32;
    case onnx::TensorProto::DOUBLE:
        return DType::F64;
    case onnx::TensorProto::INT8:
        return DType::I8;
    case onnx::TensorProto::UINT8:
        return DType::U8;
    case onnx::TensorProto::INT16:
        return DType::I16;
    case onnx::TensorProto::UINT16:
        return DType::U16;
    case onnx::TensorProto::INT32:
        return DType::I32;
    case onnx::TensorProto::UINT32:
        return DType::U32;
    case onnx::TensorProto::INT64:
        return DType::I64;
    case onnx::TensorProto::UINT64:
        return DType::U64;
    default:
        unsupported(
            fmt::format("input '{}' of type {} is not supported", input_name(input),
                        onnx::TensorProto::DataType_Name(static_cast<onnx::TensorProto::DataType>(type))));
    }
}

const onnx::TensorProto *OnnxNode::constant(int input) const {
    return has_input(input) ? graph_.constant(input_name(input)) : nullptr;
}

std::vector<double> OnnxNode::constant_numbers(int input, const char *what) const {
    const onnx::TensorProto *tensor = constant(input);
    if (!tensor) {
        unsupported(fmt::format("{} '{}' are computed, not constant", what, input_name(input)));
    }
    std::optional<std::vector<double>> numbers = graph_.numbers(*tensor);
    if (!numbers) {
        unsupported(fmt::format(
            "{} of type {} are not supported", what,
            onnx::TensorProto::DataType_Name(static_cast<onnx::TensorProto::DataType>(tensor->data_type()))));
    }
    return std::move(*numbers);
}

int OnnxNode::to_int(const char *what, int64_t value) const {
    if (value < INT_MIN || value > INT_MAX) {
        fail(fmt::format("{} is {}, want a 32-bit number", what, value));
    }
    return static_cast<int>(value);
}

} // namespace convsmith::frontend
