// Fusion of the nodes after an operation, one at a time for as long as the next one fits.
#include "runtime/frontend/onnx_fuse.h"

#include "generators/conv_shape.h"
#include "runtime/frontend/onnx_activation.h"
#include "runtime/frontend/onnx_affine.h"
#include "runtime/frontend/onnx_ops.h"
#include "runtime/frontend/onnx_rearrange.h"

#include <algorithm>

namespace convsmith::frontend {

namespace {

/// True if a factor of shape `factor` is one number per image and channel of a value of shape `value`.
bool is_gate_shape(const std::vector<int64_t> &factor, const std::vector<int64_t> &value) {
    return factor.size() == value.size() && factor.size() > 2 &&
           std::equal(factor.begin(), factor.begin() + 2, value.begin()) &&
           std::all_of(factor.begin() + 2, factor.end(), [](int64_t dim) { return dim == 1; });
}

class Fuser {
public:
    Fuser(const OnnxGraph &graph, const OnnxShapes &shapes, const FuseStart &start)
        : graph_(graph), shapes_(shapes), start_(start), folds_(op_info(start.desc.op).has_filter) {
        tail_.desc = start.desc;
        tail_.scale.assign(start.desc.co, 1);
        tail_.output = start.output;
        if (!start.bias.empty()) {
            tail_.desc.epilogue.push_back(epilogue_stage("bias"));
            tail_.trained["bias"] = start.bias;
        }
    }

    FusedTail run() {
        while (!graph_.is_output(tail_.output) && (fuse_next() || fuse_group())) {
        }
        return std::move(tail_);
    }

    FusedTail run_from(int node) {
        const std::optional<ActivationMatch> group = spelled_activation(graph_, tail_.output);
        const bool begins_group =
            group && std::find(group->nodes.begin(), group->nodes.end(), node) != group->nodes.end();
        return (begins_group ? accept_group(*group) : fuse_node(node)) ? run() : std::move(tail_);
    }

private:
    /// The next node, if it alone reads the value.
    bool fuse_next() {
        const std::vector<int> &consumers = graph_.consumers(tail_.output);
        return consumers.size() == 1 && fuse_node(consumers.front());
    }

    bool fuse_node(int node) {
        const onnx::NodeProto &proto = graph_.node(node);
        if (proto.output_size() < 1 || !graph_.is_standard(node) || !is_read_as_input(node)) {
            return false;
        }
        return fuse_affine(node) || fuse_residual(node) || fuse_gate(node) || fuse_activation(node) ||
               fuse_slopes(node) || fuse_rearrangement(node);
    }

    /// Several nodes that spell out an activation together.
    bool fuse_group() {
        const std::optional<ActivationMatch> match = spelled_activation(graph_, tail_.output);
        return match && accept_group(*match);
    }

    bool accept_group(const ActivationMatch &match) {
        ConvDesc desc = tail_.desc;
        desc.epilogue.push_back(match.stage);
        return accept(std::move(desc), match.nodes, match.output);
    }

    /// False if only a subgraph of the node reads the value.
    bool is_read_as_input(int node) const {
        const auto &inputs = graph_.node(node).input();
        return std::find(inputs.begin(), inputs.end(), tail_.output) != inputs.end();
    }

    /// Takes `desc` for the layer's, if there are kernels for it.
    bool accept(ConvDesc desc, const std::vector<int> &nodes, const std::string &output) {
        try {
            desc.validate();
        } catch (const Error &) {
            return false; // such as a second stage that reads a tensor of one kind
        }
        tail_.desc = std::move(desc);
        tail_.nodes.insert(tail_.nodes.end(), nodes.begin(), nodes.end());
        tail_.output = output;
        return true;
    }
    bool accept(ConvDesc desc, int node) {
        return accept(std::move(desc), {node}, graph_.node(node).output(0));
    }

    /// Operands per channel belong to the channels before an index map.
    bool has_own_channels() const { return tail_.desc.rearrange == Rearrange::None; }
    ChannelValue value() const { return {tail_.output, tail_.desc.co}; }

    bool fuse_affine(int node) {
        const bool is_candidate = has_own_channels();
        const std::optional<Affine> affine =
            is_candidate ? read_affine(graph_, shapes_, node, value()) : std::nullopt;
        if (!affine) {
            return false;
        }
        const std::vector<EpilogueStage> &stages = tail_.desc.epilogue;
        const bool is_linear = stages.empty() || (stages.size() == 1 && stages[0].name == "bias");
        return folds_ && is_linear ? fold_affine(node, *affine) : append_affine(node, *affine);
    }

    /// Into weights and bias.
    bool fold_affine(int node, const Affine &affine) {
        ConvDesc desc = tail_.desc;
        if (affine.has_shift && desc.epilogue.empty()) {
            desc.epilogue.push_back(epilogue_stage("bias"));
        }
        if (!accept(std::move(desc), node)) {
            return false;
        }
        std::vector<double> &bias = tail_.trained["bias"];
        bias.resize(affine.shift.size(), 0);
        for (size_t co = 0; co < bias.size(); ++co) {
            tail_.scale[co] *= affine.scale[co];
            bias[co] = bias[co] * affine.scale[co] + affine.shift[co];
        }
        if (tail_.desc.epilogue.empty()) {
            tail_.trained.erase("bias");
        }
        return true;
    }

    /// As stages of their own.
    bool append_affine(int node, const Affine &affine) {
        ConvDesc desc = tail_.desc;
        const bool scales =
            std::any_of(affine.scale.begin(), affine.scale.end(), [](double s) { return s != 1; });
        if (scales) {
            desc.epilogue.push_back(epilogue_stage("channel_scale"));
        }
        if (affine.has_shift) {
            desc.epilogue.push_back(epilogue_stage("bias"));
        }
        if (!accept(std::move(desc), node)) {
            return false;
        }
        if (scales) {
            tail_.trained["scale"] = affine.scale;
        }
        if (affine.has_shift) {
            tail_.trained["bias"] = affine.shift;
        }
        return true;
    }

    bool fuse_activation(int node) {
        const std::optional<Activation> activation =
            graph_.node(node).input(0) == tail_.output ? single_activation(graph_, node) : std::nullopt;
        if (!activation) {
            return false;
        }
        ConvDesc desc = tail_.desc;
        desc.epilogue.insert(desc.epilogue.end(), activation->stages.begin(), activation->stages.end());
        const bool scales =
            std::any_of(activation->stages.begin(), activation->stages.end(),
                        [](const EpilogueStage &stage) { return stage.name == "channel_scale"; });
        if (!accept(std::move(desc), node)) {
            return false;
        }
        if (scales) {
            tail_.trained["scale"].assign(tail_.desc.co, activation->scale);
        }
        return true;
    }

    bool fuse_slopes(int node) {
        const auto slopes = has_own_channels() ? read_slopes(graph_, shapes_, node, value()) : std::nullopt;
        if (!slopes) {
            return false;
        }
        ConvDesc desc = tail_.desc;
        const bool is_uniform = std::count(slopes->begin(), slopes->end(), slopes->front()) ==
                                static_cast<int64_t>(slopes->size());
        if (is_uniform) {
            const double slope = desc.acc_type == DType::F32
                                     ? shortest_double(static_cast<float>(slopes->front()))
                                     : slopes->front();
            desc.epilogue.push_back({"leaky_relu", {slope}});
            return accept(std::move(desc), node);
        }
        desc.epilogue.push_back(epilogue_stage("prelu"));
        if (!accept(std::move(desc), node)) {
            return false;
        }
        tail_.trained["slope"] = *slopes;
        return true;
    }

    /// An addition of another value of the same shape that is ready before the layer runs.
    bool fuse_residual(int node) {
        const std::string *other = other_operand(node, {"Add", "Sum"});
        return other && *shapes_.find(*other) == *shapes_.find(tail_.output) &&
               append_operand("residual", *other, node);
    }

    /// A product with one computed number per image and channel.
    bool fuse_gate(int node) {
        const std::string *other = has_own_channels() ? other_operand(node, {"Mul"}) : nullptr;
        return other && is_gate_shape(*shapes_.find(*other), *shapes_.find(tail_.output)) &&
               append_operand("gate", *other, node);
    }

    /// The computed value that a node of two inputs combines with the layer's, if it is ready before the
    /// layer runs and both shapes are known.
    const std::string *other_operand(int node, std::initializer_list<const char *> ops) const {
        const onnx::NodeProto &proto = graph_.node(node);
        if (std::find(ops.begin(), ops.end(), proto.op_type()) == ops.end() || proto.input_size() != 2 ||
            proto.input(0) == proto.input(1)) {
            return nullptr;
        }
        const std::string &other = proto.input(0) == tail_.output ? proto.input(1) : proto.input(0);
        const bool is_ready = !graph_.constant(other) && graph_.producer(other) < start_.node;
        return is_ready && is_known(shapes_, other) && is_known(shapes_, tail_.output) ? &other : nullptr;
    }

    /// The stage that reads tensor `name`, which is `value`; stage and tensor have the same name.
    bool append_operand(const std::string &name, const std::string &value, int node) {
        ConvDesc desc = tail_.desc;
        desc.epilogue.push_back(epilogue_stage(name));
        if (!accept(std::move(desc), node)) {
            return false;
        }
        tail_.computed[name] = value;
        return true;
    }

    /// DepthToSpace, SpaceToDepth, or a shuffle spelled in three nodes. A residual before it would lie in the
    /// other order.
    bool fuse_rearrangement(int node) {
        if (!has_own_channels() || tail_.desc.has_operand(Operand::Residual) ||
            graph_.node(node).input(0) != tail_.output) {
            return false;
        }
        ConvDesc desc = tail_.desc;
        if (read_rearrangement(graph_, node, desc)) {
            return accept(std::move(desc), node);
        }
        const std::vector<int64_t> *shape = shapes_.find(tail_.output);
        const std::optional<RearrangeMatch> match = shape && static_cast<int>(shape->size()) == desc.rank + 2
                                                        ? spelled_rearrangement(graph_, shapes_, node)
                                                        : std::nullopt;
        if (!match) {
            return false;
        }
        desc.rearrange = match->rearrange;
        desc.rearrange_factor = match->factor;
        return accept(std::move(desc), match->nodes, match->output);
    }

    const OnnxGraph &graph_;
    const OnnxShapes &shapes_;
    const FuseStart &start_;
    bool folds_; ///< the operation has weights that a scale can be folded into
    FusedTail tail_;
};

} // namespace

FusedTail fuse_tail(const OnnxGraph &graph, const OnnxShapes &shapes, const FuseStart &start) {
    return Fuser(graph, shapes, start).run();
}

FusedTail fuse_from(const OnnxGraph &graph, const OnnxShapes &shapes, const FuseStart &start) {
    return Fuser(graph, shapes, start).run_from(start.node);
}

} // namespace convsmith::frontend
