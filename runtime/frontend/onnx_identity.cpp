// ONNX operators without a window: padding, element-wise values, space and depth (see onnx_ops.h).
#include "generators/conv_shape.h"
#include "runtime/frontend/onnx_ops.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <climits>
#include <limits>
#include <numeric>

namespace convsmith::frontend {

namespace {

int to_extent(int64_t value) {
    if (value < 1 || value > INT_MAX) {
        unsupported(fmt::format("an extent of {} is not supported", value));
    }
    return static_cast<int>(value);
}

int64_t product(const std::vector<int64_t> &dims, size_t from) {
    return std::accumulate(dims.begin() + static_cast<int64_t>(std::min(from, dims.size())), dims.end(),
                           int64_t{1}, std::multiplies<>());
}

/// The identity of [n][c][spatial...].
ConvDesc identity(int64_t n, int64_t channels, const std::vector<int64_t> &spatial, DType type) {
    ConvDesc desc;
    desc.op = Op::Identity;
    desc.rank = static_cast<int>(spatial.size());
    desc.in_layout = desc.out_layout = Layout::ChannelsFirst;
    desc.in_type = desc.weight_type = desc.acc_type = desc.out_type = type;
    desc.n = to_extent(n);
    desc.ci = desc.co = to_extent(channels);
    std::transform(spatial.begin(), spatial.end(), desc.in.begin(), to_extent);
    return desc;
}

/// Cells added before and after each dimension of the input.
struct Pads {
    std::vector<int64_t> begin, end;
};

std::vector<int64_t> integer_input(const OnnxNode &node, int input, const char *what) {
    const std::vector<double> numbers = node.constant_numbers(input, what);
    return {numbers.begin(), numbers.end()};
}

/// Attributes before operator set 11, inputs since; `axes` since 18.
Pads read_pads(const OnnxNode &node, size_t dims) {
    const bool is_attribute = node.opset() < 11;
    const std::string name =
        node.has("paddings") ? "paddings" : "pads"; // so called in the first operator set
    const std::vector<int64_t> pads = is_attribute ? node.integers(name) : integer_input(node, 1, "pads");
    std::vector<int64_t> axes(dims);
    std::iota(axes.begin(), axes.end(), 0);
    if (!is_attribute && node.has_input(3)) {
        axes = integer_input(node, 3, "axes");
    }
    if (pads.size() != 2 * axes.size()) {
        node.fail(fmt::format("{} pads has {} numbers, want {}", is_attribute ? "attribute" : "input",
                              pads.size(), 2 * axes.size()));
    }
    Pads result{std::vector<int64_t>(dims, 0), std::vector<int64_t>(dims, 0)};
    for (size_t i = 0; i < axes.size(); ++i) {
        const int64_t axis = axes[i] < 0 ? axes[i] + static_cast<int64_t>(dims) : axes[i];
        if (axis < 0 || axis >= static_cast<int64_t>(dims)) {
            node.fail(fmt::format("input axes has {}, want -{} to {}", axes[i], dims, dims - 1));
        }
        result.begin[axis] = pads[i];
        result.end[axis] = pads[axes.size() + i];
    }
    return result;
}

void read_pad_mode(const OnnxNode &node, ConvDesc &desc) {
    static const std::map<std::string, PadMode> kModes = {{"constant", PadMode::Constant},
                                                          {"reflect", PadMode::Reflect},
                                                          {"edge", PadMode::Replicate},
                                                          {"wrap", PadMode::Circular}};
    const std::string mode = node.text("mode", "constant");
    const auto found = kModes.find(mode);
    if (found == kModes.end()) {
        node.fail(fmt::format("attribute mode is '{}', want constant, reflect, edge or wrap", mode));
    }
    desc.pad_mode = found->second;
    if (desc.pad_mode != PadMode::Constant) {
        return;
    }
    desc.pad_value = node.opset() < 11 ? node.number("value", 0) : 0;
    if (node.opset() >= 11 && node.has_input(2)) {
        const std::vector<double> value = node.constant_numbers(2, "padding values");
        if (value.size() != 1) {
            node.fail(fmt::format("constant_value has {} elements, want 1", value.size()));
        }
        desc.pad_value = value[0];
    }
    if (desc.pad_value == 0) {
        desc.pad_mode = PadMode::Zeros;
    }
}

/// The standard pads what negative pads left; the descriptor's modes look at the input as it was. True if
/// that makes a difference.
bool sees_cropped_cells(const ConvDesc &desc, int axis) {
    const int crop = -std::min(desc.pad_begin[axis], desc.pad_end[axis]);
    const int added = std::max(desc.pad_begin[axis], desc.pad_end[axis]);
    if (crop <= 0 || added <= 0) {
        return false;
    }
    return desc.pad_mode == PadMode::Circular ||
           (desc.pad_mode == PadMode::Reflect && added >= desc.in[axis] - crop);
}

} // namespace

OnnxOperation read_pad(const OnnxGraph &graph, const OnnxShapes &shapes, int index) {
    const OnnxNode node(graph, shapes, index);
    node.expect_arity(node.opset() < 11 ? 1 : 2, node.opset() < 11 ? 1 : node.opset() < 18 ? 3 : 4, 1);
    const std::vector<int64_t> shape = node.shape(0);
    if (shape.empty()) {
        unsupported("padding of a scalar is not supported");
    }
    const Pads pads = read_pads(node, shape.size());
    const auto is_padded = [&](size_t dim) { return pads.begin[dim] != 0 || pads.end[dim] != 0; };
    size_t first = 0;
    while (first < shape.size() && !is_padded(first)) {
        ++first;
    }
    // The usual [n][c][spatial...], or whatever comes before the first padded dimension as the batch.
    const bool is_usual = first >= 2 && shape.size() >= 3 && shape.size() <= 2 + kMaxSpatialRank;
    const size_t spatial = is_usual ? 2 : std::min(first, shape.size() - 1);
    if (shape.size() - spatial > kMaxSpatialRank) {
        unsupported(fmt::format("padding of dimension {} of {} is not supported", first, shape.size()));
    }
    const int64_t batch =
        is_usual ? shape[0] : product(shape, 0) / std::max<int64_t>(product(shape, spatial), 1);
    OnnxOperation operation{identity(batch, is_usual ? shape[1] : 1,
                                     {shape.begin() + static_cast<int64_t>(spatial), shape.end()},
                                     node.type(0))};
    ConvDesc &desc = operation.desc;
    read_pad_mode(node, desc);
    for (int axis = 0; axis < desc.rank; ++axis) {
        desc.pad_begin[axis] = node.to_int("pads", pads.begin[spatial + axis]);
        desc.pad_end[axis] = node.to_int("pads", pads.end[spatial + axis]);
        if (sees_cropped_cells(desc, axis)) {
            unsupported(fmt::format("cropping and {} padding of one axis is not supported",
                                    pad_mode_name(desc.pad_mode)));
        }
    }
    return operation;
}

ConvDesc identity_of(const OnnxGraph &graph, const OnnxShapes &shapes, int index, int input, bool flat) {
    const OnnxNode node(graph, shapes, index);
    const std::vector<int64_t> shape = node.shape(input);
    if (flat) {
        return identity(1, product(shape, 0), {1}, node.type(input));
    }
    if (shape.size() < 2) {
        return identity(1, 1, {product(shape, 0)}, node.type(input));
    }
    const bool is_usual = shape.size() >= 3 && shape.size() <= 2 + kMaxSpatialRank;
    return identity(shape[0], shape[1],
                    is_usual ? std::vector<int64_t>(shape.begin() + 2, shape.end())
                             : std::vector<int64_t>{product(shape, 2)},
                    node.type(input));
}

std::optional<ConvDesc> fold_padding(const ConvDesc &pad, const ConvDesc &window) {
    const Spatial padded = out_extents(pad);
    const bool same_values = pad.rank == window.rank && pad.n == window.n && pad.ci == window.ci &&
                             std::equal(padded.begin(), padded.begin() + pad.rank, window.in.begin());
    if (!same_values || window.op == Op::Deconv || window.indices != Indices::None) {
        return std::nullopt; // indices count cells of the padded tensor
    }
    const auto is_zero = [&](const Spatial &axes) {
        return std::all_of(axes.begin(), axes.begin() + window.rank, [](int x) { return x == 0; });
    };
    const bool adds = !is_zero(window.pad_begin) || !is_zero(window.pad_end);
    ConvDesc folded = window;
    folded.in = pad.in;
    folded.pad_mode = pad.pad_mode;
    folded.pad_value = pad.pad_value;
    // Exporters pad a maximum with the lowest number.
    if (window.op == Op::MaxPool && pad.pad_mode == PadMode::Constant &&
        pad.pad_value <= std::numeric_limits<float>::lowest()) {
        folded.pad_mode = PadMode::Ignore;
        folded.pad_value = 0;
    }
    if (adds && folded.pad_mode != window.pad_mode) {
        return std::nullopt;
    }
    if (adds && folded.pad_mode != PadMode::Zeros && folded.pad_mode != PadMode::Ignore) {
        return std::nullopt; // mirrored cells of a mirrored image are others
    }
    for (int axis = 0; axis < window.rank; ++axis) {
        folded.pad_begin[axis] += pad.pad_begin[axis];
        folded.pad_end[axis] += pad.pad_end[axis];
    }
    try {
        folded.validate();
    } catch (const Error &) {
        return std::nullopt; // such as cropping, or a maximum of padding alone
    }
    // In ceil mode the last window may start in padded cells, but not in padding.
    return out_extents(folded) == out_extents(window) ? std::optional<ConvDesc>(folded) : std::nullopt;
}

bool read_rearrangement(const OnnxGraph &graph, int index, ConvDesc &desc) {
    const std::string &op = graph.node(index).op_type();
    if (!graph.is_standard(index) || (op != "DepthToSpace" && op != "SpaceToDepth")) {
        return false;
    }
    const int64_t block = graph.integer(index, "blocksize", 0);
    if (block < 1 || block > INT_MAX) {
        graph.fail(index, fmt::format("attribute blocksize is {}, want a positive number", block));
    }
    const std::string mode = graph.text(index, "mode", "DCR");
    if (mode != "DCR" && mode != "CRD") {
        graph.fail(index, fmt::format("attribute mode is '{}', want DCR or CRD", mode));
    }
    desc.rearrange_factor = static_cast<int>(block);
    desc.rearrange = op == "SpaceToDepth" ? Rearrange::SpaceToDepth
                     : mode == "DCR"      ? Rearrange::DepthToSpace
                                          : Rearrange::PixelShuffle;
    return true;
}

} // namespace convsmith::frontend
