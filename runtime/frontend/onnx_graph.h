// An ONNX model read from its file: nodes with their producers and consumers, constants, attributes. The
// importer's view of libonnx; followed by onnx_shapes.h (sizes), onnx_fuse.h (what joins a Conv) and
// onnx_import.cpp.
#pragma once

#include "generators/error.h"

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace convsmith::frontend {

/// A parsed model whose graph is known to be well formed: every input of a node is defined before it.
class OnnxGraph {
public:
    /// Reads and checks `path`. Throws Error(Io) if it cannot be read, Error(BadArgument) naming the file and
    /// what is wrong if it is no complete ONNX model.
    explicit OnnxGraph(const std::string &path);

    /// The same for a model made in memory; `path` names it in messages.
    OnnxGraph(const std::string &path, onnx::ModelProto model);

    const std::string &path() const { return path_; }
    const onnx::ModelProto &model() const { return model_; }
    const onnx::GraphProto &graph() const { return model_.graph(); }
    /// Version of a domain's operators that the model imports, of the standard ones by default; 0 if none.
    int64_t opset(const std::string &domain = "") const;
    int node_count() const { return graph().node_size(); }
    const onnx::NodeProto &node(int index) const { return graph().node(index); }

    /// The node's name, or that of its first output if it has none.
    std::string node_name(int index) const;

    /// True for operators of the standard itself.
    bool is_standard(int index) const;

    /// Index of the node that computes `value`; -1 for inputs and constants.
    int producer(const std::string &value) const;

    /// Nodes that read `value`, one entry per use, in graph order; a use inside a subgraph counts for the
    /// node that holds it.
    const std::vector<int> &consumers(const std::string &value) const;

    bool is_output(const std::string &value) const { return outputs_.count(value) != 0; }

    /// Initialisers, Constant nodes and Identity of either; null for anything computed.
    const onnx::TensorProto *constant(const std::string &value) const;

    /// True if the node only delivers a constant.
    bool is_constant_node(int index) const { return constant_nodes_.count(index) != 0; }

    /// The constant's elements in C order, of float, double, int32 or int64; nothing for other types. Throws
    /// Error(BadArgument) naming the tensor if its data lie in another file or do not fill its shape.
    std::optional<std::vector<double>> numbers(const onnx::TensorProto &tensor) const;

    /// The value of a constant with exactly one element; nothing for anything else.
    std::optional<double> scalar(const std::string &value) const;

    /// Error(BadArgument) "<file>: node '<name>' (<op>): <what>".
    [[noreturn]] void fail(int node, const std::string &what) const;

    /// Attributes with their defaults. Each throws `fail` if the attribute has another type.
    int64_t integer(int node, const std::string &attribute, int64_t absent) const;
    double number(int node, const std::string &attribute, double absent) const;
    std::string text(int node, const std::string &attribute, const std::string &absent) const;
    std::vector<int64_t> integers(int node, const std::string &attribute) const; ///< empty if absent
    bool has_attribute(int node, const std::string &attribute) const;

private:
    void read();
    void index();
    void index_constants();
    void index_nodes();
    void index_node(int index, std::unordered_set<std::string> &defined);
    void add_constant_node(int index);
    const onnx::AttributeProto *attribute(int node, const std::string &name, int type) const;

    std::string path_;
    onnx::ModelProto model_;
    std::unordered_map<std::string, int> producers_;
    std::unordered_map<std::string, std::vector<int>> consumers_;
    std::unordered_map<std::string, const onnx::TensorProto *> constants_;
    std::unordered_set<int> constant_nodes_;
    std::unordered_set<std::string> outputs_;
    std::deque<onnx::TensorProto> owned_; ///< tensors made from Constant nodes' number attributes
};

/// The double with the fewest decimals that rounds to the float `value`: 0.01f -> 0.01.
double shortest_double(float value);

} // namespace convsmith::frontend
