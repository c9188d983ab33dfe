// One ONNX node with its sizes, as the readers of operations (onnx_ops.h) see it: attributes and inputs, and
// errors that name the node and what is wrong with it.
#pragma once

#include "generators/conv_desc.h"
#include "runtime/frontend/onnx_graph.h"
#include "runtime/frontend/onnx_shapes.h"

#include <optional>
#include <string>
#include <vector>

namespace convsmith::frontend {

/// Throws Error(Unsupported): the node is valid ONNX, but there is no kernel for it.
[[noreturn]] void unsupported(const std::string &reason);

class OnnxNode {
public:
    OnnxNode(const OnnxGraph &graph, const OnnxShapes &shapes, int index)
        : graph_(graph), shapes_(shapes), index_(index) {}

    const std::string &op() const { return graph_.node(index_).op_type(); }
    int64_t opset() const { return graph_.opset(); }
    bool has(const std::string &attribute) const { return graph_.has_attribute(index_, attribute); }
    int64_t integer(const std::string &attribute, int64_t absent) const {
        return graph_.integer(index_, attribute, absent);
    }
    double number(const std::string &attribute, double absent) const {
        return graph_.number(index_, attribute, absent);
    }
    std::string text(const std::string &attribute, const std::string &absent) const {
        return graph_.text(index_, attribute, absent);
    }
    std::vector<int64_t> integers(const std::string &attribute) const {
        return graph_.integers(index_, attribute);
    }
    /// A yes-or-no attribute, absent = no.
    bool flag(const std::string &attribute) const { return integer(attribute, 0) != 0; }

    /// Sets one number per axis, each at least `least`, unless the attribute is absent.
    void read_axes(const char *attribute, int rank, int least, Spatial &axes) const;

    /// Throws BadArgument unless there are so many inputs and outputs.
    void expect_arity(int least_inputs, int most_inputs, int most_outputs) const;

    bool has_input(int input) const;
    bool has_output(int output) const; ///< and something reads it
    const std::string &input_name(int input) const { return graph_.node(index_).input(input); }
    const std::string &output_name(int output) const { return graph_.node(index_).output(output); }

    /// Dims of an input, all known. Throws Unsupported naming the node that hides them.
    std::vector<int64_t> shape(int input) const;

    /// Element type of an input. Throws Unsupported for one that no tensor here has.
    DType type(int input) const;

    /// The constant that feeds an input; null if it is computed.
    const onnx::TensorProto *constant(int input) const;

    /// The constant's numbers. Throws Unsupported if it is computed or of another type, calling it `what`.
    std::vector<double> constant_numbers(int input, const char *what) const;

    /// `value` as int. Throws BadArgument naming `what` if it does not fit.
    int to_int(const char *what, int64_t value) const;

    /// Throws Error(BadArgument) naming the node.
    [[noreturn]] void fail(const std::string &what) const { graph_.fail(index_, what); }

private:
    const OnnxGraph &graph_;
    const OnnxShapes &shapes_;
    int index_;
};

} // namespace convsmith::frontend
