// See onnx_model.h.
#include "bench/peers/onnx_model.h"

#include "bench/peers/onnx_writer.h"
#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "generators/signature.h"

#include <cstring>
#include <utility>
#include <vector>

namespace convsmith::bench {

namespace {

/// Thrown inside this file only: ONNX has no operator for a part of the descriptor.
struct NoOperator {
    std::string reason;
};

std::vector<int64_t> axes_of(const Spatial &values, int rank) {
    return {values.begin(), values.begin() + rank};
}

bool pads_at_all(const ConvDesc &op) {
    for (int axis = 0; axis < op.rank; axis++)
        if (op.pad_begin[axis] != 0 || op.pad_end[axis] != 0)
            return true;
    return false;
}

bool sees_whole_image(const ConvDesc &op) {
    return !pads_at_all(op) && axes_of(op.kernel, op.rank) == axes_of(op.in, op.rank) &&
           axes_of(op.dilation, op.rank) == std::vector<int64_t>(op.rank, 1);
}

/// Builds the graph of a descriptor, op by op.
class ModelBuilder {
public:
    ModelBuilder(const ConvDesc &desc, const OracleTensors &tensors);

    OnnxModel finish(const ConvDesc &desc);

private:
    std::string whole(const ConvDesc &desc, const std::string &x);
    std::string op(const ConvDesc &op, const std::string &x);
    std::string window(const ConvDesc &op, int number, std::string x);
    std::vector<std::string> weighted_inputs(const ConvDesc &op, int number, const std::string &x);
    std::string as_result(const ConvDesc &op, const std::string &x);
    std::string epilogue(const ConvDesc &op, int number, std::string x);
    std::string activation(const EpilogueStage &stage, const std::string &x);
    std::string rearranged(const ConvDesc &op, const std::string &x);
    std::string shuffled(const ConvDesc &op, const std::string &x);
    std::string pad(const ConvDesc &op, const std::string &x);

    std::string constant(const std::string &name, const TensorView &tensor,
                         const std::vector<int64_t> &dims) {
        return out_.constant(name, dims, tensor.data, onnx::TensorProto::FLOAT);
    }
    std::string input(const std::string &name, Tensor tensor);

    OnnxWriter out_;
    const OracleTensors &tensors_;
    OnnxModel made_;
    int ops_ = 0;
};

ModelBuilder::ModelBuilder(const ConvDesc &desc, const OracleTensors &tensors) : tensors_(tensors) {
    input("input", to_channels_first(tensors.get("input"), desc.in_layout));
}

OnnxModel ModelBuilder::finish(const ConvDesc &desc) {
    const std::string result = whole(desc, "input");
    if (result == "input")
        throw NoOperator{"an op that does nothing"};
    out_.graph().mutable_node(out_.graph().node_size() - 1)->set_output(0, "output");
    const ConvDesc &stored = last_op(desc);
    std::vector<int64_t> dims = {stored.n, stored_channels(stored)};
    for (const int64_t extent : axes_of(stored_extents(stored), stored.rank))
        dims.push_back(extent);
    OnnxWriter::declare(*out_.graph().add_output(), "output", dims);
    made_.bytes = out_.bytes();
    return std::move(made_);
}

std::string ModelBuilder::whole(const ConvDesc &desc, const std::string &x) {
    std::string result;
    if (desc.op == Op::Concat) {
        std::vector<std::string> parts;
        for (const ConvDesc &branch : desc.branches)
            parts.push_back(whole(branch, x));
        onnx::NodeProto &concat = out_.node("Concat", parts);
        OnnxWriter::integer(concat, "axis", 1);
        result = concat.output(0);
    } else if (desc.op == Op::Excite) {
        result = out_.simple("Mul", {x, whole(desc.branches.at(0), x)});
        for (const EpilogueStage &stage : desc.epilogue)
            result = activation(stage, result);
    } else {
        result = op(desc, x);
    }
    for (const ConvDesc &next : desc.then)
        result = op(next, result);
    return result;
}

std::string ModelBuilder::op(const ConvDesc &op, const std::string &x) {
    const int number = ops_++;
    return rearranged(op, epilogue(op, number, window(op, number, x)));
}

/// Inputs of an operator with weights; a bias that comes first is one of them.
std::vector<std::string> ModelBuilder::weighted_inputs(const ConvDesc &op, int number, const std::string &x) {
    const auto named = [&](const std::string &role) { return tensor_name(role, number); };
    std::vector<std::string> inputs = {
        x, constant(named("filter"), tensors_.get(named("filter")), filter_shape(op))};
    if (op.op == Op::Deform)
        inputs.push_back(
            input(named("offset"), to_channels_first(tensors_.get(named("offset")), op.in_layout)));
    if (!op.epilogue.empty() && op.epilogue[0].name == "bias")
        inputs.push_back(constant(named("bias"), tensors_.get(named("bias")), {op.co}));
    else if (op.masked)
        inputs.emplace_back(); // no bias
    if (op.masked)
        inputs.push_back(input(named("mask"), to_channels_first(tensors_.get(named("mask")), op.in_layout)));
    return inputs;
}

/// The operator itself; a bias that comes first is part of a convolution.
std::string ModelBuilder::window(const ConvDesc &op, int number, std::string x) {
    const bool pool = op_info(op.op).is_pool;
    if (op.indices != Indices::None)
        throw NoOperator{"indices beside the maxima"};
    if (op.op == Op::Identity)
        return pads_at_all(op) ? pad(op, x) : x;
    // Zeros are what convolutions pad with, and averages if they count them; maxima ignore the padding.
    const bool own_padding =
        !pads_at_all(op) ||
        (pool ? op.pad_mode == PadMode::Ignore || (op.op == Op::AvgPool && op.pad_mode == PadMode::Zeros)
              : op.pad_mode == PadMode::Zeros);
    if (!own_padding)
        x = pad(op, x);
    if (op.op == Op::AvgPool && sees_whole_image(op))
        return out_.simple("GlobalAveragePool", {x});
    if (op.op == Op::MaxPool && sees_whole_image(op))
        return out_.simple("GlobalMaxPool", {x});

    const char *type = op.op == Op::Conv      ? "Conv"
                       : op.op == Op::Deconv  ? "ConvTranspose"
                       : op.op == Op::Deform  ? "DeformConv"
                       : op.op == Op::MaxPool ? "MaxPool"
                       : op.op == Op::AvgPool ? "AveragePool"
                                              : "LpPool";
    onnx::NodeProto &made =
        out_.node(type, pool ? std::vector<std::string>{x} : weighted_inputs(op, number, x));
    OnnxWriter::ints(made, "kernel_shape", axes_of(op.kernel, op.rank));
    OnnxWriter::ints(made, "strides", axes_of(op.stride, op.rank));
    OnnxWriter::ints(made, "dilations", axes_of(op.dilation, op.rank));
    std::vector<int64_t> pads = axes_of(op.pad_begin, op.rank);
    for (const int64_t end : axes_of(op.pad_end, op.rank))
        pads.push_back(end);
    OnnxWriter::ints(made, "pads", own_padding ? pads : std::vector<int64_t>(pads.size(), 0));
    if (pool) {
        OnnxWriter::integer(made, "ceil_mode", op.ceil_mode);
        if (op.op == Op::AvgPool)
            OnnxWriter::integer(made, "count_include_pad", op.pad_mode != PadMode::Ignore);
        if (op.op == Op::LpPool)
            OnnxWriter::integer(made, "p", op.norm);
    } else {
        OnnxWriter::integer(made, "group", op.groups);
    }
    if (op.op == Op::Deconv)
        OnnxWriter::ints(made, "output_padding", axes_of(op.out_pad, op.rank));
    if (op.op == Op::Deform)
        OnnxWriter::integer(made, "offset_group", op.offset_groups);
    return made.output(0);
}

std::string ModelBuilder::pad(const ConvDesc &op, const std::string &x) {
    const char *mode = op.pad_mode == PadMode::Reflect     ? "reflect"
                       : op.pad_mode == PadMode::Replicate ? "edge"
                       : op.pad_mode == PadMode::Circular  ? "wrap"
                                                           : "constant";
    if (op.pad_mode == PadMode::Symmetric || op.pad_mode == PadMode::Ignore)
        throw NoOperator{"padding mode " + pad_mode_name(op.pad_mode)};
    if (op_info(op.op).is_pool && op.ceil_mode)
        throw NoOperator{"ceil mode after a Pad of its own"};
    std::vector<int64_t> pads = {0, 0};
    for (const int64_t begin : axes_of(op.pad_begin, op.rank))
        pads.push_back(begin);
    pads.insert(pads.end(), {0, 0});
    for (const int64_t end : axes_of(op.pad_end, op.rank))
        pads.push_back(end);
    const std::string amounts = out_.integers(pads);
    onnx::NodeProto &made =
        out_.node("Pad", {x, amounts, out_.scalar(op.pad_mode == PadMode::Constant ? op.pad_value : 0)});
    OnnxWriter::text(made, "mode", mode);
    return made.output(0);
}

/// A tensor as another operator gives it: ONNX Runtime keeps results in blocks of channels, and adds them
/// within a convolution only then. The operator copies; it is not part of the layer (kBeforeLayer).
std::string ModelBuilder::as_result(const ConvDesc &op, const std::string &x) {
    if (op.rank != 2 || !op_info(op.op).has_filter)
        return x;
    onnx::NodeProto &copy = out_.node("MaxPool", {x});
    copy.set_output(0, kBeforeLayer + copy.output(0)); // which names what ONNX Runtime makes of the operator
    copy.set_name(copy.output(0));
    OnnxWriter::ints(copy, "kernel_shape", {1, 1});
    return copy.output(0);
}

std::string ModelBuilder::epilogue(const ConvDesc &op, int number, std::string x) {
    std::vector<int64_t> per_channel(op.rank + 1, 1);
    per_channel[0] = op.co;
    for (size_t i = 0; i < op.epilogue.size(); i++) {
        const EpilogueStage &stage = op.epilogue[i];
        if (stage.name == "bias" && i == 0 && op_info(op.op).has_filter)
            continue;
        const auto numbers = [&](const std::string &role) {
            const std::string name = tensor_name(role, number);
            return constant(name, tensors_.get(name), per_channel);
        };
        if (stage.name == "bias") {
            x = out_.simple("Add", {x, numbers("bias")});
        } else if (stage.name == "channel_scale") {
            x = out_.simple("Mul", {x, numbers("scale")});
        } else if (stage.name == "prelu") {
            x = out_.simple("PRelu", {x, numbers("slope")});
        } else if (stage.name == "residual") {
            if (op.rearrange != Rearrange::None)
                throw NoOperator{"a residual of a rearranged output"};
            const std::string name = tensor_name("residual", number);
            const std::string residual = input(name, to_channels_first(tensors_.get(name), op.out_layout));
            x = out_.simple("Add", {x, as_result(op, residual)});
        } else if (stage.name == "gate") {
            const std::string name = tensor_name("gate", number);
            std::vector<int64_t> dims(op.rank + 2, 1);
            dims[0] = op.n;
            dims[1] = op.co;
            Tensor gate(DType::F32, dims);
            std::memcpy(gate.data(), tensors_.get(name).data, gate.bytes());
            x = out_.simple("Mul", {x, input(name, std::move(gate))});
        } else {
            x = activation(stage, x);
        }
    }
    return x;
}

std::string ModelBuilder::activation(const EpilogueStage &stage, const std::string &x) {
    static const std::map<std::string, const char *> kPlain = {
        {"relu", "Relu"},         {"tanh", "Tanh"}, {"sigmoid", "Sigmoid"}, {"hard_swish", "HardSwish"},
        {"softplus", "Softplus"}, {"selu", "Selu"}, {"gelu", "Gelu"},       {"mish", "Mish"}};
    if (const auto plain = kPlain.find(stage.name); plain != kPlain.end())
        return out_.simple(plain->second, {x});
    if (stage.name == "relu6")
        return out_.simple("Clip", {x, out_.scalar(0), out_.scalar(6)});
    if (stage.name == "clamp")
        return out_.simple("Clip", {x, out_.scalar(stage.params.at(0)), out_.scalar(stage.params.at(1))});
    if (stage.name == "silu")
        return out_.simple("Mul", {x, out_.simple("Sigmoid", {x})});
    static const std::map<std::string, const char *> kWithAlpha = {
        {"leaky_relu", "LeakyRelu"}, {"elu", "Elu"}, {"celu", "Celu"}, {"hard_sigmoid", "HardSigmoid"}};
    if (const auto with_alpha = kWithAlpha.find(stage.name); with_alpha != kWithAlpha.end()) {
        onnx::NodeProto &made = out_.node(with_alpha->second, {x});
        OnnxWriter::number(made, "alpha", stage.params.at(0));
        if (stage.name == "hard_sigmoid")
            OnnxWriter::number(made, "beta", stage.params.at(1));
        return made.output(0);
    }
    if (stage.name == "fast_gelu") {
        onnx::NodeProto &made = out_.node("Gelu", {x});
        OnnxWriter::text(made, "approximate", "tanh");
        return made.output(0);
    }
    throw NoOperator{"no operator for " + stage.name};
}

std::string ModelBuilder::rearranged(const ConvDesc &op, const std::string &x) {
    if (op.rearrange == Rearrange::None)
        return x;
    if (op.rearrange == Rearrange::Shuffle)
        return shuffled(op, x);
    if (op.rank != 2)
        throw NoOperator{"rearranging in space other than 2D"};
    onnx::NodeProto &made =
        out_.node(op.rearrange == Rearrange::SpaceToDepth ? "SpaceToDepth" : "DepthToSpace", {x});
    OnnxWriter::integer(made, "blocksize", op.rearrange_factor);
    if (op.rearrange != Rearrange::SpaceToDepth)
        OnnxWriter::text(made, "mode", op.rearrange == Rearrange::PixelShuffle ? "CRD" : "DCR");
    return made.output(0);
}

std::string ModelBuilder::shuffled(const ConvDesc &op, const std::string &x) {
    const int64_t groups = op.rearrange_factor;
    const int64_t space = spatial_product(out_extents(op), op.rank);
    std::vector<int64_t> shape = {op.n, op.co};
    for (const int64_t extent : axes_of(out_extents(op), op.rank))
        shape.push_back(extent);
    const std::vector<int64_t> split = {op.n, groups, op.co / groups, space};
    const auto reshape = [&](const std::string &from, const std::vector<int64_t> &to) {
        return out_.simple("Reshape", {from, out_.integers(to)});
    };
    onnx::NodeProto &transpose = out_.node("Transpose", {reshape(x, split)});
    OnnxWriter::ints(transpose, "perm", {0, 2, 1, 3});
    const std::string transposed = transpose.output(0);
    return reshape(transposed, shape);
}

std::string ModelBuilder::input(const std::string &name, Tensor tensor) {
    OnnxWriter::declare(*out_.graph().add_input(), name, tensor.shape());
    made_.inputs.emplace(name, std::move(tensor));
    return name;
}

/// Swaps the last two of three dimensions [n][a][b].
void transpose(const float *from, float *to, int64_t n, int64_t a, int64_t b) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t x = 0; x < a; x++)
            for (int64_t y = 0; y < b; y++)
                to[(i * b + y) * a + x] = from[(i * a + x) * b + y];
}

} // namespace

std::variant<OnnxModel, NotPrepared> make_onnx_model(const ConvDesc &desc, const OracleTensors &tensors) {
    try {
        return ModelBuilder(desc, tensors).finish(desc);
    } catch (const NoOperator &missing) {
        return NotPrepared{"ONNX: " + missing.reason};
    }
}

Tensor to_channels_first(const TensorView &tensor, Layout layout) {
    std::vector<int64_t> shape = tensor.shape_vector();
    const bool moves = layout == Layout::ChannelsLast;
    const int64_t channels = moves ? shape.back() : 1;
    if (moves) {
        shape.pop_back();
        shape.insert(shape.begin() + 1, channels);
    }
    Tensor result(DType::F32, shape);
    const int64_t n = shape[0];
    transpose(static_cast<const float *>(tensor.data), result.as<float>(), n,
              tensor.elements() / n / channels, channels);
    return result;
}

Tensor from_channels_first(const TensorView &tensor, Layout layout, const std::vector<int64_t> &shape) {
    Tensor result(DType::F32, shape);
    const int64_t channels = layout == Layout::ChannelsLast ? shape.back() : 1;
    transpose(static_cast<const float *>(tensor.data), result.as<float>(), shape[0], channels,
              tensor.elements() / shape[0] / channels);
    return result;
}

} // namespace convsmith::bench
