// ONNX operators with a window: convolutions and pools (see onnx_ops.h).
#include "generators/conv_shape.h"
#include "runtime/frontend/onnx_ops.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

namespace convsmith::frontend {

namespace {

/// Batch, channels, extents, types and layout from input 0: [n][c][spatial...].
ConvDesc read_input(const OnnxNode &node) {
    const std::vector<int64_t> shape = node.shape(0);
    ConvDesc desc;
    desc.rank = static_cast<int>(shape.size()) - 2;
    if (desc.rank < 1) {
        node.fail(fmt::format("input has {} dimensions, want at least 3", shape.size()));
    }
    if (desc.rank > kMaxSpatialRank) {
        unsupported(fmt::format("{} spatial dimensions are not supported", desc.rank));
    }
    desc.in_layout = desc.out_layout = Layout::ChannelsFirst;
    desc.in_type = desc.weight_type = desc.acc_type = desc.out_type = node.type(0);
    desc.n = node.to_int("batch", shape[0]);
    desc.ci = desc.co = node.to_int("input channels", shape[1]);
    for (int axis = 0; axis < desc.rank; ++axis) {
        desc.in[axis] = node.to_int("input extent", shape[2 + axis]);
    }
    return desc;
}

enum class AutoPad { Notset, Valid, SameUpper, SameLower };

AutoPad read_auto_pad(const OnnxNode &node) {
    const std::string mode = node.text("auto_pad", "NOTSET");
    if (mode == "NOTSET" || mode.empty()) {
        return AutoPad::Notset;
    }
    if (mode != "VALID" && mode != "SAME_UPPER" && mode != "SAME_LOWER") {
        node.fail(
            fmt::format("attribute auto_pad is '{}', want NOTSET, SAME_UPPER, SAME_LOWER or VALID", mode));
    }
    return mode == "VALID" ? AutoPad::Valid : mode == "SAME_UPPER" ? AutoPad::SameUpper : AutoPad::SameLower;
}

void read_pads(const OnnxNode &node, ConvDesc &desc) {
    if (!node.has("pads")) {
        return;
    }
    const std::vector<int64_t> pads = node.integers("pads");
    if (static_cast<int>(pads.size()) != 2 * desc.rank) {
        node.fail(fmt::format("attribute pads has {} numbers, want {}", pads.size(), 2 * desc.rank));
    }
    for (int axis = 0; axis < desc.rank; ++axis) {
        desc.pad_begin[axis] = node.to_int("pads", pads[axis]);
        desc.pad_end[axis] = node.to_int("pads", pads[desc.rank + axis]);
    }
}

/// Strides, dilations and padding of every operator but ConvTranspose.
void read_window_attributes(const OnnxNode &node, ConvDesc &desc) {
    node.read_axes("strides", desc.rank, 1, desc.stride);
    node.read_axes("dilations", desc.rank, 1, desc.dilation);
    switch (read_auto_pad(node)) {
    case AutoPad::Notset:
        return read_pads(node, desc);
    case AutoPad::Valid:
        return;
    case AutoPad::SameUpper:
    case AutoPad::SameLower:
        set_same_padding(desc, read_auto_pad(node) == AutoPad::SameUpper);
        desc.ceil_mode = false; // the padding makes windows end where the input does
        return;
    }
}

/// Kernel and channels from the weights, input `filter` of the node.
void read_filter(const OnnxNode &node, int filter, ConvDesc &desc) {
    const std::vector<int64_t> shape = node.shape(filter);
    if (static_cast<int>(shape.size()) != desc.rank + 2) {
        node.fail(fmt::format("input has {} dimensions, weights have {}; want the same, at least 3",
                              desc.rank + 2, shape.size()));
    }
    desc.weight_type = node.type(filter);
    if (desc.weight_type != desc.in_type) {
        unsupported(fmt::format("input of type {} and weights of type {} are not supported",
                                dtype_name(desc.in_type), dtype_name(desc.weight_type)));
    }
    desc.groups = node.to_int("group", node.integer("group", 1));
    const bool is_deconv = desc.op == Op::Deconv;
    const int64_t channels = shape[is_deconv ? 0 : 1] * (is_deconv ? 1 : desc.groups);
    if (desc.groups < 1 || channels != desc.ci) {
        node.fail(is_deconv
                      ? fmt::format("weights have {} input channels, the input has {}", channels, desc.ci)
                      : fmt::format("weights have {} input channels per group and there are {} groups, "
                                    "the input has {} channels",
                                    shape[1], desc.groups, desc.ci));
    }
    desc.co = node.to_int("output channels", is_deconv ? shape[1] * desc.groups : shape[0]);
    for (int axis = 0; axis < desc.rank; ++axis) {
        desc.kernel[axis] = node.to_int("kernel extent", shape[2 + axis]);
    }
    const std::vector<int64_t> given = node.integers("kernel_shape");
    const std::vector<int64_t> want(shape.begin() + 2, shape.end());
    if (!given.empty() && given != want) {
        node.fail(fmt::format("attribute kernel_shape is [{}], the weights say [{}]", fmt::join(given, ", "),
                              fmt::join(want, ", ")));
    }
}

void check_bias(const OnnxNode &node, OnnxOperation &operation, int input) {
    if (!node.has_input(input)) {
        return;
    }
    const std::vector<int64_t> shape = node.shape(input);
    if (shape.size() != 1 || shape[0] != operation.desc.co) {
        node.fail(fmt::format("bias has {} elements in shape [{}], want {} in one dimension",
                              std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()),
                              fmt::join(shape, ", "), operation.desc.co));
    }
    operation.inputs["bias"] = input;
}

OnnxOperation read_conv(const OnnxNode &node) {
    node.expect_arity(2, 3, 1);
    OnnxOperation operation{read_input(node)};
    read_filter(node, 1, operation.desc);
    read_window_attributes(node, operation.desc);
    operation.inputs["filter"] = 1;
    check_bias(node, operation, 2);
    return operation;
}

/// Padding that makes the output `wanted` long on one axis; a longer one gets zeros at the end.
void set_output_extent(ConvDesc &desc, int axis, int64_t wanted, AutoPad mode) {
    desc.pad_begin[axis] = desc.pad_end[axis] = 0;
    const int64_t total = window_out_extent(desc, axis) - wanted;
    if (total < 0) {
        desc.out_pad[axis] += static_cast<int>(-total);
        return;
    }
    const int half = static_cast<int>(total / 2);
    const int rest = static_cast<int>(total - total / 2);
    desc.pad_begin[axis] = mode == AutoPad::SameUpper ? half : rest; // the standard's rule also for NOTSET
    desc.pad_end[axis] = mode == AutoPad::SameUpper ? rest : half;
}

OnnxOperation read_deconv(const OnnxNode &node) {
    node.expect_arity(2, 3, 1);
    OnnxOperation operation{read_input(node)};
    ConvDesc &desc = operation.desc;
    desc.op = Op::Deconv;
    read_filter(node, 1, desc);
    node.read_axes("strides", desc.rank, 1, desc.stride);
    node.read_axes("dilations", desc.rank, 1, desc.dilation);
    node.read_axes("output_padding", desc.rank, 0, desc.out_pad);
    const AutoPad mode = read_auto_pad(node);
    std::vector<int64_t> extents = node.integers("output_shape");
    if (static_cast<int>(extents.size()) == desc.rank + 2) {
        extents.erase(extents.begin(), extents.begin() + 2); // batch and channels, from old exporters
    }
    if (!extents.empty() && static_cast<int>(extents.size()) != desc.rank) {
        node.fail(fmt::format("attribute output_shape has {} numbers, want {}", extents.size(), desc.rank));
    }
    if (mode == AutoPad::Notset && extents.empty()) {
        read_pads(node, desc);
    }
    for (int axis = 0; axis < desc.rank; ++axis) {
        if (!extents.empty()) {
            set_output_extent(desc, axis, node.to_int("output_shape", extents[axis]), mode);
        } else if (mode == AutoPad::SameUpper || mode == AutoPad::SameLower) {
            set_output_extent(desc, axis, int64_t{desc.in[axis]} * desc.stride[axis], mode);
        }
    }
    operation.inputs["filter"] = 1;
    check_bias(node, operation, 2);
    return operation;
}

/// Checks the tensor of offsets or mask, which has `want` channels at the output's positions.
void check_moves(const OnnxNode &node, int input, const char *what, const std::vector<int64_t> &want) {
    const std::vector<int64_t> shape = node.shape(input);
    if (shape != want) {
        node.fail(fmt::format("{} is [{}], want [{}]", what, fmt::join(shape, ", "), fmt::join(want, ", ")));
    }
}

OnnxOperation read_deform(const OnnxNode &node) {
    node.expect_arity(3, 5, 1);
    OnnxOperation operation{read_input(node)};
    ConvDesc &desc = operation.desc;
    desc.op = Op::Deform;
    read_filter(node, 1, desc);
    read_window_attributes(node, desc);
    desc.offset_groups = node.to_int("offset_group", node.integer("offset_group", 1));
    if (desc.offset_groups < 1 || desc.ci % desc.offset_groups != 0) {
        node.fail(fmt::format("attribute offset_group is {}, want a divisor of the {} input channels",
                              desc.offset_groups, desc.ci));
    }
    desc.masked = node.has_input(4);
    operation.inputs["filter"] = 1;
    operation.inputs["offset"] = 2;
    check_moves(node, 2, "offset", offset_shape(desc));
    if (desc.masked) {
        operation.inputs["mask"] = 4;
        check_moves(node, 4, "mask", mask_shape(desc));
    }
    check_bias(node, operation, 3);
    return operation;
}

/// The op of a pool, and what only it has. Padding takes no part unless an average counts it.
void read_pool_kind(const OnnxNode &node, ConvDesc &desc) {
    const std::string &op = node.op();
    desc.pad_mode = PadMode::Ignore;
    if (op.find("Max") != std::string::npos) {
        desc.op = Op::MaxPool;
        if (node.has_output(1)) {
            desc.indices = node.flag("storage_order") ? Indices::ColumnMajor : Indices::RowMajor;
        }
    } else if (op.find("Average") != std::string::npos) {
        desc.op = Op::AvgPool;
        desc.pad_mode = node.flag("count_include_pad") ? PadMode::Zeros : PadMode::Ignore;
        if (is_integer(desc.in_type)) {
            desc.acc_type = DType::I32;
        }
    } else {
        desc.op = Op::LpPool;
        // A float in the first operator set, where only whole norms are of use.
        const double norm =
            node.opset() < 2 ? node.number("p", 2) : static_cast<double>(node.integer("p", 2));
        desc.norm = static_cast<int>(norm);
        if (desc.norm < 1 || desc.norm != norm) {
            unsupported(fmt::format("norm p = {} is not supported, want a positive integer", norm));
        }
    }
}

OnnxOperation read_pool(const OnnxNode &node) {
    node.expect_arity(1, 1, node.op() == "MaxPool" ? 2 : 1);
    OnnxOperation operation{read_input(node)};
    ConvDesc &desc = operation.desc;
    read_pool_kind(node, desc);
    if (!node.has("kernel_shape")) {
        node.fail("attribute kernel_shape is missing");
    }
    node.read_axes("kernel_shape", desc.rank, 1, desc.kernel);
    desc.ceil_mode = node.flag("ceil_mode");
    read_window_attributes(node, desc);
    return operation;
}

OnnxOperation read_global_pool(const OnnxNode &node) {
    node.expect_arity(1, 1, 1);
    OnnxOperation operation{read_input(node)};
    read_pool_kind(node, operation.desc);
    operation.desc.kernel = operation.desc.in;
    return operation;
}

using Reader = OnnxOperation (*)(const OnnxNode &);

const std::map<std::string, Reader> &readers() {
    static const std::map<std::string, Reader> kReaders = {{"AveragePool", read_pool},
                                                           {"Conv", read_conv},
                                                           {"ConvTranspose", read_deconv},
                                                           {"DeformConv", read_deform},
                                                           {"GlobalAveragePool", read_global_pool},
                                                           {"GlobalLpPool", read_global_pool},
                                                           {"GlobalMaxPool", read_global_pool},
                                                           {"LpPool", read_pool},
                                                           {"MaxPool", read_pool}};
    return kReaders;
}

} // namespace

bool is_window_operator(const OnnxGraph &graph, int node) {
    return graph.is_standard(node) && readers().count(graph.node(node).op_type()) != 0;
}

OnnxOperation read_window(const OnnxGraph &graph, const OnnxShapes &shapes, int node) {
    const OnnxNode reader(graph, shapes, node);
    OnnxOperation operation = readers().at(graph.node(node).op_type())(reader);
    try {
        operation.desc.validate();
    } catch (const Error &error) {
        if (error.code() == ErrorCode::Unsupported) {
            throw;
        }
        reader.fail(error.what());
    }
    return operation;
}

} // namespace convsmith::frontend
