// Reading and indexing of ONNX models.
#include "runtime/frontend/onnx_graph.h"

#include "runtime/frontend/file_io.h"

#include <fmt/format.h>

#include <climits>
#include <cstdlib>
#include <cstring>
#include <functional>

namespace convsmith::frontend {

namespace {

/// Product of the dims; -1 if one is negative or the product is beyond any file.
int64_t element_count(const onnx::TensorProto &tensor) {
    int64_t count = 1;
    for (const int64_t dim : tensor.dims()) {
        if (dim < 0 || __builtin_mul_overflow(count, dim, &count)) {
            return -1;
        }
    }
    return count;
}

template<typename T>
std::vector<double> decode_raw(const std::string &raw) {
    std::vector<double> numbers(raw.size() / sizeof(T));
    for (size_t i = 0; i < numbers.size(); ++i) {
        T value;
        std::memcpy(&value, raw.data() + i * sizeof(T), sizeof(T)); // little-endian, as are our hosts
        numbers[i] = static_cast<double>(value);
    }
    return numbers;
}

template<typename T, typename Field>
std::vector<double> decode(const onnx::TensorProto &tensor, const Field &field) {
    return tensor.has_raw_data() ? decode_raw<T>(tensor.raw_data())
                                 : std::vector<double>(field.begin(), field.end());
}

std::optional<std::vector<double>> decode_elements(const onnx::TensorProto &tensor) {
    switch (tensor.data_type()) {
    case onnx::TensorProto::FLOAT:
        return decode<float>(tensor, tensor.float_data());
    case onnx::TensorProto::DOUBLE:
        return decode<double>(tensor, tensor.double_data());
    case onnx::TensorProto::INT32:
        return decode<int32_t>(tensor, tensor.int32_data());
    case onnx::TensorProto::INT64:
        return decode<int64_t>(tensor, tensor.int64_data());
    default:
        return std::nullopt;
    }
}

/// Calls `use` for every value that the subgraphs of `node` read (names bound inside them included:
/// harmless).
void for_each_captured(const onnx::NodeProto &node, const std::function<void(const std::string &)> &use) {
    const auto visit = [&](const onnx::GraphProto &graph) {
        for (const onnx::NodeProto &inner : graph.node()) {
            std::for_each(inner.input().begin(), inner.input().end(), use);
            for_each_captured(inner, use);
        }
        for (const onnx::ValueInfoProto &output : graph.output()) {
            use(output.name());
        }
    };
    for (const onnx::AttributeProto &attribute : node.attribute()) {
        if (attribute.has_g()) {
            visit(attribute.g());
        }
        for (const onnx::GraphProto &graph : attribute.graphs()) {
            visit(graph);
        }
    }
}

} // namespace

double shortest_double(float value) {
    return std::strtod(fmt::format("{}", value).c_str(), nullptr);
}

OnnxGraph::OnnxGraph(const std::string &path) : path_(path) {
    read();
    index();
}

OnnxGraph::OnnxGraph(const std::string &path, onnx::ModelProto model)
    : path_(path), model_(std::move(model)) {
    index();
}

void OnnxGraph::read() {
    const std::string content = read_file(path_);
    const auto broken = [&](const std::string &what) {
        throw Error(ErrorCode::BadArgument, fmt::format("{}: {}", path_, what));
    };
    if (content.size() > INT_MAX) {
        broken("is larger than 2 GiB, the limit of the format");
    }
    if (content.empty()) {
        broken("is empty, want an ONNX model");
    }
    if (!model_.ParseFromArray(content.data(), static_cast<int>(content.size()))) {
        broken("is no ONNX model, or a truncated one (the protobuf cannot be parsed)");
    }
}

void OnnxGraph::index() {
    const auto broken = [&](const std::string &what) {
        throw Error(ErrorCode::BadArgument, fmt::format("{}: {}", path_, what));
    };
    if (!model_.has_graph() || graph().node_size() == 0) {
        broken("is no ONNX model, or a truncated one (it has no graph)");
    }
    if (model_.opset_import_size() == 0) {
        broken("is no ONNX model, or a truncated one (it imports no operator set)");
    }
    if (graph().output_size() == 0) {
        broken("is no ONNX model, or a truncated one (its graph has no output)");
    }
    index_constants();
    index_nodes();
}

void OnnxGraph::index_constants() {
    for (const onnx::TensorProto &tensor : graph().initializer()) {
        constants_[tensor.name()] = &tensor;
    }
    for (const onnx::ValueInfoProto &output : graph().output()) {
        outputs_.insert(output.name());
    }
}

void OnnxGraph::index_nodes() {
    std::unordered_set<std::string> defined;
    for (const onnx::ValueInfoProto &input : graph().input()) {
        defined.insert(input.name());
    }
    for (const auto &[name, tensor] : constants_) {
        defined.insert(name);
    }
    for (const onnx::SparseTensorProto &tensor : graph().sparse_initializer()) {
        defined.insert(tensor.values().name());
    }
    for (int i = 0; i < node_count(); ++i) {
        index_node(i, defined);
    }
    for (const std::string &output : outputs_) {
        if (defined.count(output) == 0) {
            throw Error(ErrorCode::BadArgument,
                        fmt::format("{}: output '{}' is computed by no node", path_, output));
        }
    }
}

void OnnxGraph::index_node(int index, std::unordered_set<std::string> &defined) {
    const onnx::NodeProto &proto = node(index);
    for (const std::string &input : proto.input()) {
        if (input.empty()) {
            continue; // an optional input left out
        }
        if (defined.count(input) == 0) {
            fail(index, fmt::format("input '{}' is neither a graph input nor computed before", input));
        }
        consumers_[input].push_back(index);
    }
    for_each_captured(proto, [&](const std::string &value) { consumers_[value].push_back(index); });
    for (const std::string &output : proto.output()) {
        if (output.empty()) {
            continue;
        }
        if (!defined.insert(output).second) {
            fail(index, fmt::format("output '{}' is defined twice", output));
        }
        producers_[output] = index;
    }
    add_constant_node(index);
}

void OnnxGraph::add_constant_node(int index) {
    const onnx::NodeProto &proto = node(index);
    if (!is_standard(index) || proto.output_size() != 1) {
        return;
    }
    const onnx::TensorProto *tensor = nullptr;
    if (proto.op_type() == "Identity" && proto.input_size() == 1) {
        tensor = constant(proto.input(0));
    } else if (proto.op_type() == "Constant") {
        constant_nodes_.insert(index);
        for (const onnx::AttributeProto &attribute : proto.attribute()) {
            if (attribute.name() == "value" && attribute.has_t()) {
                tensor = &attribute.t();
            } else if (attribute.name() == "value_float" || attribute.name() == "value_floats") {
                onnx::TensorProto &made = owned_.emplace_back();
                made.set_data_type(onnx::TensorProto::FLOAT);
                *made.mutable_float_data() = attribute.floats();
                if (attribute.name() == "value_float") {
                    made.add_float_data(attribute.f());
                } else {
                    made.add_dims(attribute.floats_size());
                }
                tensor = &made;
            }
        }
    }
    if (tensor) {
        constant_nodes_.insert(index);
        constants_[proto.output(0)] = tensor;
    }
}

int64_t OnnxGraph::opset(const std::string &domain) const {
    for (const onnx::OperatorSetIdProto &opset : model_.opset_import()) {
        if (opset.domain() == domain || (domain.empty() && opset.domain() == "ai.onnx")) {
            return opset.version();
        }
    }
    return 0;
}

std::string OnnxGraph::node_name(int index) const {
    const onnx::NodeProto &proto = node(index);
    if (!proto.name().empty()) {
        return proto.name();
    }
    return proto.output_size() > 0 ? proto.output(0) : fmt::format("#{}", index);
}

bool OnnxGraph::is_standard(int index) const {
    const std::string &domain = node(index).domain();
    return domain.empty() || domain == "ai.onnx";
}

int OnnxGraph::producer(const std::string &value) const {
    const auto it = producers_.find(value);
    return it == producers_.end() ? -1 : it->second;
}

const std::vector<int> &OnnxGraph::consumers(const std::string &value) const {
    static const std::vector<int> kNone;
    const auto it = consumers_.find(value);
    return it == consumers_.end() ? kNone : it->second;
}

const onnx::TensorProto *OnnxGraph::constant(const std::string &value) const {
    const auto it = constants_.find(value);
    return it == constants_.end() ? nullptr : it->second;
}

std::optional<std::vector<double>> OnnxGraph::numbers(const onnx::TensorProto &tensor) const {
    const auto broken = [&](const std::string &what) {
        throw Error(ErrorCode::BadArgument, fmt::format("{}: tensor '{}' {}", path_, tensor.name(), what));
    };
    if (tensor.data_location() == onnx::TensorProto::EXTERNAL) {
        broken("lies in another file (external data), which is not supported: save the model as one file");
    }
    std::optional<std::vector<double>> numbers = decode_elements(tensor);
    const int64_t want = element_count(tensor);
    if (numbers && static_cast<int64_t>(numbers->size()) != want) {
        broken(fmt::format("holds {} elements, its shape [{}] wants {}", numbers->size(),
                           fmt::join(tensor.dims(), ", "), want));
    }
    return numbers;
}

std::optional<double> OnnxGraph::scalar(const std::string &value) const {
    const onnx::TensorProto *tensor = constant(value);
    if (!tensor || element_count(*tensor) != 1) {
        return std::nullopt;
    }
    const std::optional<std::vector<double>> elements = numbers(*tensor);
    if (!elements) {
        return std::nullopt;
    }
    const bool is_float = tensor->data_type() == onnx::TensorProto::FLOAT;
    return is_float ? shortest_double(static_cast<float>(elements->front())) : elements->front();
}

void OnnxGraph::fail(int index, const std::string &what) const {
    throw Error(ErrorCode::BadArgument,
                fmt::format("{}: node '{}' ({}): {}", path_, node_name(index), node(index).op_type(), what));
}

const onnx::AttributeProto *OnnxGraph::attribute(int index, const std::string &name, int type) const {
    for (const onnx::AttributeProto &candidate : node(index).attribute()) {
        if (candidate.name() != name) {
            continue;
        }
        // Models of the first IR versions leave the type out.
        if (candidate.type() != type && candidate.type() != onnx::AttributeProto::UNDEFINED) {
            fail(index, fmt::format("attribute '{}' has type {}, want {}", name,
                                    onnx::AttributeProto::AttributeType_Name(candidate.type()),
                                    onnx::AttributeProto::AttributeType_Name(
                                        static_cast<onnx::AttributeProto::AttributeType>(type))));
        }
        return &candidate;
    }
    return nullptr;
}

int64_t OnnxGraph::integer(int index, const std::string &name, int64_t absent) const {
    const onnx::AttributeProto *found = attribute(index, name, onnx::AttributeProto::INT);
    return found ? found->i() : absent;
}

double OnnxGraph::number(int index, const std::string &name, double absent) const {
    const onnx::AttributeProto *found = attribute(index, name, onnx::AttributeProto::FLOAT);
    return found ? shortest_double(found->f()) : absent;
}

std::string OnnxGraph::text(int index, const std::string &name, const std::string &absent) const {
    const onnx::AttributeProto *found = attribute(index, name, onnx::AttributeProto::STRING);
    return found ? found->s() : absent;
}

std::vector<int64_t> OnnxGraph::integers(int index, const std::string &name) const {
    const onnx::AttributeProto *found = attribute(index, name, onnx::AttributeProto::INTS);
    return found ? std::vector<int64_t>(found->ints().begin(), found->ints().end()) : std::vector<int64_t>();
}

bool OnnxGraph::has_attribute(int index, const std::string &name) const {
    const auto &attributes = node(index).attribute();
    return std::any_of(attributes.begin(), attributes.end(),
                       [&](const onnx::AttributeProto &candidate) { return candidate.name() == name; });
}

} // namespace convsmith::frontend
