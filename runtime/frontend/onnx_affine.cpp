// Reading of per-channel factors (see onnx_affine.h).
#include "runtime/frontend/onnx_affine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace convsmith::frontend {

namespace {

std::vector<int64_t> dims_of(const onnx::TensorProto &tensor) {
    return {tensor.dims().begin(), tensor.dims().end()};
}

/// A constant that broadcasts to one number per channel of `value`; nothing for any other. `leading`: a list
/// of numbers belongs to the channels and not to the last axis, as in the first operator sets.
std::optional<std::vector<double>> per_channel(const OnnxGraph &graph, const OnnxShapes &shapes,
                                               const std::string &constant, const ChannelValue &value,
                                               bool leading) {
    const onnx::TensorProto *tensor = graph.constant(constant);
    const std::vector<int64_t> *shape = shapes.find(value.name);
    if (!tensor || !shape) {
        return std::nullopt;
    }
    const std::vector<int64_t> dims = dims_of(*tensor);
    const int missing = static_cast<int>(shape->size()) - static_cast<int>(dims.size());
    bool fits = missing >= 0;
    for (int i = 0; i < static_cast<int>(dims.size()); ++i) {
        const bool is_channel = i + missing == 1 || (leading && dims.size() == 1);
        fits = fits && (dims[i] == 1 || (is_channel && dims[i] == value.channels));
    }
    std::optional<std::vector<double>> numbers = graph.numbers(*tensor);
    // A layer that sees every element as a channel.
    const bool is_whole = numbers && dims == *shape && static_cast<int>(numbers->size()) == value.channels;
    if (!numbers || !(fits || is_whole)) {
        return std::nullopt;
    }
    if (numbers->size() == 1) {
        numbers->assign(value.channels, numbers->front());
    }
    return numbers;
}

/// True if a batch norm uses the statistics that it is given.
bool is_inference(const OnnxGraph &graph, int node) {
    const onnx::NodeProto &proto = graph.node(node);
    for (int i = 1; i < proto.output_size(); ++i) {
        if (!proto.output(i).empty()) {
            return false; // running statistics are computed
        }
    }
    const bool is_test = graph.opset() >= 7 || graph.integer(node, "is_test", 0) != 0;
    return is_test && graph.integer(node, "training_mode", 0) == 0 && graph.integer(node, "spatial", 1) == 1;
}

/// y = scale * (x - mean) / sqrt(var + epsilon) + bias.
std::optional<Affine> read_batch_norm(const OnnxGraph &graph, int node, const ChannelValue &value) {
    const onnx::NodeProto &proto = graph.node(node);
    if (proto.input_size() != 5 || proto.input(0) != value.name || !is_inference(graph, node)) {
        return std::nullopt;
    }
    static constexpr std::array<const char *, 4> kNames = {"scale", "bias", "mean", "variance"};
    std::vector<std::vector<double>> values;
    for (int i = 0; i < 4; ++i) {
        const onnx::TensorProto *tensor = graph.constant(proto.input(i + 1));
        auto numbers = tensor ? graph.numbers(*tensor) : std::nullopt;
        if (!numbers) {
            return std::nullopt;
        }
        if (static_cast<int>(numbers->size()) != value.channels) {
            graph.fail(node, fmt::format("{} has {} elements, want {}, one per channel", kNames[i],
                                         numbers->size(), value.channels));
        }
        values.push_back(std::move(*numbers));
    }
    const double epsilon = graph.number(node, "epsilon", 1e-5);
    Affine affine = {std::vector<double>(value.channels), std::vector<double>(value.channels), true};
    for (int c = 0; c < value.channels; ++c) {
        affine.scale[c] = values[0][c] / std::sqrt(values[3][c] + epsilon);
        affine.shift[c] = values[1][c] - values[2][c] * affine.scale[c];
    }
    return affine;
}

} // namespace

std::optional<Affine> read_affine(const OnnxGraph &graph, const OnnxShapes &shapes, int node,
                                  const ChannelValue &value) {
    const onnx::NodeProto &proto = graph.node(node);
    const std::string &op = proto.op_type();
    if (op == "BatchNormalization") {
        return read_batch_norm(graph, node, value);
    }
    const bool is_commutative = op == "Add" || op == "Mul";
    if (proto.input_size() != 2 || !(is_commutative || op == "Sub" || op == "Div")) {
        return std::nullopt;
    }
    const bool is_first = proto.input(0) == value.name;
    if (!is_first && !is_commutative) {
        return std::nullopt; // constant - x and constant / x
    }
    const bool leading = graph.integer(node, "axis", -1) == 1; // of the first operator sets
    const auto values = per_channel(graph, shapes, proto.input(is_first ? 1 : 0), value, leading);
    if (!values) {
        return std::nullopt;
    }
    Affine affine = {std::vector<double>(value.channels, 1), std::vector<double>(value.channels, 0),
                     op == "Add" || op == "Sub"};
    for (int c = 0; c < value.channels; ++c) {
        const double number = (*values)[c];
        affine.scale[c] = op == "Mul" ? number : op == "Div" ? 1 / number : 1;
        affine.shift[c] = op == "Add" ? number : op == "Sub" ? -number : 0;
    }
    const bool is_finite = std::all_of(affine.scale.begin(), affine.scale.end(),
                                       [](double scale) { return std::isfinite(scale); });
    return is_finite ? std::optional<Affine>(affine) : std::nullopt;
}

std::optional<std::vector<double>> read_slopes(const OnnxGraph &graph, const OnnxShapes &shapes, int node,
                                               const ChannelValue &value) {
    const onnx::NodeProto &proto = graph.node(node);
    if (proto.op_type() != "PRelu" || proto.input_size() != 2 || proto.input(0) != value.name) {
        return std::nullopt;
    }
    return per_channel(graph, shapes, proto.input(1), value, graph.opset() < 7);
}

} // namespace convsmith::frontend
