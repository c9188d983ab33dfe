// See onnx_split.h.
#include "bench/peers/onnx_split.h"

#include "bench/peers/onnx_model.h"
#include "generators/error.h"

#include <onnx/onnx_pb.h>

#include <set>

namespace convsmith::bench {

namespace {

onnx::ModelProto parse(const std::string &bytes) {
    onnx::ModelProto model;
    if (!model.ParseFromString(bytes))
        throw Error(ErrorCode::Unsupported, "the optimised model cannot be read");
    return model;
}

/// The same versions, nothing in the graph.
onnx::ModelProto like(const onnx::ModelProto &model) {
    onnx::ModelProto made;
    made.set_ir_version(model.ir_version());
    *made.mutable_opset_import() = model.opset_import();
    made.mutable_graph()->set_name(model.graph().name());
    return made;
}

/// Type without a shape: ONNX Runtime finds out.
void declare(onnx::ValueInfoProto &value, const std::string &name) {
    value.set_name(name);
    value.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
}

using Names = std::set<std::string>;

Names input_names(const onnx::GraphProto &graph) {
    Names names;
    for (const onnx::ValueInfoProto &input : graph.input())
        names.insert(input.name());
    return names;
}

/// Declares as inputs what the nodes read and nothing in the graph gives.
void declare_inputs(onnx::GraphProto &graph) {
    Names given;
    for (const onnx::TensorProto &constant : graph.initializer())
        given.insert(constant.name());
    for (const onnx::NodeProto &node : graph.node()) {
        for (const std::string &input : node.input())
            if (!input.empty() && given.insert(input).second)
                declare(*graph.add_input(), input);
        given.insert(node.output().begin(), node.output().end());
    }
}

} // namespace

SplitModel split_model(const std::string &optimized) {
    const onnx::ModelProto model = parse(optimized);
    const Names inputs = input_names(model.graph());
    onnx::ModelProto before = like(model), layer = like(model), after = like(model);
    std::string result = "output";
    SplitModel split;
    split.repeatable = true;
    *layer.mutable_graph()->mutable_initializer() = model.graph().initializer();
    for (const onnx::NodeProto &node : model.graph().node()) {
        const bool prepares = node.name().rfind(kBeforeLayer, 0) == 0;
        if (prepares || (node.op_type() == "ReorderInput" && inputs.count(node.input(0)) > 0)) {
            *before.mutable_graph()->add_node() = node;
            declare(*before.mutable_graph()->add_output(), node.output(0));
        } else if (node.op_type() == "ReorderOutput" && node.output(0) == "output") {
            *after.mutable_graph()->add_node() = node;
            result = node.input(0);
        } else {
            *layer.mutable_graph()->add_node() = node;
            split.operators += (split.operators.empty() ? "" : ", ") + node.op_type() +
                               (node.domain() == "com.microsoft.nchwc" ? " (nchwc)" : "");
            // These two pack their weights for themselves, so that copies would each read their own.
            split.repeatable &= node.op_type() != "ConvTranspose" && node.op_type() != "MatMul";
        }
    }
    declare(*layer.mutable_graph()->add_output(), result);
    declare(*after.mutable_graph()->add_output(), "output");
    for (onnx::ModelProto *part : {&before, &layer, &after})
        declare_inputs(*part->mutable_graph());
    split.layer = layer.SerializeAsString();
    if (before.graph().node_size() > 0)
        split.before = before.SerializeAsString();
    if (after.graph().node_size() > 0)
        split.after = after.SerializeAsString();
    return split;
}

std::string repeated_layer(const std::string &layer, int times) {
    onnx::ModelProto model = parse(layer);
    const onnx::GraphProto once = model.graph();
    Names computed;
    for (const onnx::NodeProto &node : once.node())
        computed.insert(node.output().begin(), node.output().end());
    onnx::GraphProto &graph = *model.mutable_graph();
    graph.clear_node();
    for (int copy = 0; copy < times; copy++)
        for (onnx::NodeProto node : once.node()) {
            const std::string suffix = copy + 1 < times ? "#" + std::to_string(copy) : "";
            if (!node.name().empty()) // as those that ONNX Runtime makes of HardSwish
                node.set_name(node.name() + suffix);
            for (std::string &name : *node.mutable_input())
                name += computed.count(name) > 0 ? suffix : "";
            for (std::string &name : *node.mutable_output())
                name += name.empty() ? "" : suffix;
            *graph.add_node() = node;
        }
    return model.SerializeAsString();
}

} // namespace convsmith::bench
