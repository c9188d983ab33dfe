// Implementation of the shape arithmetic declared in conv_shape.h.
#include "generators/conv_shape.h"

#include "generators/composite.h"
#include "generators/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace convsmith {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int>::max();

/// d * (k - 1) + 1 without overflow for any int.
int64_t span_cells(int kernel, int dilation) {
    return int64_t(dilation) * (int64_t(kernel) - 1) + 1;
}

int64_t product(const std::vector<int64_t> &extents) {
    int64_t total = 1;
    for (const int64_t extent : extents)
        total *= extent;
    return total;
}

std::vector<int64_t> activation_shape(Layout layout, int n, int channels, const Spatial &extents, int rank) {
    std::vector<int64_t> shape(extents.begin(), extents.begin() + rank);
    shape.insert(layout == Layout::ChannelsLast ? shape.end() : shape.begin(), channels);
    shape.insert(shape.begin(), n);
    return shape;
}

/// The extent of one call: `closed` unless it is 0, then `given`.
int resolve_size(const std::string &field, int closed, int given) {
    if (closed == 0 && given <= 0)
        throw Error(ErrorCode::BadArgument,
                    fmt::format("{}: open in the descriptor, got {}, want a positive extent", field, given));
    if (closed != 0 && given != 0 && given != closed)
        throw Error(ErrorCode::BadArgument,
                    fmt::format("{}: got {}, want the descriptor's {}", field, given, closed));
    return closed == 0 ? given : closed;
}

bool is_trivial(const ConvDesc &desc, int axis) {
    return desc.kernel[axis] == 1 && desc.stride[axis] == 1 && desc.pad_begin[axis] == 0 &&
           desc.pad_end[axis] == 0 && desc.out_pad[axis] == 0;
}

/// Whether positions may be renumbered: nothing but memory order depends on an axis.
bool can_merge_axes(const ConvDesc &desc) {
    const bool moves_in_space = desc.rearrange != Rearrange::None && desc.rearrange != Rearrange::Shuffle;
    return !desc.is_fused && desc.op != Op::Deform && desc.indices == Indices::None && !moves_in_space;
}

int64_t power(int64_t base, int exponent) {
    int64_t total = 1;
    for (int i = 0; i < exponent; i++)
        total *= base;
    return total;
}

/// Copies one axis' numbers; dilation has no effect on a single tap.
void copy_axis(const ConvDesc &from, int from_axis, ConvDesc &to, int to_axis) {
    to.in[to_axis] = from.in[from_axis];
    to.kernel[to_axis] = from.kernel[from_axis];
    to.stride[to_axis] = from.stride[from_axis];
    to.dilation[to_axis] = from.kernel[from_axis] == 1 ? 1 : from.dilation[from_axis];
    to.pad_begin[to_axis] = from.pad_begin[from_axis];
    to.pad_end[to_axis] = from.pad_end[from_axis];
    to.out_pad[to_axis] = from.out_pad[from_axis];
}

} // namespace

int effective_kernel(int kernel, int dilation) {
    return static_cast<int>(std::min(span_cells(kernel, dilation), kMaxInt));
}

int64_t conv_out_extent(int64_t in, int kernel, int stride, int dilation, int pad_begin, int pad_end) {
    const int64_t reach = in + pad_begin + pad_end - span_cells(kernel, dilation);
    return reach < 0 ? 0 : reach / stride + 1;
}

int64_t window_out_extent(const ConvDesc &d, int axis) {
    const int64_t in = d.in[axis], begin = d.pad_begin[axis], end = d.pad_end[axis], stride = d.stride[axis];
    const int64_t span = span_cells(d.kernel[axis], d.dilation[axis]);
    if (d.op == Op::Deconv)
        return (in - 1) * stride + span - begin - end + d.out_pad[axis];
    if (d.op == Op::Concat)
        return stored_extents(last_op(d.branches.at(0)))[axis];
    if (d.op == Op::Identity || d.op == Op::Excite)
        return in + begin + end;
    const int64_t reach = in + begin + end - span;
    if (reach < 0 || !d.ceil_mode)
        return conv_out_extent(in, d.kernel[axis], d.stride[axis], d.dilation[axis], d.pad_begin[axis],
                               d.pad_end[axis]);
    const int64_t last = (reach + stride - 1) / stride; // start of the last window, in strides
    return last * stride >= in + begin ? last : last + 1;
}

void set_same_padding(ConvDesc &desc, bool odd_at_end) {
    for (int axis = 0; axis < desc.rank; axis++) {
        const int64_t stride = desc.stride[axis];
        const int64_t outputs = (desc.in[axis] + stride - 1) / stride;
        const int64_t reach =
            (outputs - 1) * stride + effective_kernel(desc.kernel[axis], desc.dilation[axis]);
        const int total = static_cast<int>(std::max<int64_t>(reach - desc.in[axis], 0));
        desc.pad_begin[axis] = odd_at_end ? total / 2 : total - total / 2;
        desc.pad_end[axis] = total - desc.pad_begin[axis];
    }
}

Sizes resolve_sizes(const ConvDesc &desc, const Sizes &open) {
    Sizes sizes;
    sizes.n = resolve_size("batch n", desc.n, open.n);
    sizes.in = {1, 1, 1};
    for (int axis = 0; axis < desc.rank; axis++)
        sizes.in[axis] = resolve_size(fmt::format("input extent of axis {}", axis_name(axis, desc.rank)),
                                      desc.in[axis], open.in[axis]);
    return sizes;
}

ConvDesc with_sizes(const ConvDesc &desc, const Sizes &sizes) {
    const Sizes resolved = resolve_sizes(desc, sizes);
    ConvDesc closed = desc;
    closed.n = resolved.n;
    std::copy_n(resolved.in.begin(), desc.rank, closed.in.begin());
    closed.validate();
    return closed;
}

Spatial out_extents(const ConvDesc &desc) {
    Spatial out = {1, 1, 1};
    for (int a = 0; a < desc.rank; a++)
        out[a] = desc.in[a] == 0 ? 0 : static_cast<int>(window_out_extent(desc, a));
    return out;
}

int stored_channels(const ConvDesc &desc) {
    const int64_t block = power(desc.rearrange_factor, desc.rank);
    switch (desc.rearrange) {
    case Rearrange::None:
    case Rearrange::Shuffle:
        return desc.co;
    case Rearrange::DepthToSpace:
    case Rearrange::PixelShuffle:
        return static_cast<int>(desc.co / block);
    case Rearrange::SpaceToDepth:
        return static_cast<int>(std::min(desc.co * block, kMaxInt));
    }
    throw Error(ErrorCode::Internal, "unknown rearrangement");
}

Spatial stored_extents(const ConvDesc &desc) {
    Spatial out = out_extents(desc);
    for (int a = 0; a < desc.rank; a++) {
        if (desc.rearrange == Rearrange::DepthToSpace || desc.rearrange == Rearrange::PixelShuffle)
            out[a] = static_cast<int>(std::min(int64_t{out[a]} * desc.rearrange_factor, kMaxInt));
        if (desc.rearrange == Rearrange::SpaceToDepth)
            out[a] /= desc.rearrange_factor;
    }
    return out;
}

int64_t spatial_product(const Spatial &extents, int rank) {
    return product({extents.begin(), extents.begin() + rank});
}

int row_positions(const ConvDesc &desc) {
    const Spatial out = out_extents(desc);
    return static_cast<int>(spatial_product(out, desc.rank)) / out[0];
}

double padded_share(const ConvDesc &desc, int axes) {
    const Spatial out = out_extents(desc);
    double inside = 1;
    for (int a = 0; a < axes; a++) {
        int64_t met = 0;
        for (int tap = 0; tap < desc.kernel[a]; tap++) {
            for (int at = 0; at < out[a]; at++) {
                const int cell = at * desc.stride[a] + tap * desc.dilation[a] - desc.pad_begin[a];
                met += cell >= 0 && cell < desc.in[a] ? 1 : 0;
            }
        }
        inside *= static_cast<double>(met) / (static_cast<double>(out[a]) * desc.kernel[a]);
    }
    return 1 - inside;
}

namespace {

bool leaves_out(const ConvDesc &desc, int axes) {
    constexpr double kLeast = 0.05;
    return desc.pad_mode == PadMode::Zeros && padded_share(desc, axes) >= kLeast;
}

} // namespace

bool leaves_out_rows(const ConvDesc &desc) {
    return leaves_out(desc, desc.rank - 1);
}

bool leaves_out_slices(const ConvDesc &desc) {
    return leaves_out(desc, 1);
}

std::vector<int64_t> input_shape(const ConvDesc &desc) {
    return activation_shape(desc.in_layout, desc.n, desc.ci, desc.in, desc.rank);
}

std::vector<int64_t> stored_shape(const ConvDesc &op) {
    return activation_shape(op.out_layout, op.n, stored_channels(op), stored_extents(op), op.rank);
}

std::vector<int64_t> output_shape(const ConvDesc &desc) {
    const ConvDesc &op = last_op(desc);
    const int channels = op.co_total != 0 ? op.co_total : stored_channels(op);
    return activation_shape(op.out_layout, op.n, channels, stored_extents(op), op.rank);
}

std::vector<int64_t> written_shape(const ConvDesc &desc) {
    return stored_shape(last_op(desc));
}

std::vector<int64_t> filter_shape(const ConvDesc &desc) {
    if (!op_info(desc.op).has_filter)
        return {};
    std::vector<int64_t> shape = {desc.co, desc.ci / desc.groups};
    if (desc.op == Op::Deconv)
        shape = {desc.ci, desc.co / desc.groups};
    shape.insert(shape.end(), desc.kernel.begin(), desc.kernel.begin() + desc.rank);
    return shape;
}

namespace {

/// A tensor of `channels` at the output's positions, in the input's layout.
std::vector<int64_t> positional_shape(const ConvDesc &desc, int64_t channels) {
    return activation_shape(desc.in_layout, desc.n, static_cast<int>(std::min(channels, kMaxInt)),
                            out_extents(desc), desc.rank);
}

} // namespace

std::vector<int64_t> offset_shape(const ConvDesc &desc) {
    return positional_shape(desc, spatial_product(desc.kernel, desc.rank) * desc.offset_groups * desc.rank);
}

std::vector<int64_t> mask_shape(const ConvDesc &desc) {
    return positional_shape(desc, spatial_product(desc.kernel, desc.rank) * desc.offset_groups);
}

DType operand_type(const ConvDesc &desc, Operand operand) {
    return operand_info(operand).shape == OperandShape::PerChannel ? desc.acc_type : desc.out_type;
}

std::vector<int64_t> operand_shape(const ConvDesc &desc, Operand operand) {
    switch (operand_info(operand).shape) {
    case OperandShape::PerChannel:
        return {desc.co};
    case OperandShape::PerImageChannel:
        return {desc.n, desc.co};
    case OperandShape::Full:
        return stored_shape(desc);
    }
    throw Error(ErrorCode::Internal, "unknown operand shape");
}

namespace {

int64_t op_parameters(const ConvDesc &op) {
    const int64_t weights = op_info(op.op).has_filter ? product(filter_shape(op)) : 0;
    return weights + (op.has_operand(Operand::Bias) ? op.co : 0);
}

int64_t op_macs(const ConvDesc &op) {
    if (!op_info(op.op).has_filter)
        return 0;
    const int64_t taps = spatial_product(op.kernel, op.rank);
    if (op.op == Op::Deconv)
        return product(input_shape(op)) * (op.co / op.groups) * taps;
    return int64_t{op.n} * op.co * spatial_product(out_extents(op), op.rank) * (op.ci / op.groups) * taps;
}

int64_t tensor_bytes(const std::vector<int64_t> &shape, DType type) {
    return product(shape) * static_cast<int64_t>(dtype_bytes(type));
}

/// Of what an op reads beside its input.
int64_t op_bytes(const ConvDesc &op) {
    int64_t total = 0;
    if (op_info(op.op).has_filter)
        total += tensor_bytes(filter_shape(op), op.weight_type);
    if (op.op == Op::Deform)
        total += tensor_bytes(offset_shape(op), op.in_type);
    if (op.masked)
        total += tensor_bytes(mask_shape(op), op.in_type);
    for (const OperandInfo &info : operand_table()) {
        if (op.has_operand(info.operand))
            total += tensor_bytes(operand_shape(op, info.operand), operand_type(op, info.operand));
    }
    return total;
}

} // namespace

int64_t parameter_count(const ConvDesc &desc) {
    int64_t total = 0;
    for (const ConvDesc *op : ops_of(desc))
        total += op_parameters(*op);
    return total;
}

int64_t mac_count(const ConvDesc &desc) {
    resolve_sizes(desc);
    int64_t total = 0;
    for (const ConvDesc *op : ops_of(desc))
        total += op_macs(*op);
    return total;
}

int64_t byte_count(const ConvDesc &desc) {
    resolve_sizes(desc);
    int64_t total =
        tensor_bytes(input_shape(desc), desc.in_type) + tensor_bytes(written_shape(desc), desc.out_type);
    for (const ConvDesc *op : ops_of(desc))
        total += op_bytes(*op);
    if (desc.indices != Indices::None)
        total += tensor_bytes(written_shape(desc), DType::I64);
    return total;
}

int64_t ReceptiveField::holes() const {
    return std::count(covered.begin(), covered.end(), false);
}

ReceptiveField receptive_field(const std::vector<AxisWindow> &stack) {
    ReceptiveField field;
    for (size_t i = 0; i < stack.size(); i++) {
        const AxisWindow &w = stack[i];
        if (w.kernel < 1 || w.stride < 1 || w.dilation < 1)
            throw Error(ErrorCode::BadArgument,
                        fmt::format("layer {}: kernel {}, stride {}, dilation {}: want all "
                                    "positive",
                                    i, w.kernel, w.stride, w.dilation));
        const int64_t growth = span_cells(w.kernel, w.dilation) - 1;
        if (growth > 0 && field.stride > (kMaxInt - field.extent) / growth)
            throw Error(ErrorCode::BadArgument,
                        fmt::format("layer {}: the receptive field reaches 2^31 cells", i));
        field.extent += growth * field.stride;
        // Beyond 2^31 any further tap overflows the extent, so the exact stride no longer matters.
        field.stride = std::min(field.stride * w.stride, kMaxInt);
    }
    // From one output of the last layer back to the input: each seen cell sees kernel cells of the layer
    // below.
    field.covered = {true};
    for (auto w = stack.rbegin(); w != stack.rend(); ++w) {
        const int64_t above = static_cast<int64_t>(field.covered.size());
        std::vector<bool> below((above - 1) * w->stride + span_cells(w->kernel, w->dilation), false);
        for (int64_t cell = 0; cell < above; cell++) {
            for (int64_t tap = 0; field.covered[cell] && tap < w->kernel; tap++)
                below[cell * w->stride + tap * w->dilation] = true;
        }
        field.covered = std::move(below);
    }
    return field;
}

ConvDesc merge_trivial_axes(const ConvDesc &desc) {
    ConvDesc merged = desc;
    bool padded = false;
    merged.rank = 0;
    for (int axis = 0; axis < desc.rank; axis++) {
        padded = padded || desc.pad_begin[axis] != 0 || desc.pad_end[axis] != 0;
        if (axis > 0 && can_merge_axes(desc) && is_trivial(desc, axis - 1) && is_trivial(desc, axis)) {
            // An open extent (0) times anything stays open.
            merged.in[merged.rank - 1] *= desc.in[axis];
            continue;
        }
        copy_axis(desc, axis, merged, merged.rank++);
    }
    if (!padded) {
        merged.pad_mode = op_info(desc.op).is_pool ? PadMode::Ignore : PadMode::Zeros;
        merged.pad_value = 0;
    }
    return merged;
}

ConvDesc groups_as_images(const ConvDesc &desc) {
    if (desc.groups == 1)
        return desc;
    CONVSMITH_CHECK(desc.n == 1);
    ConvDesc images = desc;
    images.n = desc.groups;
    images.ci = desc.ci / desc.groups;
    images.co = desc.co / desc.groups;
    images.groups = 1;
    images.groups_are_images = true;
    return images;
}

JoinedGroups joined_groups(const ConvDesc &desc, int co_block) {
    const int group_co = desc.co / desc.groups;
    JoinedGroups joined;
    int blocks = 0;
    for (int begin = 0; begin < desc.co; begin += co_block, blocks++) {
        const int last = std::min(begin + co_block, desc.co) - 1;
        const int groups = last / group_co - begin / group_co + 1;
        joined.most = std::max(joined.most, groups);
        joined.total += groups;
    }
    joined.differ = joined.total < int64_t{blocks} * joined.most;
    return joined;
}

} // namespace convsmith
