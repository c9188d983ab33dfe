// Equality, names and validation of ConvDesc. Its text form is in conv_key.cpp, its arithmetic in
// conv_shape.cpp.
#include "generators/conv_desc.h"

#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "generators/signature.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace convsmith {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int>::max();

[[noreturn]] void fail(const std::string &message) {
    throw Error(ErrorCode::BadArgument, message);
}

void require_at_least(const std::string &field, int64_t got, int64_t least) {
    if (got < least)
        fail(fmt::format("{}: got {}, want at least {}", field, got, least));
}

std::string axis_field(const char *field, int axis, int rank) {
    return fmt::format("{} of axis {}", field, axis_name(axis, rank));
}

void validate_channels(const ConvDesc &d) {
    require_at_least("batch n (0 = open)", d.n, 0);
    require_at_least("input channels ci", d.ci, 1);
    require_at_least("output channels co", d.co, 1);
    require_at_least("groups g", d.groups, 1);
    const auto require_divisible = [&](const char *field, int channels) {
        if (channels % d.groups != 0)
            fail(fmt::format("{}: got {}, want a multiple of groups {}", field, channels, d.groups));
    };
    require_divisible("input channels ci", d.ci);
    require_divisible("output channels co", d.co);
}

/// Reflect, circular and symmetric padding read real elements: each must exist.
void validate_pad_source(const ConvDesc &d, int axis) {
    const bool reflect = d.pad_mode == PadMode::Reflect;
    if (!reflect && d.pad_mode != PadMode::Circular && d.pad_mode != PadMode::Symmetric)
        return;
    const int most = reflect ? d.in[axis] - 1 : d.in[axis];
    const int got = std::max(d.pad_begin[axis], d.pad_end[axis]);
    if (got > most)
        fail(fmt::format("{}: got {}, want at most {} ({} padding of extent {})",
                         axis_field("padding", axis, d.rank), got, most, pad_mode_name(d.pad_mode),
                         d.in[axis]));
}

/// Where padding is ignored, every window has a tap in the input: there is no maximum or mean of nothing.
void validate_window_taps(const ConvDesc &d, int axis) {
    if (d.pad_mode != PadMode::Ignore)
        return;
    const int64_t out = window_out_extent(d, axis);
    const auto has_tap = [&](int64_t position) {
        const int64_t start = position * d.stride[axis] - d.pad_begin[axis];
        const int64_t first = start < 0 ? (-start + d.dilation[axis] - 1) / d.dilation[axis] : 0;
        return first < d.kernel[axis] && start + first * d.dilation[axis] < d.in[axis];
    };
    int64_t position = 0;
    while (position < out && has_tap(position) && position * d.stride[axis] < d.pad_begin[axis])
        position++;
    if (position < out && has_tap(position))
        position = out - 1; // windows that start inside have a tap, and they start in order
    if (position < out && !has_tap(position))
        fail(fmt::format(
            "{}: the window of output {} has no tap in the input of {} (padding {} and {}, mode ignore)",
            axis_field("padding", axis, d.rank), position, d.in[axis], d.pad_begin[axis], d.pad_end[axis]));
}

void validate_axis(const ConvDesc &d, int axis) {
    const auto field = [&](const char *name) { return axis_field(name, axis, d.rank); };
    require_at_least(field("input extent (0 = open)"), d.in[axis], 0);
    require_at_least(field("kernel"), d.kernel[axis], 1);
    require_at_least(field("stride"), d.stride[axis], 1);
    require_at_least(field("dilation"), d.dilation[axis], 1);
    require_at_least(field("output padding"), d.out_pad[axis], 0);
    if (d.op != Op::Identity) {
        require_at_least(field("begin padding"), d.pad_begin[axis], 0);
        require_at_least(field("end padding"), d.pad_end[axis], 0);
    }

    const int64_t padded = int64_t(d.in[axis]) + d.pad_begin[axis] + d.pad_end[axis];
    const int span = effective_kernel(d.kernel[axis], d.dilation[axis]);
    if (padded >= kMaxInt)
        fail(fmt::format("{}: got {}, want less than 2^31 - 1", field("padded input"), padded));
    if (span >= kMaxInt)
        fail(fmt::format("{}: kernel {} with dilation {} covers too much, want less than 2^31 - 1 cells",
                         field("kernel"), d.kernel[axis], d.dilation[axis]));
    if (d.in[axis] == 0)
        return;
    if (d.op == Op::Deconv) {
        const int64_t out = window_out_extent(d, axis);
        if (out < 1 || out >= kMaxInt)
            fail(fmt::format(
                "{}: got {}, want 1 to 2^31 - 2 ((in {} - 1) * stride + {} - padding {} - {} + {})",
                field("output extent"), out, d.in[axis], span, d.pad_begin[axis], d.pad_end[axis],
                d.out_pad[axis]));
        return;
    }
    if (span > padded)
        fail(fmt::format(
            "{}: got {} cells (kernel {}, dilation {}), want at most the padded input {} ({} + {} + {})",
            field("effective kernel"), span, d.kernel[axis], d.dilation[axis], padded, d.pad_begin[axis],
            d.in[axis], d.pad_end[axis]));
    if (-d.pad_begin[axis] >= d.in[axis] || -d.pad_end[axis] >= d.in[axis])
        fail(fmt::format("{}: crops {} and {} cells, want fewer than the input's {}", field("padding"),
                         -d.pad_begin[axis], -d.pad_end[axis], d.in[axis]));
    validate_pad_source(d, axis);
    validate_window_taps(d, axis);
}

/// A field that only some ops have is at its default elsewhere.
void validate_op(const ConvDesc &d) {
    const OpInfo &info = op_info(d.op);
    const auto only = [&](bool is_default, bool has_it, const char *field) {
        if (!is_default && !has_it)
            fail(fmt::format("{}: op {} has none", field, info.name));
    };
    const auto all = [&](const Spatial &axes, int value) {
        return std::all_of(axes.begin(), axes.begin() + d.rank, [&](int x) { return x == value; });
    };
    only(!d.masked, d.op == Op::Deform, "mask");
    only(d.offset_groups == 1, d.op == Op::Deform, "offset groups");
    only(d.indices == Indices::None, d.op == Op::MaxPool, "indices");
    only(d.indices == Indices::None || d.pad_mode == PadMode::Ignore, false,
         "indices with a padding mode other than ignore (padding has no index)");
    only(!d.ceil_mode, info.is_pool, "ceil mode");
    only(d.norm == 2, d.op == Op::LpPool, "norm");
    only(all(d.out_pad, 0), d.op == Op::Deconv, "output padding");
    only(d.pad_mode != PadMode::Ignore, info.is_pool, "padding mode ignore");
    only(d.pad_mode == PadMode::Zeros, d.op != Op::Deconv && d.op != Op::Deform,
         "padding mode other than zeros");
    const bool has_window = info.has_filter || info.is_pool;
    only(all(d.kernel, 1) && all(d.stride, 1) && all(d.dilation, 1), has_window,
         "kernel, stride or dilation");
    if (!info.has_filter && d.op != Op::Concat && (d.groups != 1 || d.co != d.ci))
        fail(fmt::format("output channels co: got {} in {} groups, want the {} input channels: op {} keeps "
                         "channels apart",
                         d.co, d.groups, d.ci, info.name));
    require_at_least("norm l", d.norm, 1);
    require_at_least("offset groups og", d.offset_groups, 1);
    if (d.ci % d.offset_groups != 0)
        fail(fmt::format("input channels ci: got {}, want a multiple of offset groups {}", d.ci,
                         d.offset_groups));
}

/// Index maps and channel ranges of the store.
void validate_store(const ConvDesc &d) {
    require_at_least("rearrangement factor", d.rearrange_factor, 1);
    const int64_t b = d.rearrange_factor;
    const int64_t block = d.rank == 1 ? b : d.rank == 2 ? b * b : b * b * b;
    const auto require_divisible = [&](const std::string &field, int64_t got, int64_t by) {
        if (by > kMaxInt || got % by != 0)
            fail(fmt::format("{}: got {}, want a multiple of {} to rearrange by {}", field, got, by, b));
    };
    if (d.rearrange == Rearrange::Shuffle)
        require_divisible("output channels co", d.co, b);
    if (d.rearrange == Rearrange::DepthToSpace || d.rearrange == Rearrange::PixelShuffle)
        require_divisible("output channels co", d.co, block);
    if (d.rearrange == Rearrange::SpaceToDepth) {
        for (int axis = 0; axis < d.rank; axis++) {
            if (d.in[axis] == 0)
                throw Error(ErrorCode::Unsupported,
                            "spacetodepth: want every spatial extent at compile time");
            require_divisible(axis_field("output extent", axis, d.rank), window_out_extent(d, axis), b);
        }
    }
    if (d.indices != Indices::None && (d.rearrange != Rearrange::None || d.co_total != 0))
        throw Error(ErrorCode::Unsupported, "indices: there is no kernel that also rearranges its output or "
                                            "writes into a larger tensor");
    require_at_least("channels of the tensor written", d.co_total, 0);
    require_at_least("first channel written", d.co_begin, 0);
    const int64_t end = int64_t(d.co_begin) + stored_channels(d);
    if ((d.co_total != 0 && end > d.co_total) || (d.co_total == 0 && d.co_begin != 0))
        fail(fmt::format("channels written: got [{}, {}), want them within the {} channels of the tensor",
                         d.co_begin, end, d.co_total));
}

bool fits(double value, DType type) {
    if (is_integer(type)) {
        const double end =
            std::exp2(8.0 * static_cast<double>(dtype_bytes(type)) - (is_unsigned(type) ? 0 : 1));
        return std::trunc(value) == value && value < end && value >= (is_unsigned(type) ? 0 : -end);
    }
    return type == DType::F64 ? std::isfinite(value) : std::fabs(value) <= std::numeric_limits<float>::max();
}

bool is_float(DType type) {
    return type == DType::F32 || type == DType::F64;
}

/// Maxima and copies of integers are in their own type, averages are summed in i32.
void validate_integer_types(const ConvDesc &d) {
    const bool is_same = d.in_type == d.out_type && is_integer(d.in_type) && d.in_type != DType::Bool &&
                         d.weight_type == d.in_type;
    const bool max_or_copy = (d.op == Op::MaxPool || d.op == Op::Identity) && d.acc_type == d.in_type;
    const bool average = d.op == Op::AvgPool && d.acc_type == DType::I32 && dtype_bytes(d.in_type) <= 2;
    if (!is_same || !(max_or_copy || average))
        throw Error(
            ErrorCode::Unsupported,
            fmt::format("types: got {} input, {} weights, {} accumulator, {} output; op {} has kernels for "
                        "f32 and f64{}",
                        dtype_name(d.in_type), dtype_name(d.weight_type), dtype_name(d.acc_type),
                        dtype_name(d.out_type), op_info(d.op).name,
                        d.op == Op::AvgPool ? ", and for 8 and 16 bit integers with an i32 accumulator"
                        : op_info(d.op).has_filter || d.op == Op::LpPool
                            ? ""
                            : ", and for one integer type throughout"));
    // Halide 14 computes a pair of values of one type wrongly: the second sees the first's update.
    if (d.indices != Indices::None && dtype_bytes(d.in_type) == 8)
        throw Error(ErrorCode::Unsupported, "indices: there are kernels for integers of up to 32 bits");
    for (const EpilogueStage &stage : d.epilogue) {
        if (stage.name != "relu" && stage.name != "relu6" && stage.name != "clamp")
            throw Error(ErrorCode::Unsupported,
                        "epilogue " + stage.name + ": there are integer kernels for relu, relu6 and clamp");
    }
}

void validate_types(const ConvDesc &d) {
    const struct {
        const char *field;
        DType type;
    } rows[] = {
        {"input", d.in_type}, {"weight", d.weight_type}, {"accumulator", d.acc_type}, {"output", d.out_type}};
    const bool all_float =
        std::all_of(std::begin(rows), std::end(rows), [](auto row) { return is_float(row.type); });
    const bool any_float =
        std::any_of(std::begin(rows), std::end(rows), [](auto row) { return is_float(row.type); });
    if (!all_float && !any_float)
        validate_integer_types(d);
    for (const auto &row : rows) {
        if (any_float && !is_float(row.type))
            throw Error(ErrorCode::Unsupported,
                        fmt::format("{} type: got {}, there are kernels for f32 and f64", row.field,
                                    dtype_name(row.type)));
        if (dtype_bytes(d.acc_type) < dtype_bytes(row.type))
            throw Error(ErrorCode::Unsupported,
                        fmt::format("accumulator type: got {}, want at least as wide as the {} type {}",
                                    dtype_name(d.acc_type), row.field, dtype_name(row.type)));
    }
    if (d.pad_mode == PadMode::Constant && !fits(d.pad_value, d.in_type))
        fail(fmt::format("padding value: got {}, want a finite {}", d.pad_value, dtype_name(d.in_type)));
}

/// A limit may be absent: a minimum of -inf, a maximum of inf. Every other parameter is finite.
void validate_param(const EpilogueInfo &info, size_t i, double value, DType type) {
    const std::string &param = info.param_names[i];
    const double infinity = std::numeric_limits<double>::infinity();
    const bool unlimited = (param == "min" && value == -infinity) || (param == "max" && value == infinity);
    if (!unlimited && !fits(value, type))
        fail(fmt::format("epilogue {}: {} is {}, want a finite {}", info.name, param, value,
                         dtype_name(type)));
}

void validate_epilogue(const ConvDesc &d) {
    std::vector<Operand> seen;
    for (const EpilogueStage &stage : d.epilogue) {
        const EpilogueInfo &info = epilogue_info(stage.name);
        const size_t want = info.param_names.size();
        if (stage.params.size() != want)
            fail(fmt::format("epilogue {}: got {} numbers, want {}", stage.name, stage.params.size(), want));
        for (size_t i = 0; i < want; i++)
            validate_param(info, i, stage.params[i], d.acc_type);
        if (want == 2 && info.param_names[0] == "min" && !(stage.params[0] <= stage.params[1]))
            fail(fmt::format("epilogue {}: min {} is greater than max {}", stage.name, stage.params[0],
                             stage.params[1]));
        if (info.operand == Operand::None)
            continue;
        if (std::find(seen.begin(), seen.end(), info.operand) != seen.end())
            fail(fmt::format("epilogue {}: a second stage with a tensor of its kind, want at most one",
                             stage.name));
        seen.push_back(info.operand);
    }
}

/// Kernels index with 32 bits. Open extents count as one.
void require_elements(const char *tensor, const std::vector<int64_t> &shape) {
    int64_t total = 1;
    for (const int64_t extent : shape) {
        total *= std::max<int64_t>(extent, 1);
        if (total > kMaxInt)
            fail(fmt::format("{}: shape {} has too many elements, want fewer than 2^31", tensor,
                             fmt::join(shape, "x")));
    }
}

void validate_elements(const ConvDesc &d) {
    require_elements("input", input_shape(d));
    require_elements("output", output_shape(d));
    if (d.op == Op::Deform)
        require_elements("offset", offset_shape(d));
    if (!op_info(d.op).has_filter)
        return;
    require_elements("filter", filter_shape(d));
    require_elements("packed filter", packed_filter_shape(d, Packing{kMaxChannelBlock}));
}

bool same_axes(const Spatial &a, const Spatial &b, int rank) {
    return std::equal(a.begin(), a.begin() + std::clamp(rank, 0, kMaxSpatialRank), b.begin());
}

} // namespace

bool ConvDesc::operator==(const ConvDesc &o) const {
    return rank == o.rank && n == o.n && ci == o.ci && co == o.co && groups == o.groups &&
           same_axes(in, o.in, rank) && same_axes(kernel, o.kernel, rank) &&
           same_axes(stride, o.stride, rank) && same_axes(dilation, o.dilation, rank) &&
           same_axes(pad_begin, o.pad_begin, rank) && same_axes(pad_end, o.pad_end, rank) &&
           pad_mode == o.pad_mode && (pad_mode != PadMode::Constant || pad_value == o.pad_value) &&
           op == o.op && same_axes(out_pad, o.out_pad, rank) && offset_groups == o.offset_groups &&
           masked == o.masked && indices == o.indices && ceil_mode == o.ceil_mode && norm == o.norm &&
           rearrange == o.rearrange && rearrange_factor == o.rearrange_factor && co_total == o.co_total &&
           co_begin == o.co_begin && in_type == o.in_type && weight_type == o.weight_type &&
           acc_type == o.acc_type && out_type == o.out_type && in_layout == o.in_layout &&
           out_layout == o.out_layout && epilogue == o.epilogue && branches == o.branches && then == o.then &&
           is_fused == o.is_fused; // not ends_chain: a branch alone is a chain
}

bool ConvDesc::is_open() const {
    return n == 0 || std::find(in.begin(), in.begin() + rank, 0) != in.begin() + rank;
}

bool ConvDesc::has_operand(Operand operand) const {
    return std::any_of(epilogue.begin(), epilogue.end(), [&](const EpilogueStage &stage) {
        return epilogue_info(stage.name).operand == operand;
    });
}

void ConvDesc::validate() const {
    if (rank < 1 || rank > kMaxSpatialRank)
        fail(fmt::format("spatial rank: got {}, want 1 to {}", rank, kMaxSpatialRank));
    validate_channels(*this);
    validate_op(*this);
    for (int axis = 0; axis < rank; axis++)
        validate_axis(*this, axis);
    validate_store(*this);
    validate_types(*this);
    validate_composite(*this);
    validate_epilogue(*this);
    validate_elements(*this);
}

char axis_name(int axis, int rank) {
    CONVSMITH_CHECK(rank >= 1 && rank <= kMaxSpatialRank && axis >= 0 && axis < rank);
    return "dhw"[kMaxSpatialRank - rank + axis];
}

std::string layout_name(Layout layout, int rank) {
    std::string axes;
    for (int axis = 0; axis < rank; axis++)
        axes += axis_name(axis, rank);
    return layout == Layout::ChannelsLast ? "n" + axes + "c" : "nc" + axes;
}

const std::string &pad_mode_name(PadMode mode) {
    static const std::array<std::string, 7> names = {"zeros",    "constant",  "reflect", "replicate",
                                                     "circular", "symmetric", "ignore"};
    return names.at(static_cast<size_t>(mode));
}

} // namespace convsmith
