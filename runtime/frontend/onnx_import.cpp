// ONNX models as networks: every Conv becomes a layer with its trained weights, what follows it is fused
// (onnx_fuse.h), every other node is listed with the reason why it is not compiled.
#include "generators/conv_shape.h"
#include "runtime/frontend/network.h"
#include "runtime/frontend/onnx_fuse.h"
#include "runtime/frontend/onnx_graph.h"
#include "runtime/frontend/onnx_shapes.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <filesystem>
#include <set>

namespace convsmith {

namespace {

using namespace frontend;

/// A Conv that is valid ONNX but does not become a layer.
struct NotImported {
    std::string reason;
};

class Importer {
public:
    Importer(const std::string &path, const ImportOptions &options)
        : graph_(path), shapes_(infer_shapes(graph_, options)) {}

    Network run() {
        network_.name = std::filesystem::path(graph_.path()).stem().string();
        std::vector<std::string> reasons(graph_.node_count());
        for (int i = 0; i < graph_.node_count(); ++i) {
            if (!is_conv(i)) {
                continue;
            }
            try {
                network_.layers.push_back(import_conv(i));
                done_.insert(i);
            } catch (const NotImported &not_imported) {
                reasons[i] = not_imported.reason;
            }
        }
        for (int i = 0; i < graph_.node_count(); ++i) {
            if (done_.count(i) == 0 && !graph_.is_constant_node(i)) {
                const std::string reason = is_conv(i) ? reasons[i] : skip_reason(i);
                network_.skipped.push_back({graph_.node_name(i), graph_.node(i).op_type(), reason});
            }
        }
        return std::move(network_);
    }

private:
    bool is_conv(int node) const { return graph_.is_standard(node) && graph_.node(node).op_type() == "Conv"; }

    Layer import_conv(int node) {
        const onnx::NodeProto &proto = graph_.node(node);
        if (proto.input_size() < 2 || proto.input_size() > 3 || proto.output_size() != 1) {
            graph_.fail(node, fmt::format("has {} inputs and {} outputs, want 2 or 3 and 1",
                                          proto.input_size(), proto.output_size()));
        }
        const onnx::TensorProto *weights = graph_.constant(proto.input(1));
        if (!weights) {
            throw NotImported{fmt::format("weights '{}' are computed, not constant", proto.input(1))};
        }
        Layer layer;
        layer.desc = read_desc(node, *weights);
        FusedTail tail = fuse_tail(graph_, shapes_, node, layer.desc.co);
        add_bias(node, tail);
        if (tail.has_shift) {
            layer.desc.epilogue.push_back(epilogue_stage("bias"));
        }
        layer.desc.epilogue.insert(layer.desc.epilogue.end(), tail.stages.begin(), tail.stages.end());
        validate(node, layer.desc);
        layer.filter = scaled_filter(layer.desc, *weights, tail.scale);
        layer.bias = bias_tensor(layer.desc, tail);
        layer.name = unique_name(graph_.node_name(node));
        done_.insert(tail.nodes.begin(), tail.nodes.end());
        return layer;
    }

    ConvDesc read_desc(int node, const onnx::TensorProto &weights) const {
        const std::string &input = graph_.node(node).input(0);
        if (!is_known(shapes_, input)) {
            throw NotImported{fmt::format("the shape of its input '{}' is unknown: {} cannot be inferred",
                                          input, blame_unknown_shape(graph_, shapes_, input))};
        }
        const std::vector<int64_t> &shape = shapes_.at(input);
        ConvDesc desc;
        desc.rank = weights.dims_size() - 2;
        if (desc.rank < 1 || static_cast<int>(shape.size()) != weights.dims_size()) {
            graph_.fail(node,
                        fmt::format("input has {} dimensions, weights have {}; want the same, at least 3",
                                    shape.size(), weights.dims_size()));
        }
        if (desc.rank > kMaxSpatialRank) {
            throw NotImported{fmt::format("{} spatial dimensions are not supported", desc.rank)};
        }
        desc.in_layout = desc.out_layout = Layout::ChannelsFirst;
        desc.in_type = desc.weight_type = desc.acc_type = desc.out_type = element_type(weights);
        desc.n = to_int(node, "batch", shape[0]);
        desc.ci = to_int(node, "input channels", shape[1]);
        desc.co = to_int(node, "output channels", weights.dims(0));
        desc.groups = to_int(node, "group", graph_.integer(node, "group", 1));
        if (desc.groups < 1 || weights.dims(1) * desc.groups != desc.ci) {
            graph_.fail(node,
                        fmt::format("weights have {} input channels per group and there are {} groups, the "
                                    "input has {} channels",
                                    weights.dims(1), desc.groups, desc.ci));
        }
        for (int axis = 0; axis < desc.rank; ++axis) {
            desc.in[axis] = to_int(node, "input extent", shape[2 + axis]);
            desc.kernel[axis] = to_int(node, "kernel extent", weights.dims(2 + axis));
        }
        check_kernel_shape(node, desc);
        read_axes(node, "strides", desc.rank, desc.stride);
        read_axes(node, "dilations", desc.rank, desc.dilation);
        read_padding(node, desc);
        return desc;
    }

    static DType element_type(const onnx::TensorProto &weights) {
        switch (weights.data_type()) {
        case onnx::TensorProto::FLOAT:
            return DType::F32;
        case onnx::TensorProto::DOUBLE:
            return DType::F64;
        default:
            throw NotImported{
                fmt::format("weights of type {} are not supported",
                            onnx::TensorProto::DataType_Name(
                                static_cast<onnx::TensorProto::DataType>(weights.data_type())))};
        }
    }

    int to_int(int node, const char *what, int64_t value) const {
        if (value < INT_MIN || value > INT_MAX) {
            graph_.fail(node, fmt::format("{} is {}, want a 32-bit number", what, value));
        }
        return static_cast<int>(value);
    }

    void check_kernel_shape(int node, const ConvDesc &desc) const {
        const std::vector<int64_t> given = graph_.integers(node, "kernel_shape");
        const std::vector<int64_t> want(desc.kernel.begin(), desc.kernel.begin() + desc.rank);
        if (!given.empty() && given != want) {
            graph_.fail(node, fmt::format("attribute kernel_shape is [{}], the weights say [{}]",
                                          fmt::join(given, ", "), fmt::join(want, ", ")));
        }
    }

    void read_axes(int node, const char *attribute, int rank, Spatial &axes) const {
        const std::vector<int64_t> numbers = graph_.integers(node, attribute);
        if (numbers.empty()) {
            return;
        }
        if (static_cast<int>(numbers.size()) != rank) {
            graph_.fail(node,
                        fmt::format("attribute {} has {} numbers, want {}", attribute, numbers.size(), rank));
        }
        for (int axis = 0; axis < rank; ++axis) {
            axes[axis] = to_int(node, attribute, numbers[axis]);
            if (axes[axis] < 1) {
                graph_.fail(node, fmt::format("attribute {} is [{}], want positive numbers", attribute,
                                              fmt::join(numbers, ", ")));
            }
        }
    }

    void read_padding(int node, ConvDesc &desc) const {
        const std::string mode = graph_.text(node, "auto_pad", "NOTSET");
        if (mode == "VALID") {
            return;
        }
        if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
            set_same_padding(desc, mode == "SAME_UPPER");
            return;
        }
        if (mode != "NOTSET" && !mode.empty()) {
            graph_.fail(
                node, fmt::format("attribute auto_pad is '{}', want NOTSET, SAME_UPPER, SAME_LOWER or VALID",
                                  mode));
        }
        const std::vector<int64_t> pads = graph_.integers(node, "pads");
        if (!pads.empty() && static_cast<int>(pads.size()) != 2 * desc.rank) {
            graph_.fail(node,
                        fmt::format("attribute pads has {} numbers, want {}", pads.size(), 2 * desc.rank));
        }
        for (int axis = 0; !pads.empty() && axis < desc.rank; ++axis) {
            desc.pad_begin[axis] = to_int(node, "pads", pads[axis]);
            desc.pad_end[axis] = to_int(node, "pads", pads[desc.rank + axis]);
        }
    }

    /// The Conv's own bias, seen through what was folded after it.
    void add_bias(int node, FusedTail &tail) const {
        const onnx::NodeProto &proto = graph_.node(node);
        if (proto.input_size() < 3 || proto.input(2).empty()) {
            return;
        }
        const onnx::TensorProto *tensor = graph_.constant(proto.input(2));
        const auto values = tensor ? graph_.numbers(*tensor) : std::nullopt;
        if (!values) {
            throw NotImported{fmt::format("bias '{}' is no constant of a supported type", proto.input(2))};
        }
        if (values->size() != tail.shift.size()) {
            graph_.fail(node,
                        fmt::format("bias has {} elements, want {}", values->size(), tail.shift.size()));
        }
        for (size_t co = 0; co < values->size(); ++co) {
            tail.shift[co] += tail.scale[co] * (*values)[co];
        }
        tail.has_shift = true;
    }

    void validate(int node, const ConvDesc &desc) const {
        try {
            desc.validate();
        } catch (const Error &error) {
            if (error.code() == ErrorCode::Unsupported) {
                throw NotImported{error.what()};
            }
            graph_.fail(node, error.what());
        }
    }

    std::shared_ptr<const Tensor> scaled_filter(const ConvDesc &desc, const onnx::TensorProto &weights,
                                                const std::vector<double> &scale) const {
        const std::vector<double> values = *graph_.numbers(weights);
        const int64_t per_channel = static_cast<int64_t>(values.size()) / desc.co;
        auto filter = std::make_shared<Tensor>(desc.weight_type, filter_shape(desc));
        for (size_t i = 0; i < values.size(); ++i) {
            filter->set(static_cast<int64_t>(i), values[i] * scale[static_cast<int64_t>(i) / per_channel]);
        }
        return filter;
    }

    static std::shared_ptr<const Tensor> bias_tensor(const ConvDesc &desc, const FusedTail &tail) {
        if (!tail.has_shift) {
            return nullptr;
        }
        auto bias = std::make_shared<Tensor>(desc.out_type, std::vector<int64_t>{desc.co});
        for (int co = 0; co < desc.co; ++co) {
            bias->set(co, tail.shift[co]);
        }
        return bias;
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
        if (!graph_.is_standard(node)) {
            return fmt::format("operators of domain '{}' are not supported", proto.domain());
        }
        if (std::any_of(proto.attribute().begin(), proto.attribute().end(), has_subgraph)) {
            return "its subgraph is not searched for convolutions";
        }
        if (op == "ConvTranspose" || op == "ConvInteger" || op == "QLinearConv" || op == "DeformConv") {
            return "this kind of convolution is not supported yet";
        }
        if (op.find("Pool") != std::string::npos) {
            return "pooling is not supported yet";
        }
        for (const std::string &input : proto.input()) {
            const int producer = graph_.producer(input);
            if (producer >= 0 && done_.count(producer) != 0) {
                return "follows a convolution but cannot be fused into it";
            }
        }
        return "no convolution";
    }

    OnnxGraph graph_;
    OnnxShapes shapes_;
    Network network_;
    std::set<int> done_; ///< nodes that became part of a layer
    std::set<std::string> names_;
};

} // namespace

Network import_onnx(const std::string &path, const ImportOptions &options) {
    return Importer(path, options).run();
}

} // namespace convsmith
