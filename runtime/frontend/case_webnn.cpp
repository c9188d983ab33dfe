// Reader of WebNN-style cases: one operator with normalised parameters, data inline, every layout of input
// and filter.
#include "runtime/frontend/case_readers.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

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

std::string read_filter_order(const JsonField &field) {
    std::string order = field.text();
    std::string sorted = order;
    std::sort(sorted.begin(), sorted.end());
    if (sorted != "hiow") {
        field.fail("is '" + order + "', want an order of the letters o, i, h, w");
    }
    return order;
}

/// The inline tensor of a role; empty if the case has none.
Tensor read_role(const JsonField &inputs, const std::string &role) {
    for (const JsonField &item : inputs.items()) {
        if (item.at("role").text() == role) {
            return make_f32_tensor(item.at("data").numbers(), item.at("shape").integers(), item.at("data"));
        }
    }
    return {};
}

Tensor read_4d(const JsonField &inputs, const std::string &role) {
    Tensor tensor = read_role(inputs, role);
    if (tensor.shape().size() != 4) {
        inputs.fail(fmt::format("want a 4-dimensional tensor of role '{}', got {}", role,
                                shape_text(tensor.shape())));
    }
    return tensor;
}

ConvDesc read_desc(const JsonField &root, const Tensor &input, const Tensor &filter) {
    const JsonField normalized = root.at("normalized");
    const auto pair = [&](const char *name) {
        return to_spatial(normalized.at(name).integers(), 2, normalized.at(name));
    };
    ConvDesc desc;
    desc.in_layout = desc.out_layout = read_layout(normalized.at("layout"));
    const std::vector<int64_t> shape = input.shape();
    const bool channels_last = desc.in_layout == Layout::ChannelsLast;
    const JsonField inputs = root.at("inputs");
    desc.n = to_extent(shape[0], inputs);
    desc.ci = to_extent(shape[channels_last ? 3 : 1], inputs);
    desc.in = to_spatial({shape.begin() + (channels_last ? 1 : 2), shape.end() - (channels_last ? 1 : 0)}, 2,
                         inputs);
    desc.co = to_extent(filter.shape()[0], inputs);
    desc.kernel = to_spatial({filter.shape()[2], filter.shape()[3]}, 2, inputs);
    desc.stride = pair("stride");
    desc.dilation = pair("dilation");
    desc.pad_begin = pair("pad_begin");
    desc.pad_end = pair("pad_end");
    desc.groups = to_extent(normalized.at("groups").integer(), normalized.at("groups"));
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

} // namespace

void read_webnn_case(const JsonField &root, ConformanceCase &target) {
    const std::string op = root.at("op").text();
    if (op != "conv2d") {
        target.skipped = "op " + op + ": not supported yet";
        return;
    }
    const JsonField inputs = root.at("inputs");
    const JsonField normalized = root.at("normalized");
    CaseTensors tensors;
    tensors.input = read_4d(inputs, "input");
    tensors.filter = to_oihw(read_4d(inputs, "filter"), read_filter_order(normalized.at("filter_layout")));
    tensors.bias = read_role(inputs, "bias");
    tensors.expected = make_f32_tensor(root.at("expected").numbers(), root.at("expected_shape").integers(),
                                       root.at("expected"));
    ConvDesc desc = read_desc(root, tensors.input, tensors.filter);
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
