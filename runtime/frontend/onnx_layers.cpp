// Graph to layers (see onnx_layers.h): nodes in graph order, so that a node joins the operation before it and
// only what is left begins a layer of its own.
#include "runtime/frontend/onnx_layers.h"

#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "generators/signature.h"
#include "runtime/frontend/onnx_activation.h"
#include "runtime/frontend/onnx_composites.h"
#include "runtime/frontend/onnx_fuse.h"
#include "runtime/frontend/onnx_ops.h"
#include "runtime/frontend/onnx_rearrange.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace convsmith::frontend {

namespace {

/// The trained filter, each output channel scaled.
std::shared_ptr<const Tensor> scaled_filter(const ConvDesc &desc, const std::vector<double> &values,
                                            const std::vector<double> &scale) {
    const int64_t taps = spatial_product(desc.kernel, desc.rank);
    const int64_t ci = desc.ci / desc.groups, co = desc.co / desc.groups;
    const auto channel_of = [&](int64_t i) {
        return desc.op == Op::Deconv ? i / taps / co / ci * co + i / taps % co : i / taps / ci;
    };
    auto filter = std::make_shared<Tensor>(desc.weight_type, filter_shape(desc));
    for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i) {
        filter->set(i, values[i] * scale[channel_of(i)]);
    }
    return filter;
}

class LayerReader {
public:
    LayerReader(const OnnxGraph &graph, const ImportOptions &options)
        : graph_(graph), options_(options), shapes_(infer_shapes(graph, options)),
          reasons_(graph.node_count()) {}

    OnnxLayers run() {
        for (int i = 0; i < graph_.node_count(); ++i) {
            try {
                read(i);
            } catch (const Error &error) {
                if (error.code() != ErrorCode::Unsupported) {
                    throw;
                }
                reasons_[i] = error.what();
            }
        }
        if (options_.composites) {
            join_pairs(graph_, result_.layers);
        }
        for (int i = 0; i < graph_.node_count(); ++i) {
            join_concat(i);
        }
        for (int i = 0; i < graph_.node_count(); ++i) {
            if (done_.count(i) == 0 && !graph_.is_constant_node(i)) {
                result_.skipped.push_back({graph_.node_name(i), graph_.node(i).op_type(), skip_reason(i)});
            }
        }
        result_.shapes = std::move(shapes_);
        return std::move(result_);
    }

private:
    bool is_op(int node, const char *op) const {
        return node >= 0 && graph_.is_standard(node) && graph_.node(node).op_type() == op;
    }

    void read(int node) {
        if (done_.count(node) != 0 || graph_.is_constant_node(node)) {
            return;
        }
        if (is_window_operator(graph_, node)) {
            read_window_layer(node);
        } else if (is_op(node, "Pad")) {
            read_pad_layer(node);
        } else if (options_.composites && is_op(node, "Mul") && read_excite_layer(node)) {
            return;
        } else if (begins_identity(node)) {
            read_identity_layer(node);
        }
    }

    void read_window_layer(int node) {
        OnnxOperation operation = read_window(graph_, shapes_, node);
        std::vector<int64_t> dims = output_shape(operation.desc);
        learn_shape(node, 0, dims, shapes_.types);
        if (operation.desc.indices != Indices::None) {
            learn_shape(node, 1, dims, {{graph_.node(node).input(0), onnx::TensorProto::INT64}});
        }
        const OnnxNode reader(graph_, shapes_, node);
        FuseStart start{operation.desc, node, reader.output_name(0), {}};
        std::vector<double> weights;
        OnnxLayer made;
        for (const auto &[tensor, input] : operation.inputs) {
            if (tensor == "filter") {
                weights = reader.constant_numbers(input, "weights");
            } else if (tensor == "bias") {
                start.bias = reader.constant_numbers(input, "bias");
            } else {
                made.computed[tensor] = reader.input_name(input);
            }
        }
        const int pad = graph_.producer(reader.input_name(0));
        if (const std::optional<ConvDesc> folded = fold_into(pad, start.desc)) {
            start.desc = *folded;
            made.computed["input"] = graph_.node(pad).input(0);
            done_.insert(pad);
        }
        if (operation.desc.indices != Indices::None) {
            made.indices = reader.output_name(1);
        }
        const FusedTail tail = fuse_tail(graph_, shapes_, start);
        if (!weights.empty()) {
            made.layer.trained["filter"] = scaled_filter(tail.desc, weights, tail.scale);
        }
        finish(node, std::move(made), tail);
    }

    /// The window reading the input of node `pad` directly, if nothing else reads the padded value.
    std::optional<ConvDesc> fold_into(int pad, const ConvDesc &window) const {
        if (!is_op(pad, "Pad") || graph_.is_output(graph_.node(pad).output(0)) ||
            graph_.consumers(graph_.node(pad).output(0)).size() != 1) {
            return std::nullopt;
        }
        try {
            return fold_padding(read_pad(graph_, shapes_, pad).desc, window);
        } catch (const Error &error) {
            if (error.code() != ErrorCode::Unsupported) {
                throw;
            }
            return std::nullopt;
        }
    }

    void read_pad_layer(int node) {
        const OnnxOperation operation = read_pad(graph_, shapes_, node);
        const ConvDesc &desc = operation.desc;
        std::vector<int64_t> dims = OnnxNode(graph_, shapes_, node).shape(0);
        const Spatial out = out_extents(desc);
        std::copy(out.begin(), out.begin() + desc.rank, dims.end() - desc.rank);
        if (std::any_of(dims.begin(), dims.end(), [](int64_t dim) { return dim < 1; })) {
            graph_.fail(node, fmt::format("crops to shape {}", shape_text(dims)));
        }
        learn_shape(node, 0, dims, shapes_.types);
        const std::vector<int> &consumers = graph_.consumers(graph_.node(node).output(0));
        if (consumers.size() == 1 && is_window_operator(graph_, consumers[0]) &&
            is_folded(node, consumers[0])) {
            reasons_[node] =
                fmt::format("belongs to node '{}', which is no layer", graph_.node_name(consumers[0]));
            return;
        }
        if (!std::isfinite(desc.pad_value)) {
            unsupported(fmt::format("padding by {} is not supported", desc.pad_value));
        }
        validate(node, desc);
        OnnxLayer made;
        made.computed["input"] = graph_.node(node).input(0);
        finish(node, std::move(made),
               fuse_tail(graph_, shapes_, {desc, node, graph_.node(node).output(0), {}}));
    }

    bool is_folded(int pad, int window) const {
        try {
            return fold_into(pad, read_window(graph_, shapes_, window).desc).has_value();
        } catch (const Error &) {
            return false; // reported when the window's turn comes
        }
    }

    /// A value times what layers make of it, one number per channel: squeeze-and-excitation. False for any
    /// other product.
    bool read_excite_layer(int node) {
        const onnx::NodeProto &proto = graph_.node(node);
        for (const int gate : {1, 0}) {
            const auto branch =
                squeezing_layers(graph_, result_.layers, proto.input(1 - gate), proto.input(gate));
            if (!branch) {
                continue;
            }
            OnnxLayer made;
            try {
                made = excited(*branch);
            } catch (const Error &) {
                continue; // the layers stay as they are
            }
            std::set<std::string> joined;
            for (const OnnxLayer &part : *branch) {
                joined.insert(part.output);
            }
            std::vector<OnnxLayer> &layers = result_.layers;
            layers.erase(
                std::remove_if(layers.begin(), layers.end(),
                               [&](const OnnxLayer &layer) { return joined.count(layer.output) != 0; }),
                layers.end());
            const FuseStart start{made.layer.desc, node, proto.output(0), {}};
            finish(node, std::move(made), fuse_tail(graph_, shapes_, start));
            return true;
        }
        return false;
    }

    /// True for a sum or product of two values: either may be the input, the other a second tensor.
    bool combines_computed_values(int node) const {
        const auto &inputs = graph_.node(node).input();
        return (is_op(node, "Add") || is_op(node, "Sum") || is_op(node, "Mul")) && inputs.size() == 2 &&
               !graph_.constant(inputs[0]) && !graph_.constant(inputs[1]);
    }

    /// True for nodes that become an identity with stages or an index map.
    bool begins_identity(int node) const {
        const onnx::NodeProto &proto = graph_.node(node);
        if (!graph_.is_standard(node) || proto.input_size() < 1 || proto.input(0).empty() ||
            graph_.constant(proto.input(0))) {
            return false;
        }
        for (const char *op : {"BatchNormalization", "PRelu", "DepthToSpace", "SpaceToDepth"}) {
            if (proto.op_type() == op) {
                return true;
            }
        }
        if (single_activation(graph_, node) || spelled_rearrangement(graph_, shapes_, node)) {
            return true;
        }
        if (combines_computed_values(node)) {
            return true;
        }
        const std::optional<ActivationMatch> group = spelled_activation(graph_, proto.input(0));
        return group && std::find(group->nodes.begin(), group->nodes.end(), node) != group->nodes.end();
    }

    void read_identity_layer(int node) {
        const int operands = combines_computed_values(node) ? 2 : 1;
        for (int form = 0; form < 2 * operands; form++) {
            const int operand = form / 2;
            const bool is_flat = form % 2 != 0;
            const std::string &input = graph_.node(node).input(operand);
            const ConvDesc desc = identity_of(graph_, shapes_, node, operand, is_flat);
            validate(node, desc);
            if (is_integer(desc.in_type) && !is_op(node, "DepthToSpace") && !is_op(node, "SpaceToDepth")) {
                unsupported("element-wise operators of integers are not supported");
            }
            const FusedTail tail = fuse_from(graph_, shapes_, {desc, node, input, {}});
            if (!tail.nodes.empty()) {
                OnnxLayer made;
                made.computed["input"] = input;
                return finish(node, std::move(made), tail);
            }
        }
        unsupported("its parameters are computed, or there is no kernel for how they vary");
    }

    void finish(int node, OnnxLayer made, const FusedTail &tail) {
        Layer &layer = made.layer;
        layer.name = unique_name(graph_.node_name(node));
        layer.desc = tail.desc;
        for (const TensorSpec &spec : tensor_specs(tail.desc, Packing())) {
            const auto values = tail.trained.find(spec.name);
            if (spec.role != TensorRole::Operand || values == tail.trained.end()) {
                continue;
            }
            auto tensor = std::make_shared<Tensor>(spec.dtype, spec.shape);
            for (size_t i = 0; i < values->second.size(); ++i) {
                tensor->set(static_cast<int64_t>(i), values->second[i]);
            }
            layer.trained[spec.name] = tensor;
        }
        made.computed.insert(tail.computed.begin(), tail.computed.end());
        made.output = tail.output;
        done_.insert(node);
        done_.insert(tail.nodes.begin(), tail.nodes.end());
        result_.layers.push_back(std::move(made));
    }

    /// A Concat along channels of values that each are one layer's output and nothing else's: the layers
    /// write their parts of its output.
    void join_concat(int node) {
        const onnx::NodeProto &proto = graph_.node(node);
        const std::vector<int64_t> *shape = is_op(node, "Concat") ? shapes_.find(proto.output(0)) : nullptr;
        if (!shape || !is_known(shapes_, proto.output(0))) {
            return;
        }
        const int64_t axis = graph_.integer(node, "axis", 1);
        if (axis != 1 && axis + static_cast<int64_t>(shape->size()) != 1) {
            return;
        }
        std::vector<std::pair<OnnxLayer *, ConvDesc>> parts;
        int begin = 0;
        for (const std::string &input : proto.input()) {
            OnnxLayer *layer = writer_of(input, shape->size());
            if (!layer) {
                reasons_[node] = fmt::format("input '{}' is not the output of one layer alone", input);
                return;
            }
            ConvDesc desc = layer->layer.desc;
            ConvDesc &last = last_op(desc);
            last.co_total = static_cast<int>((*shape)[1]);
            last.co_begin = begin;
            begin += stored_channels(last);
            try {
                desc.validate();
            } catch (const Error &error) {
                reasons_[node] = error.what();
                return;
            }
            parts.emplace_back(layer, desc);
        }
        for (auto &[layer, desc] : parts) {
            layer->layer.desc = desc;
            layer->output = proto.output(0);
        }
        done_.insert(node);
    }

    /// The layer whose whole output is `value`, which has `dims` dimensions and one reader.
    OnnxLayer *writer_of(const std::string &value, size_t dims) {
        for (OnnxLayer &layer : result_.layers) {
            if (layer.output == value && is_private(graph_, layer) &&
                layer.layer.desc.rank + 2 == static_cast<int>(dims)) {
                return &layer;
            }
        }
        return nullptr;
    }

    /// Corrects what inference says of an output: libonnx may not know the operator, or another version.
    void learn_shape(int node, int output, const std::vector<int64_t> &dims,
                     const std::unordered_map<std::string, int> &types) {
        const std::string &name = graph_.node(node).output(output);
        const std::vector<int64_t> *inferred = shapes_.find(name);
        if (inferred && *inferred == dims && shapes_.types.count(name) != 0) {
            return;
        }
        known_.dims[name] = dims;
        const auto type = types.find(graph_.node(node).input(0));
        known_.types[name] = type == types.end() ? onnx::TensorProto::FLOAT : type->second;
        shapes_ = infer_shapes(graph_, options_, known_);
    }

    void validate(int node, const ConvDesc &desc) const {
        try {
            desc.validate();
        } catch (const Error &error) {
            if (error.code() == ErrorCode::Unsupported) {
                throw;
            }
            graph_.fail(node, error.what());
        }
    }

    std::string unique_name(const std::string &name) {
        std::string unique = name;
        for (int suffix = 2; !names_.insert(unique).second; ++suffix) {
            unique = fmt::format("{}_{}", name, suffix);
        }
        return unique;
    }

    std::string skip_reason(int node) const {
        const onnx::NodeProto &proto = graph_.node(node);
        const std::string &op = proto.op_type();
        const auto has_subgraph = [](const onnx::AttributeProto &a) {
            return a.has_g() || a.graphs_size() > 0;
        };
        if (!reasons_[node].empty()) {
            return reasons_[node];
        }
        if (!graph_.is_standard(node)) {
            return fmt::format("operators of domain '{}' are not supported", proto.domain());
        }
        if (std::any_of(proto.attribute().begin(), proto.attribute().end(), has_subgraph)) {
            return "its subgraph is not searched for convolutions";
        }
        if (op == "ConvInteger" || op == "QLinearConv" || op.find("uantizeLinear") != std::string::npos) {
            return "quantised operators are not supported";
        }
        if (is_view(graph_, node)) {
            return "moves no element: needs no kernel";
        }
        for (const std::string &input : proto.input()) {
            const int producer = graph_.producer(input);
            if (producer >= 0 && done_.count(producer) != 0) {
                return "follows a layer but cannot be fused into it";
            }
        }
        return "no operation of a layer";
    }

    const OnnxGraph &graph_;
    const ImportOptions &options_;
    OnnxShapes shapes_;
    OnnxShapes known_; ///< what inference is told
    std::vector<std::string> reasons_;
    OnnxLayers result_;
    std::set<int> done_; ///< nodes that became part of a layer
    std::set<std::string> names_;
};

} // namespace

bool is_view(const OnnxGraph &graph, int node) {
    static const std::set<std::string> kViews = {"Dropout", "Flatten", "Identity",
                                                 "Reshape", "Squeeze", "Unsqueeze"};
    return graph.is_standard(node) && kViews.count(graph.node(node).op_type()) != 0;
}

OnnxLayers read_layers(const OnnxGraph &graph, const ImportOptions &options) {
    return LayerReader(graph, options).run();
}

} // namespace convsmith::frontend
