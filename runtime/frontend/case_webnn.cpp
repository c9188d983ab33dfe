// Reader of WebNN-style cases: one operator with normalised parameters, data inline, every layout of input
// and filter.
#include "runtime/frontend/case_readers.h"

#include "generators/conv_shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

namespace convsmith {

namespace {

Layout read_layout(const JsonField &field) {
    const std::string layout = field.text();
    if (layout == "nhwc") {
        return Layout::ChannelsLast;
    }
    if (layout == "nchw") {
        return Layout::ChannelsFirst;
    }
    field.fail("is '" + layout + "', want nchw or nhwc");
}

/// The letters of the case's filter dimensions, such that "oihw" is the order of filter_shape: a transposed
/// convolution has input channels first.
std::string read_filter_order(const JsonField &field, Op op) {
    std::string order = field.text();
    std::string sorted = order;
    std::sort(sorted.begin(), sorted.end());
    if (sorted != "hiow") {
        field.fail("is '" + order + "', want an order of the letters o, i, h, w");
    }
    if (op == Op::Deconv) {
        std::swap(order[order.find('o')], order[order.find('i')]);
    }
    return order;
}

/// The inline data of a role; nothing if the case has none.
std::optional<JsonField> find_role(const JsonField &inputs, const std::string &role) {
    for (const JsonField &item : inputs.items()) {
        if (item.at("role").text() == role) {
            return item;
        }
    }
    return std::nullopt;
}

/// An inline tensor; empty if the case has none.
Tensor read_role(const JsonField &inputs, const std::string &role) {
    const std::optional<JsonField> item = find_role(inputs, role);
    return item ? make_f32_tensor(item->at("data").numbers(), item->at("shape").integers(), item->at("data"))
                : Tensor();
}

Tensor read_4d(const JsonField &inputs, const std::string &role) {
    Tensor tensor = read_role(inputs, role);
    if (tensor.shape().size() != 4) {
        inputs.fail(fmt::format("want a 4-dimensional tensor of role '{}', got {}", role,
                                shape_text(tensor.shape())));
    }
    return tensor;
}

/// Reads batch, input channels and extents off the input.
void read_input_shape(const JsonField &inputs, const Tensor &input, ConvDesc &desc) {
    const std::vector<int64_t> shape = input.shape();
    const bool channels_last = desc.in_layout == Layout::ChannelsLast;
    desc.n = to_extent(shape[0], inputs);
    desc.ci = to_extent(shape[channels_last ? 3 : 1], inputs);
    desc.in = to_spatial({shape.begin() + (channels_last ? 1 : 2), shape.end() - (channels_last ? 1 : 0)}, 2,
                         inputs);
}

/// What the filter and the parameters of convolutions say.
void read_filter(const JsonField &normalized, const JsonField &inputs, const Tensor &filter, ConvDesc &desc) {
    const std::vector<int64_t> shape = filter.shape();
    desc.kernel = to_spatial({shape[2], shape[3]}, 2, inputs);
    desc.groups = to_extent(normalized.at("groups").integer(), normalized.at("groups"));
    if (desc.op == Op::Deconv) {
        desc.co = to_extent(shape[1] * desc.groups, inputs);
        desc.out_pad =
            to_spatial(normalized.at("output_padding").integers(), 2, normalized.at("output_padding"));
    } else {
        desc.co = to_extent(shape[0], inputs);
    }
}

void read_pool(const JsonField &normalized, ConvDesc &desc) {
    desc.co = desc.ci;
    desc.kernel = to_spatial(normalized.at("k").integers(), 2, normalized.at("k"));
    desc.ceil_mode = normalized.at("ceil_mode").integer() != 0;
    const bool counts_padding = normalized.at("count_include_pad").boolean();
    const bool adds_zeros = desc.op == Op::LpPool || (desc.op == Op::AvgPool && counts_padding);
    desc.pad_mode = adds_zeros ? PadMode::Zeros : PadMode::Ignore;
}

ConvDesc read_desc(const JsonField &root, Op op, const CaseTensors &tensors) {
    const JsonField normalized = root.at("normalized");
    const auto pair = [&](const char *name) {
        return to_spatial(normalized.at(name).integers(), 2, normalized.at(name));
    };
    ConvDesc desc;
    desc.op = op;
    desc.in_layout = desc.out_layout = read_layout(normalized.at("layout"));
    read_input_shape(root.at("inputs"), tensors.input, desc);
    desc.stride = pair("stride");
    desc.dilation = pair("dilation");
    desc.pad_begin = pair("pad_begin");
    desc.pad_end = pair("pad_end");
    if (op_info(op).has_filter) {
        read_filter(normalized, root.at("inputs"), tensors.filter, desc);
    } else {
        read_pool(normalized, desc);
    }
    return desc;
}

/// WebNN's names of the activations that need no parameters.
std::optional<EpilogueStage> read_activation(const JsonField &field) {
    static const std::map<std::string, std::string> stages = {{"relu", "relu"},
                                                              {"sigmoid", "sigmoid"},
                                                              {"tanh", "tanh"},
                                                              {"hardSwish", "hard_swish"},
                                                              {"gelu", "gelu"}};
    const auto found = field.is_text() ? stages.find(field.text()) : stages.end();
    return found == stages.end() ? std::nullopt : std::optional<EpilogueStage>(epilogue_stage(found->second));
}

std::optional<PadMode> read_pad_mode(const JsonField &field) {
    static const std::map<std::string, PadMode> modes = {{"constant", PadMode::Constant},
                                                         {"edge", PadMode::Replicate},
                                                         {"reflection", PadMode::Reflect},
                                                         {"symmetric", PadMode::Symmetric}};
    const auto found = modes.find(field.text());
    return found == modes.end() ? std::nullopt : std::optional<PadMode>(found->second);
}

/// Padding of a tensor of any rank: its last axes (at most three) are the spatial ones, those before are the
/// batch, which cannot be padded.
void read_pad_case(const JsonField &root, ConformanceCase &target) {
    const JsonField normalized = root.at("normalized");
    const JsonField inputs = root.at("inputs");
    const std::optional<JsonField> input = find_role(inputs, "input");
    if (!input) {
        inputs.fail("has no tensor of role 'input'");
    }
    const std::vector<int64_t> shape = input->at("shape").integers();
    const std::vector<int64_t> begin = normalized.at("beginning").integers();
    const std::vector<int64_t> end = normalized.at("ending").integers();
    if (shape.empty() || begin.size() != shape.size() || end.size() != shape.size()) {
        normalized.fail(fmt::format("has {} and {} paddings, want one for each of {} dimensions",
                                    begin.size(), end.size(), shape.size()));
    }
    ConvDesc desc;
    desc.op = Op::Identity;
    desc.rank = static_cast<int>(std::min<size_t>(shape.size(), kMaxSpatialRank));
    desc.ci = desc.co = 1;
    const size_t outer = shape.size() - desc.rank;
    for (size_t d = 0; d < outer; ++d) {
        if (begin[d] != 0 || end[d] != 0) {
            target.skipped = "pad of more than the last three dimensions: not supported yet";
            return;
        }
        desc.n = to_extent(desc.n * shape[d], inputs);
    }
    const auto spatial = [&](const std::vector<int64_t> &all, const JsonField &field) {
        return to_spatial({all.begin() + static_cast<int64_t>(outer), all.end()}, desc.rank, field);
    };
    desc.in = spatial(shape, inputs);
    desc.pad_begin = spatial(begin, normalized.at("beginning"));
    desc.pad_end = spatial(end, normalized.at("ending"));
    const std::optional<PadMode> mode = read_pad_mode(normalized.at("mode"));
    if (!mode) {
        target.skipped = "pad mode " + normalized.at("mode").text() + ": not supported yet";
        return;
    }
    desc.pad_mode = *mode;
    desc.pad_value = *mode == PadMode::Constant ? normalized.at("value").number() : 0;
    std::vector<int64_t> want = shape;
    for (size_t d = 0; d < want.size(); ++d) {
        want[d] += begin[d] + end[d];
    }
    if (root.at("expected_shape").integers() != want) {
        root.at("expected_shape").fail("is not the padded shape " + shape_text(want));
    }
    CaseTensors tensors;
    tensors.input = make_f32_tensor(input->at("data").numbers(), input_shape(desc), input->at("data"));
    tensors.expected =
        make_f32_tensor(root.at("expected").numbers(), output_shape(desc), root.at("expected"));
    complete_case(root, desc, std::move(tensors), target);
}

/// The window ops by name; nothing for others.
std::optional<Op> read_op(const std::string &name) {
    static const std::map<std::string, Op> ops = {{"conv2d", Op::Conv},
                                                  {"convTranspose2d", Op::Deconv},
                                                  {"maxPool2d", Op::MaxPool},
                                                  {"averagePool2d", Op::AvgPool},
                                                  {"l2Pool2d", Op::LpPool}};
    const auto found = ops.find(name);
    return found == ops.end() ? std::nullopt : std::optional<Op>(found->second);
}

} // namespace

void read_webnn_case(const JsonField &root, ConformanceCase &target) {
    const std::string name = root.at("op").text();
    if (name == "pad") {
        return read_pad_case(root, target);
    }
    const std::optional<Op> op = read_op(name);
    if (!op) {
        target.skipped = "op " + name + ": not supported yet";
        return;
    }
    const JsonField inputs = root.at("inputs");
    CaseTensors tensors;
    tensors.input = read_4d(inputs, "input");
    if (op_info(*op).has_filter) {
        tensors.filter = to_oihw(read_4d(inputs, "filter"),
                                 read_filter_order(root.at("normalized").at("filter_layout"), *op));
        tensors.bias = read_role(inputs, "bias");
    }
    tensors.expected = make_f32_tensor(root.at("expected").numbers(), root.at("expected_shape").integers(),
                                       root.at("expected"));
    ConvDesc desc = read_desc(root, *op, tensors);
    if (tensors.bias.data() != nullptr) {
        desc.epilogue.push_back(epilogue_stage("bias"));
    }
    if (root.has("options") && root.at("options").has("activation")) {
        const std::optional<EpilogueStage> stage = read_activation(root.at("options").at("activation"));
        if (!stage) {
            target.skipped = "options.activation: not supported yet";
            return;
        }
        desc.epilogue.push_back(*stage);
    }
    complete_case(root, desc, std::move(tensors), target);
}

} // namespace convsmith
