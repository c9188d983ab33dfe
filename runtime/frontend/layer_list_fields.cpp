// Reading of one layer's fields (docs/layer_lists.md) into a descriptor; layer_list.cpp reads the files
// around them, layer_list_save.cpp writes the same fields.
#include "runtime/frontend/layer_list_fields.h"

#include "generators/conv_shape.h"
#include "generators/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

namespace convsmith {

namespace {

std::string extent_field(int axis, int rank) {
    return std::string("i") + axis_name(axis, rank);
}

void read_axes(const JsonFields &fields, const std::string &field, int rank, Spatial &axes) {
    const auto numbers = fields.integers(field);
    if (!numbers) {
        return;
    }
    if (static_cast<int>(numbers->size()) != rank) {
        fields.fail(field, fmt::format("[{}]", fmt::join(*numbers, ", ")),
                    fmt::format("{} numbers, one per axis of 'k'", rank));
    }
    std::copy(numbers->begin(), numbers->end(), axes.begin());
}

void read_pad_mode(const JsonFields &fields, ConvDesc &desc) {
    const bool is_pool = op_info(desc.op).is_pool;
    const bool counts_padding = fields.boolean("count_include_pad");
    const PadMode absent = is_pool && !counts_padding ? PadMode::Ignore : PadMode::Zeros;
    const std::string mode = fields.text("pad_mode", pad_mode_name(absent));
    std::vector<std::string> known;
    for (const PadMode candidate : {PadMode::Zeros, PadMode::Constant, PadMode::Reflect, PadMode::Replicate,
                                    PadMode::Circular, PadMode::Symmetric, PadMode::Ignore}) {
        if (mode == pad_mode_name(candidate)) {
            desc.pad_mode = candidate;
            return;
        }
        known.push_back(pad_mode_name(candidate));
    }
    fields.fail("pad_mode", "'" + mode + "'", fmt::format("one of {}", fmt::join(known, ", ")));
}

void read_padding(const JsonFields &fields, ConvDesc &desc) {
    const auto numbers = fields.integers("pad");
    if (numbers && static_cast<int>(numbers->size()) != 2 * desc.rank) {
        fields.fail("pad", fmt::format("[{}]", fmt::join(*numbers, ", ")),
                    fmt::format("{} numbers: begin of every axis, then end of every axis", 2 * desc.rank));
    }
    for (int axis = 0; numbers && axis < desc.rank; ++axis) {
        desc.pad_begin[axis] = (*numbers)[axis];
        desc.pad_end[axis] = (*numbers)[desc.rank + axis];
    }
    read_pad_mode(fields, desc);
    if (const Json *value = fields.find("pad_value")) {
        if (!value->is_number()) {
            fields.fail("pad_value", value->dump(), "a number");
        }
        desc.pad_value = value->get<double>();
    }
}

/// The layouts of input and output. The file's default tells the order only: "nchw" is "ncw" for one axis.
void read_layout(const JsonFields &fields, const std::string &default_layout, ConvDesc &desc) {
    const bool is_default = fields.find("layout") == nullptr;
    const std::string last = layout_name(Layout::ChannelsLast, desc.rank);
    const std::string first = layout_name(Layout::ChannelsFirst, desc.rank);
    const std::string layout = fields.text("layout", default_layout.empty() ? last : default_layout);
    const auto is_layout = [&](const std::string &name, Layout order) {
        for (int rank = is_default ? 1 : desc.rank; rank <= (is_default ? kMaxSpatialRank : desc.rank);
             ++rank) {
            if (name == layout_name(order, rank)) {
                return true;
            }
        }
        return false;
    };
    const size_t to = layout.find('2');
    const std::string in = layout.substr(0, to);
    const std::string out = to == std::string::npos ? in : layout.substr(to + 1);
    for (const std::string &name : {in, out}) {
        if (!is_layout(name, Layout::ChannelsLast) && !is_layout(name, Layout::ChannelsFirst)) {
            fields.fail("layout", "'" + layout + "'",
                        fmt::format("{0}, {1}, {0}2{1} or {1}2{0}", last, first));
        }
    }
    desc.in_layout = is_layout(in, Layout::ChannelsLast) ? Layout::ChannelsLast : Layout::ChannelsFirst;
    desc.out_layout = is_layout(out, Layout::ChannelsLast) ? Layout::ChannelsLast : Layout::ChannelsFirst;
}

/// One type, or input, weights, accumulator, output joined by 'x' as in a key.
void read_dtype(const JsonFields &fields, const std::string &default_dtype, ConvDesc &desc) {
    const std::string text = fields.text("dtype", default_dtype.empty() ? "f32" : default_dtype);
    std::vector<DType> types;
    for (size_t begin = 0; begin <= text.size();) {
        const size_t end = std::min(text.find('x', begin), text.size());
        const std::optional<DType> type = parse_dtype(text.substr(begin, end - begin));
        if (!type) {
            break;
        }
        types.push_back(*type);
        begin = end + 1;
    }
    const std::string canonical = types.empty() ? "" : dtype_name(types[0]);
    if (types.size() == 1 && text == canonical) {
        types.resize(4, types[0]);
    }
    const bool is_list =
        types.size() == 4 && (text == canonical || std::count(text.begin(), text.end(), 'x') == 3);
    if (!is_list) {
        fields.fail("dtype", "'" + text + "'",
                    "a type such as f32 or i8, or four (input, weights, accumulator, output) joined by 'x'");
    }
    desc.in_type = types[0];
    desc.weight_type = types[1];
    desc.acc_type = types[2];
    desc.out_type = types[3];
}

/// The stage that a list calls `name`; nothing for "none".
std::optional<EpilogueStage> activation_stage(const JsonFields &fields, const std::string &field,
                                              const std::string &name) {
    if (name == "none") {
        return std::nullopt;
    }
    if (name == "hardsigmoid") {
        return EpilogueStage{"hard_sigmoid", {1.0 / 6, 0.5}}; // PyTorch's and MobileNetV3's definition
    }
    if (name == "hardswish") {
        return epilogue_stage("hard_swish");
    }
    std::vector<std::string> known = {"none", "hardsigmoid", "hardswish"};
    for (const EpilogueInfo &info : epilogue_table()) {
        if (info.operand == Operand::None && info.name == name) {
            return epilogue_stage(name);
        }
        if (info.operand == Operand::None) {
            known.push_back(info.name);
        }
    }
    fields.fail(field, "'" + name + "'", fmt::format("one of {}", fmt::join(known, ", ")));
}

/// A stage as a key spells it: "relu", "clamp_v0_v6".
EpilogueStage read_stage(const JsonFields &fields, const Json &value) {
    const auto fail = [&] {
        fields.fail("epilogue", value.dump(), "stages such as \"bias\" or \"clamp_v0_v6\"");
    };
    if (!value.is_string()) {
        fail();
    }
    EpilogueStage stage;
    stage.name = value.get<std::string>();
    const size_t first_value = stage.name.find("_v");
    std::string rest = first_value == std::string::npos ? "" : stage.name.substr(first_value);
    stage.name.resize(std::min(first_value, stage.name.size()));
    while (!rest.empty()) {
        const size_t end = std::min(rest.find('_', 1), rest.size());
        const std::optional<double> number =
            rest.compare(0, 2, "_v") == 0 ? parse_number_token(rest.substr(2, end - 2)) : std::nullopt;
        if (!number) {
            fail();
        }
        stage.params.push_back(*number);
        rest.erase(0, end);
    }
    if (stage.params.empty()) {
        return epilogue_stage(stage.name);
    }
    return stage;
}

/// The chain of a layer: exactly `epilogue`, or bias (or a folded batch norm), residual, activation.
std::vector<EpilogueStage> read_epilogue(const JsonFields &fields) {
    std::vector<EpilogueStage> chain;
    if (const Json *stages = fields.find("epilogue")) {
        if (!stages->is_array()) {
            fields.fail("epilogue", stages->dump(), "an array of stages");
        }
        for (const Json &stage : *stages) {
            chain.push_back(read_stage(fields, stage));
        }
        return chain;
    }
    if (fields.boolean("bias") || fields.boolean("bn")) {
        chain.push_back(epilogue_stage("bias"));
    }
    const std::string name = fields.text("activation", "none");
    const std::optional<EpilogueStage> activation = activation_stage(fields, "activation", name);
    const Json *add = fields.find("add");
    if (add && add->is_string() && activation && *add == fmt::format("{0}({0}(conv)+residual)", name)) {
        chain.push_back(*activation);
    } else if (add && add->is_string() && *add != "skip sum") {
        throw UnsupportedLayer{fmt::format("add '{}' is not supported", add->get<std::string>())};
    }
    const bool residual = add && (add->is_string() || fields.boolean("add"));
    if (residual) {
        chain.push_back(epilogue_stage("residual"));
    }
    if (activation) {
        chain.push_back(*activation);
    }
    return chain;
}

/// The value that `field` calls by name; `absent` without the field.
template<typename Value>
Value read_named(const JsonFields &fields, const std::string &field,
                 const std::vector<std::pair<const char *, Value>> &names, Value absent) {
    const std::string text = fields.text(field, "");
    if (text.empty()) {
        return absent;
    }
    std::string known;
    for (const auto &[name, value] : names) {
        if (text == name) {
            return value;
        }
        known += (known.empty() ? "" : ", ") + std::string(name);
    }
    fields.fail(field, "'" + text + "'", "one of " + known);
}

/// What only some ops have, and where the output goes.
void read_op_fields(const JsonFields &fields, ConvDesc &desc) {
    read_axes(fields, "output_padding", desc.rank, desc.out_pad);
    desc.offset_groups = fields.integer("offset_groups").value_or(1);
    desc.masked = fields.boolean("modulated");
    desc.ceil_mode = fields.boolean("ceil_mode");
    desc.norm = fields.integer("norm").value_or(2);
    desc.indices = read_named(fields, "indices", index_order_names(), Indices::None);
    desc.rearrange = read_named(fields, "rearrange", rearrange_names(), Rearrange::None);
    desc.rearrange_factor = fields.integer("rearrange_factor").value_or(1);
    desc.co_total = fields.integer("oc_total").value_or(0);
    desc.co_begin = fields.integer("oc_begin").value_or(0);
}

/// Number of spatial axes: that of the kernel; without one (pools of everything, copies) that of the extents.
int read_rank(const JsonFields &fields, bool has_kernel) {
    const auto kernel = fields.integers("k");
    if (has_kernel || kernel) {
        if (!kernel || kernel->empty() || kernel->size() > kMaxSpatialRank) {
            fields.fail("k", kernel ? fmt::format("[{}]", fmt::join(*kernel, ", ")) : "missing",
                        "1 to 3 kernel extents");
        }
        return static_cast<int>(kernel->size());
    }
    return fields.find("id") != nullptr ? 3 : fields.find("ih") != nullptr ? 2 : 1;
}

void read_extents(const JsonFields &fields, ConvDesc &desc) {
    for (int axis = 0; axis < kMaxSpatialRank; ++axis) {
        const std::string field = extent_field(axis, kMaxSpatialRank);
        const int spatial = axis - (kMaxSpatialRank - desc.rank);
        if (spatial >= 0) {
            desc.in[spatial] = fields.required_integer(field);
        } else if (const auto extra = fields.integer(field)) {
            fields.fail(field, std::to_string(*extra), fmt::format("nothing: 'k' has {} axes", desc.rank));
        }
    }
}

/// A pool of whole images: the kernel is the extents.
void read_global_pool(const JsonFields &fields, ConvDesc &desc) {
    read_extents(fields, desc);
    for (int axis = 0; axis < desc.rank; ++axis) {
        if (desc.in[axis] == 0) {
            fields.fail(extent_field(axis, desc.rank), "0 (open)",
                        "an extent: a global pool's kernel has it");
        }
    }
    desc.kernel = desc.in;
}

} // namespace

const std::vector<std::pair<const char *, Indices>> &index_order_names() {
    static const std::vector<std::pair<const char *, Indices>> names = {
        {"row_major", Indices::RowMajor}, {"column_major", Indices::ColumnMajor}};
    return names;
}

const std::vector<std::pair<const char *, Rearrange>> &rearrange_names() {
    static const std::vector<std::pair<const char *, Rearrange>> names = {
        {"shuffle", Rearrange::Shuffle},
        {"depth_to_space", Rearrange::DepthToSpace},
        {"pixel_shuffle", Rearrange::PixelShuffle},
        {"space_to_depth", Rearrange::SpaceToDepth}};
    return names;
}

std::optional<ListedOp> find_listed_op(const std::string &name) {
    static const std::map<std::string, ListedOp> others = {
        {"deform_conv", {Op::Deform, ListedForm::Window}},
        {"linear", {Op::Conv, ListedForm::Linear}},
        {"globalavgpool", {Op::AvgPool, ListedForm::Global}},
        {"globalmaxpool", {Op::MaxPool, ListedForm::Global}},
        {"globallppool", {Op::LpPool, ListedForm::Global}}};
    for (const OpInfo &info : op_table()) {
        if (info.name == name) {
            return ListedOp{info.op, ListedForm::Window};
        }
    }
    const auto found = others.find(name);
    return found == others.end() ? std::nullopt : std::optional<ListedOp>(found->second);
}

ConvDesc read_layer_fields(const JsonFields &fields, const ListedOp &op, const ListDefaults &defaults) {
    ConvDesc desc;
    desc.op = op.op;
    desc.n = fields.integer("n").value_or(1);
    desc.ci = fields.required_integer("ic");
    const bool keeps_channels = !op_info(op.op).has_filter;
    desc.co = keeps_channels ? fields.integer("oc").value_or(desc.ci) : fields.required_integer("oc");
    desc.groups = fields.integer("groups").value_or(1);
    if (op.form == ListedForm::Linear) {
        desc.rank = 1;
        desc.in = {1, 1, 1};
    } else if (op.form == ListedForm::Global) {
        desc.rank = read_rank(fields, false);
        read_global_pool(fields, desc);
    } else {
        desc.rank = read_rank(fields, op.op != Op::Identity);
        read_extents(fields, desc);
    }
    read_axes(fields, "k", desc.rank, desc.kernel);
    read_axes(fields, "stride", desc.rank, desc.stride);
    read_axes(fields, "dilation", desc.rank, desc.dilation);
    read_padding(fields, desc);
    read_op_fields(fields, desc);
    read_layout(fields, defaults.layout, desc);
    read_dtype(fields, defaults.dtype, desc);
    desc.epilogue = read_epilogue(fields);
    return desc;
}

std::optional<ConvDesc> read_input_activation(const JsonFields &fields, const ConvDesc &desc) {
    const std::optional<EpilogueStage> stage = activation_stage(fields, "pre", fields.text("pre", "none"));
    if (!stage) {
        return std::nullopt;
    }
    ConvDesc pre;
    pre.op = Op::Identity;
    pre.rank = desc.rank;
    pre.n = desc.n;
    pre.ci = pre.co = desc.ci;
    pre.in = desc.in;
    pre.in_type = pre.weight_type = pre.out_type = desc.in_type;
    pre.acc_type = desc.acc_type;
    pre.in_layout = pre.out_layout = desc.in_layout;
    pre.epilogue = {*stage};
    return pre;
}

} // namespace convsmith
