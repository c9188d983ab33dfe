// Equality, names and validation of ConvDesc. Its text form is in conv_key.cpp, its arithmetic in
// conv_shape.cpp.
#include "generators/conv_desc.h"

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

/// Reflect and circular padding read real elements: each must exist.
void validate_pad_source(const ConvDesc &d, int axis) {
    const bool reflect = d.pad_mode == PadMode::Reflect;
    if (!reflect && d.pad_mode != PadMode::Circular)
        return;
    const int most = reflect ? d.in[axis] - 1 : d.in[axis];
    const int got = std::max(d.pad_begin[axis], d.pad_end[axis]);
    if (got > most)
        fail(fmt::format("{}: got {}, want at most {} ({} padding of extent {})",
                         axis_field("padding", axis, d.rank), got, most, pad_mode_name(d.pad_mode),
                         d.in[axis]));
}

void validate_axis(const ConvDesc &d, int axis) {
    const auto field = [&](const char *name) { return axis_field(name, axis, d.rank); };
    require_at_least(field("input extent (0 = open)"), d.in[axis], 0);
    require_at_least(field("kernel"), d.kernel[axis], 1);
    require_at_least(field("stride"), d.stride[axis], 1);
    require_at_least(field("dilation"), d.dilation[axis], 1);
    require_at_least(field("begin padding"), d.pad_begin[axis], 0);
    require_at_least(field("end padding"), d.pad_end[axis], 0);

    const int64_t padded = int64_t(d.in[axis]) + d.pad_begin[axis] + d.pad_end[axis];
    const int span = effective_kernel(d.kernel[axis], d.dilation[axis]);
    if (padded >= kMaxInt)
        fail(fmt::format("{}: got {}, want less than 2^31 - 1", field("padded input"), padded));
    if (span >= kMaxInt)
        fail(fmt::format("{}: kernel {} with dilation {} covers too much, want less than 2^31 - 1 cells",
                         field("kernel"), d.kernel[axis], d.dilation[axis]));
    if (d.in[axis] == 0)
        return;
    if (span > padded)
        fail(fmt::format(
            "{}: got {} cells (kernel {}, dilation {}), want at most the padded input {} ({} + {} + {})",
            field("effective kernel"), span, d.kernel[axis], d.dilation[axis], padded, d.pad_begin[axis],
            d.in[axis], d.pad_end[axis]));
    validate_pad_source(d, axis);
}

bool fits(double value, DType type) {
    return type == DType::F64 ? std::isfinite(value) : std::fabs(value) <= std::numeric_limits<float>::max();
}

void validate_types(const ConvDesc &d) {
    const struct {
        const char *field;
        DType type;
    } rows[] = {
        {"input", d.in_type}, {"weight", d.weight_type}, {"accumulator", d.acc_type}, {"output", d.out_type}};
    for (const auto &row : rows) {
        if (row.type != DType::F32 && row.type != DType::F64)
            throw Error(ErrorCode::Unsupported,
                        fmt::format("{} type: got {}, there are kernels for f32 and f64", row.field,
                                    dtype_name(row.type)));
    }
    for (const auto &row : rows) {
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
           in_type == o.in_type && weight_type == o.weight_type && acc_type == o.acc_type &&
           out_type == o.out_type && in_layout == o.in_layout && out_layout == o.out_layout &&
           epilogue == o.epilogue;
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
    for (int axis = 0; axis < rank; axis++)
        validate_axis(*this, axis);
    validate_types(*this);
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
    static const std::array<std::string, 5> names = {"zeros", "constant", "reflect", "replicate", "circular"};
    return names.at(static_cast<size_t>(mode));
}

} // namespace convsmith
