// Fusion of the nodes after a Conv, one at a time for as long as the next one fits.
#include "runtime/frontend/onnx_fuse.h"

#include "runtime/frontend/onnx_activation.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace convsmith::frontend {

namespace {

/// Per-channel factors of one affine node.
struct Affine {
    std::vector<double> scale;
    std::vector<double> shift;
    bool has_shift = false;
};

class Fuser {
public:
    Fuser(const OnnxGraph &graph, const OnnxShapes &shapes, int conv, int co)
        : graph_(graph), shapes_(shapes), conv_(conv), co_(co) {
        tail_.scale.assign(co, 1);
        tail_.shift.assign(co, 0);
        tail_.output = graph.node(conv).output(0);
    }

    FusedTail run() {
        while (!graph_.is_output(tail_.output) && (fuse_node() || fuse_group())) {
        }
        return std::move(tail_);
    }

private:
    /// The next node, if it alone reads the value.
    bool fuse_node() {
        const std::vector<int> &consumers = graph_.consumers(tail_.output);
        if (consumers.size() != 1) {
            return false;
        }
        const int node = consumers.front();
        const onnx::NodeProto &proto = graph_.node(node);
        if (proto.output_size() < 1 || !graph_.is_standard(node) || !is_read_as_input(node)) {
            return false;
        }
        if (tail_.stages.empty()) {
            if (const std::optional<Affine> affine = read_affine(node)) {
                append(*affine);
                accept(node);
                return true;
            }
        }
        if (is_residual(node)) {
            tail_.stages.push_back(epilogue_stage("residual"));
            accept(node);
            return true;
        }
        const std::optional<EpilogueStage> stage =
            proto.input(0) == tail_.output ? single_activation(graph_, node) : std::nullopt;
        if (stage) {
            tail_.stages.push_back(*stage);
            accept(node);
        }
        return stage.has_value();
    }

    /// Several nodes that spell out an activation together.
    bool fuse_group() {
        const std::optional<ActivationMatch> match = spelled_activation(graph_, tail_.output);
        if (!match) {
            return false;
        }
        tail_.stages.push_back(match->stage);
        tail_.nodes.insert(tail_.nodes.end(), match->nodes.begin(), match->nodes.end());
        tail_.output = match->output;
        return true;
    }

    /// False if only a subgraph of the node reads the value.
    bool is_read_as_input(int node) const {
        const auto &inputs = graph_.node(node).input();
        return std::find(inputs.begin(), inputs.end(), tail_.output) != inputs.end();
    }

    void accept(int node) {
        tail_.nodes.push_back(node);
        tail_.output = graph_.node(node).output(0);
    }

    void append(const Affine &affine) {
        for (int co = 0; co < co_; ++co) {
            tail_.scale[co] *= affine.scale[co];
            tail_.shift[co] = tail_.shift[co] * affine.scale[co] + affine.shift[co];
        }
        tail_.has_shift |= affine.has_shift;
    }

    std::optional<Affine> read_affine(int node) const {
        const onnx::NodeProto &proto = graph_.node(node);
        const std::string &op = proto.op_type();
        if (op == "BatchNormalization") {
            return read_batch_norm(node);
        }
        const bool is_commutative = op == "Add" || op == "Mul";
        if (proto.input_size() != 2 || !(is_commutative || op == "Sub" || op == "Div")) {
            return std::nullopt;
        }
        const bool is_second = proto.input(0) == tail_.output;
        if (!is_second && !is_commutative) {
            return std::nullopt; // constant - x and constant / x
        }
        const auto values = per_channel(proto.input(is_second ? 1 : 0));
        if (!values) {
            return std::nullopt;
        }
        Affine affine = {std::vector<double>(co_, 1), std::vector<double>(co_, 0),
                         op == "Add" || op == "Sub"};
        for (int co = 0; co < co_; ++co) {
            const double value = (*values)[co];
            affine.scale[co] = op == "Mul" ? value : op == "Div" ? 1 / value : 1;
            affine.shift[co] = op == "Add" ? value : op == "Sub" ? -value : 0;
        }
        const bool is_finite = std::all_of(affine.scale.begin(), affine.scale.end(),
                                           [](double scale) { return std::isfinite(scale); });
        return is_finite ? std::optional<Affine>(affine) : std::nullopt;
    }

    /// y = scale * (x - mean) / sqrt(var + epsilon) + bias, in inference mode.
    std::optional<Affine> read_batch_norm(int node) const {
        const onnx::NodeProto &proto = graph_.node(node);
        if (proto.input_size() != 5 || proto.input(0) != tail_.output) {
            return std::nullopt;
        }
        for (int i = 1; i < proto.output_size(); ++i) {
            if (!proto.output(i).empty()) {
                return std::nullopt; // running statistics are computed: training
            }
        }
        if (graph_.integer(node, "training_mode", 0) != 0 || graph_.integer(node, "spatial", 1) != 1) {
            return std::nullopt;
        }
        std::vector<std::vector<double>> values;
        for (int i = 1; i < 5; ++i) {
            const onnx::TensorProto *tensor = graph_.constant(proto.input(i));
            auto numbers = tensor ? graph_.numbers(*tensor) : std::nullopt;
            if (!numbers || static_cast<int>(numbers->size()) != co_) {
                return std::nullopt;
            }
            values.push_back(std::move(*numbers));
        }
        const double epsilon = graph_.number(node, "epsilon", 1e-5);
        Affine affine = {std::vector<double>(co_), std::vector<double>(co_), true};
        for (int co = 0; co < co_; ++co) {
            affine.scale[co] = values[0][co] / std::sqrt(values[3][co] + epsilon);
            affine.shift[co] = values[1][co] - values[2][co] * affine.scale[co];
        }
        return affine;
    }

    /// A constant that broadcasts to one number per channel of [n][c][spatial...]; nothing for any other.
    std::optional<std::vector<double>> per_channel(const std::string &value) const {
        const onnx::TensorProto *tensor = graph_.constant(value);
        const auto shape = shapes_.find(graph_.node(conv_).output(0));
        if (!tensor || shape == shapes_.end()) {
            return std::nullopt;
        }
        const int rank = static_cast<int>(shape->second.size());
        const int missing = rank - tensor->dims_size();
        for (int i = 0; i < tensor->dims_size(); ++i) {
            const bool is_channel = i + missing == 1;
            if (missing < 0 || (tensor->dims(i) != 1 && !(is_channel && tensor->dims(i) == co_))) {
                return std::nullopt;
            }
        }
        std::optional<std::vector<double>> numbers = graph_.numbers(*tensor);
        if (numbers && numbers->size() == 1) {
            numbers->assign(co_, numbers->front());
        }
        return numbers;
    }

    /// An addition of another value of the same shape that is ready before the Conv runs.
    bool is_residual(int node) const {
        const onnx::NodeProto &proto = graph_.node(node);
        const bool is_sum = proto.op_type() == "Add" || proto.op_type() == "Sum";
        const auto is_residual_stage = [](const EpilogueStage &stage) { return stage.name == "residual"; };
        if (!is_sum || proto.input_size() != 2 ||
            std::any_of(tail_.stages.begin(), tail_.stages.end(), is_residual_stage)) {
            return false;
        }
        const std::string &other = proto.input(0) == tail_.output ? proto.input(1) : proto.input(0);
        const auto shape = shapes_.find(other);
        const auto own = shapes_.find(graph_.node(conv_).output(0));
        return !graph_.constant(other) && graph_.producer(other) < conv_ && is_known(shapes_, other) &&
               own != shapes_.end() && shape->second == own->second;
    }

    const OnnxGraph &graph_;
    const OnnxShapes &shapes_;
    int conv_;
    int co_;
    FusedTail tail_;
};

} // namespace

FusedTail fuse_tail(const OnnxGraph &graph, const OnnxShapes &shapes, int conv, int co) {
    return Fuser(graph, shapes, conv, co).run();
}

} // namespace convsmith::frontend
