// Shape inference: libonnx does the work on a copy of the model. Operators newer than libonnx are put into a
// form it knows where that is the same computation of sizes, and hidden from it where it would compute a
// wrong one.
#include "runtime/frontend/onnx_shapes.h"

#include <fmt/format.h>
#include <onnx/defs/schema.h>
#include <onnx/shape_inference/implementation.h>

#include <algorithm>
#include <set>

namespace convsmith::frontend {

namespace {

/// Operators whose first output has the shape of their first input.
bool keeps_shape(const std::string &op) {
    static const std::set<std::string> kOps = {"BiasGelu",  "FastGelu",         "Gelu", "HardSwish", "Mish",
                                               "QuickGelu", "RMSNormalization", "Swish"};
    return kOps.count(op) != 0;
}

std::vector<int64_t> dims_of(const onnx::TensorShapeProto &shape) {
    std::vector<int64_t> dims;
    for (const onnx::TensorShapeProto::Dimension &dim : shape.dim()) {
        dims.push_back(dim.has_dim_value() && dim.dim_value() > 0 ? dim.dim_value() : -1);
    }
    return dims;
}

std::string dims_text(const onnx::TensorShapeProto &shape) {
    std::vector<std::string> dims;
    for (const onnx::TensorShapeProto::Dimension &dim : shape.dim()) {
        const bool named = !dim.has_dim_value() && !dim.dim_param().empty();
        dims.push_back(dim.has_dim_value() && dim.dim_value() > 0 ? std::to_string(dim.dim_value())
                       : named                                    ? dim.dim_param()
                                                                  : "?");
    }
    return fmt::format("[{}]", fmt::join(dims, ", "));
}

/// Puts the caller's sizes on one input.
void set_input(const OnnxGraph &graph, onnx::ValueInfoProto &input, const std::vector<int64_t> *sizes) {
    onnx::TypeProto::Tensor &type = *input.mutable_type()->mutable_tensor_type();
    const bool has_rank = type.has_shape();
    const std::vector<int64_t> dims = dims_of(type.shape());
    if (!sizes) {
        if (!has_rank || std::count(dims.begin(), dims.end(), -1) > 0) {
            throw Error(
                ErrorCode::BadArgument,
                fmt::format("{}: input '{}' has open dimensions {}: give its size with --shape {}=N,...",
                            graph.path(), input.name(),
                            has_rank ? dims_text(type.shape()) : "of unknown rank", input.name()));
        }
        return;
    }
    bool fits = !has_rank || sizes->size() == dims.size();
    for (size_t i = 0; fits && has_rank && i < dims.size(); ++i) {
        fits = dims[i] < 0 || dims[i] == (*sizes)[i];
    }
    if (!fits) {
        throw Error(ErrorCode::BadArgument,
                    fmt::format("{}: input '{}': --shape gives [{}], the model says {}", graph.path(),
                                input.name(), fmt::join(*sizes, ", "), dims_text(type.shape())));
    }
    type.clear_shape();
    for (const int64_t size : *sizes) {
        type.mutable_shape()->add_dim()->set_dim_value(size);
    }
}

void set_inputs(const OnnxGraph &graph, const ImportOptions &options, onnx::GraphProto &copy) {
    std::vector<std::string> names;
    for (onnx::ValueInfoProto &input : *copy.mutable_input()) {
        if (graph.constant(input.name()) || !input.type().has_tensor_type()) {
            continue; // an initialiser with a default value, or a sequence
        }
        names.push_back(input.name());
        const auto sizes = options.shapes.find(input.name());
        set_input(graph, input, sizes == options.shapes.end() ? nullptr : &sizes->second);
    }
    for (const auto &[name, sizes] : options.shapes) {
        if (std::find(names.begin(), names.end(), name) == names.end()) {
            throw Error(ErrorCode::BadArgument,
                        fmt::format("{}: --shape names '{}', the model's inputs are: {}", graph.path(), name,
                                    fmt::join(names, ", ")));
        }
    }
}

/// Operator set 18 moved the axes of reductions from an attribute to an input; nothing else changed.
bool restore_axes_attribute(const OnnxGraph &graph, int index, onnx::NodeProto &node) {
    if (node.input_size() < 2 || node.input(1).empty()) {
        return true;
    }
    const onnx::TensorProto *axes = graph.constant(node.input(1));
    const auto numbers = axes ? graph.numbers(*axes) : std::nullopt;
    if (!numbers || graph.integer(index, "noop_with_empty_axes", 0) != 0) {
        return false;
    }
    onnx::AttributeProto &attribute = *node.add_attribute();
    attribute.set_name("axes");
    attribute.set_type(onnx::AttributeProto::INTS);
    for (const double axis : *numbers) {
        attribute.add_ints(static_cast<int64_t>(axis));
    }
    node.mutable_input()->DeleteSubrange(1, node.input_size() - 1);
    return true;
}

/// False if libonnx would misread the node as that of an older operator set.
bool make_readable(const OnnxGraph &graph, int index, onnx::NodeProto &node) {
    const std::string &op = node.op_type();
    if (op.compare(0, 6, "Reduce") == 0 && op != "ReduceSum") {
        return restore_axes_attribute(graph, index, node);
    }
    if (op == "Pad") {
        return node.input_size() < 4;
    }
    if (op == "Resize") {
        return !graph.has_attribute(index, "axes") && !graph.has_attribute(index, "keep_aspect_ratio_policy");
    }
    return true;
}

/// Inference divides by these attributes without looking at them.
void check_divisors(const OnnxGraph &graph, int node) {
    for (const char *attribute : {"strides", "group", "blocksize"}) {
        if (!graph.has_attribute(node, attribute)) {
            continue;
        }
        const bool is_list = std::string(attribute) == "strides";
        const std::vector<int64_t> values = is_list ? graph.integers(node, attribute)
                                                    : std::vector<int64_t>{graph.integer(node, attribute, 1)};
        if (std::any_of(values.begin(), values.end(), [](int64_t value) { return value < 1; })) {
            graph.fail(node, fmt::format("attribute {} is [{}], want positive numbers", attribute,
                                         fmt::join(values, ", ")));
        }
    }
}

/// Rewrites nodes that this libonnx does not know (see the file's head). Values it may keep sizes of from the
/// model: outputs of operators that nobody can infer.
void adapt_nodes(const OnnxGraph &graph, onnx::ModelProto &copy, std::set<std::string> &opaque) {
    const int64_t version = graph.opset();
    onnx::OpSchemaRegistry::DomainToVersionRange ranges;
    const bool is_newer = version > ranges.Map().at("").second;
    for (int i = 0; i < graph.node_count(); ++i) {
        onnx::NodeProto &node = *copy.mutable_graph()->mutable_node(i);
        const std::string domain = graph.is_standard(i) ? "" : node.domain();
        if (domain.empty()) {
            check_divisors(graph, i);
        }
        const int64_t domain_version = graph.opset(domain);
        const bool is_known =
            domain_version > 0 &&
            onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(domain_version), domain);
        if (!is_known && keeps_shape(node.op_type()) && node.input_size() > 0) {
            node.set_op_type("Identity");
            node.clear_domain();
            node.clear_attribute();
            node.mutable_input()->DeleteSubrange(1, node.input_size() - 1);
            node.mutable_output()->DeleteSubrange(1, node.output_size() - 1);
        } else if (!is_known || (is_newer && !make_readable(graph, i, node))) {
            node.set_op_type("Opaque");
            node.clear_domain();
            opaque.insert(node.output().begin(), node.output().end());
        }
    }
}

/// Sizes that an exporter stored may belong to other input sizes: only those of `opaque` values stay.
void drop_stale_sizes(onnx::GraphProto &copy, const std::set<std::string> &opaque) {
    std::vector<onnx::ValueInfoProto> kept;
    for (const onnx::ValueInfoProto &value : copy.value_info()) {
        if (opaque.count(value.name()) != 0) {
            kept.push_back(value);
        }
    }
    copy.clear_value_info();
    for (const onnx::ValueInfoProto &value : kept) {
        *copy.add_value_info() = value;
    }
    for (onnx::ValueInfoProto &output : *copy.mutable_output()) {
        if (output.type().has_tensor_type()) {
            output.mutable_type()->mutable_tensor_type()->clear_shape();
        }
    }
}

/// Gives values the sizes in `known` and hides their nodes, so that inference keeps them.
void add_known_sizes(const OnnxGraph &graph, const OnnxShapes &known, onnx::GraphProto &copy) {
    for (const auto &[name, dims] : known.dims) {
        const auto holds_it = [&value = name](const onnx::ValueInfoProto &info) {
            return info.name() == value;
        };
        auto &infos = *copy.mutable_value_info();
        infos.erase(std::remove_if(infos.begin(), infos.end(), holds_it), infos.end());
        const auto output =
            std::find_if(copy.mutable_output()->begin(), copy.mutable_output()->end(), holds_it);
        onnx::ValueInfoProto &info = output == copy.mutable_output()->end() ? *infos.Add() : *output;
        info.set_name(name);
        onnx::TypeProto::Tensor &type = *info.mutable_type()->mutable_tensor_type();
        const auto element = known.types.find(name);
        type.set_elem_type(element == known.types.end() ? onnx::TensorProto::FLOAT : element->second);
        type.clear_shape();
        for (const int64_t dim : dims) {
            type.mutable_shape()->add_dim()->set_dim_value(dim);
        }
        if (const int producer = graph.producer(name); producer >= 0) {
            copy.mutable_node(producer)->set_op_type("Opaque");
        }
    }
}

void collect(const google::protobuf::RepeatedPtrField<onnx::ValueInfoProto> &values, OnnxShapes &shapes) {
    for (const onnx::ValueInfoProto &value : values) {
        const onnx::TypeProto::Tensor &type = value.type().tensor_type();
        if (value.type().has_tensor_type() && type.has_shape()) {
            shapes.dims[value.name()] = dims_of(type.shape());
        }
        if (value.type().has_tensor_type() && type.elem_type() != 0) {
            shapes.types[value.name()] = type.elem_type();
        }
    }
}

} // namespace

OnnxShapes infer_shapes(const OnnxGraph &graph, const ImportOptions &options, const OnnxShapes &known) {
    onnx::ModelProto copy = graph.model();
    set_inputs(graph, options, *copy.mutable_graph());
    std::set<std::string> opaque;
    adapt_nodes(graph, copy, opaque);
    drop_stale_sizes(*copy.mutable_graph(), opaque);
    add_known_sizes(graph, known, *copy.mutable_graph());
    try {
        onnx::shape_inference::InferShapes(copy, onnx::OpSchemaRegistry::Instance(),
                                           onnx::ShapeInferenceOptions(false, 0, true));
    } catch (const std::exception &error) {
        throw Error(ErrorCode::BadArgument,
                    fmt::format("{}: shape inference: {}", graph.path(), error.what()));
    }
    OnnxShapes shapes;
    collect(copy.graph().input(), shapes);
    collect(copy.graph().output(), shapes);
    collect(copy.graph().value_info(), shapes);
    return shapes;
}

bool is_known(const OnnxShapes &shapes, const std::string &value) {
    const std::vector<int64_t> *dims = shapes.find(value);
    return dims && std::count(dims->begin(), dims->end(), -1) == 0;
}

std::string blame_unknown_shape(const OnnxGraph &graph, const OnnxShapes &shapes, const std::string &value) {
    int node = graph.producer(value);
    while (node >= 0) {
        int earlier = -1;
        for (const std::string &input : graph.node(node).input()) {
            if (!input.empty() && !graph.constant(input) && !is_known(shapes, input)) {
                earlier = std::max(earlier, graph.producer(input));
            }
        }
        if (earlier < 0) {
            return fmt::format("node '{}' ({})", graph.node_name(node), graph.node(node).op_type());
        }
        node = earlier;
    }
    return fmt::format("value '{}'", value);
}

} // namespace convsmith::frontend
