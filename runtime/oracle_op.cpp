// One op of the oracle (see oracle_op.h): its definition as loops, in a wider type than the kernel's.
//
// Bound of a value. Let T be the number of terms: the K products plus one for each bias or residual stage
// that directly follows the sum. However a kernel orders the sum, and with or without FMA, each term passes
// through at most T roundings of relative size u, the accumulator's unit roundoff (one of the product, T - 1
// additions; the first addition to zero is exact). Higham, "Accuracy and Stability of Numerical Algorithms",
// section 3.1:
//   |computed - exact| <= gamma_T * sum|term|,  gamma_T = T u / (1 - T u)
// which is c * u * K * sum|a||b| with c close to 1. The oracle's own sum has the same form with its own
// roundoff and is added. Underflow costs at most the smallest normal number per rounding. Later stages carry
// the bound on by their Lipschitz constants (epilogue_error_bound).
#include "runtime/oracle_op.h"

#include "generators/conv_shape.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace convsmith {

Strides strides_of(Layout layout, int rank, int channels, const Spatial &extents) {
    Strides s;
    int64_t step = 1;
    if (layout == Layout::ChannelsLast) {
        s.c = 1;
        step = channels;
    }
    for (int a = rank - 1; a >= 0; --a) {
        s.axis[a] = step;
        step *= extents[a];
    }
    if (layout == Layout::ChannelsFirst) {
        s.c = step;
        step *= channels;
    }
    s.n = step;
    return s;
}

double rounded_to(DType type, double value) {
    return type == DType::F32 ? static_cast<double>(static_cast<float>(value)) : value;
}

double smallest_normal(DType type) {
    return type == DType::F32 ? FLT_MIN : type == DType::F64 ? DBL_MIN : 0;
}

namespace {

/// Element that padded coordinate `x` reads, or -1 if it lies in a border of constants.
int64_t source_index(PadMode mode, int64_t x, int64_t extent) {
    if (x >= 0 && x < extent) {
        return x;
    }
    switch (mode) {
    case PadMode::Zeros:
    case PadMode::Constant:
    case PadMode::Ignore:
        return -1;
    case PadMode::Replicate:
        return x < 0 ? 0 : extent - 1;
    case PadMode::Circular:
        while (x < 0) {
            x += extent;
        }
        return x % extent;
    case PadMode::Symmetric:
        while (x < 0 || x >= extent) {
            x = x < 0 ? -1 - x : 2 * extent - 1 - x;
        }
        return x;
    case PadMode::Reflect:
        if (extent == 1) {
            return 0;
        }
        while (x < 0 || x >= extent) {
            x = x < 0 ? -x : 2 * (extent - 1) - x;
        }
        return x;
    }
    throw Error(ErrorCode::Internal, "oracle: unknown padding mode");
}

/// T * u / (1 - T * u): the growth of T roundings.
double gamma(double terms, double roundoff) {
    const double growth = terms * roundoff;
    return growth < 1 ? growth / (1 - growth) : std::numeric_limits<double>::infinity();
}

} // namespace

void add_output_rounding(const ConvDesc &desc, OracleValue &value) {
    if (desc.out_type != desc.acc_type && !is_integer(desc.out_type)) {
        value.bound += unit_roundoff(desc.out_type) * (std::fabs(value.value) + value.bound) +
                       smallest_normal(desc.out_type);
    }
}

Evaluator::Evaluator(const ConvDesc &desc, const OracleTensors &tensors, int number, Source source)
    : desc_(desc), tensors_(tensors), number_(number), source_(std::move(source)) {
    taps_ = spatial_product(desc.kernel, desc.rank);
    window_out_ = out_extents(desc);
    stored_ = stored_extents(desc);
    in_strides_ = strides_of(desc.in_layout, desc.rank, desc.ci, desc.in);
    out_strides_ = strides_of(desc.out_layout, desc.rank, stored_channels(desc), stored_);
    pad_value_ = desc.pad_mode == PadMode::Constant ? rounded_to(desc.in_type, desc.pad_value) : 0;
    if (desc.op == Op::Deform) {
        const TensorView &input = tensors.get("input");
        if (source_) {
            throw Error(ErrorCode::Unsupported, "oracle: deform after another op");
        }
        for (int64_t i = 0; i < input.elements(); ++i) {
            largest_input_ = std::fmax(largest_input_, std::fabs(element(input, i)));
        }
    }
}

/// The definitions of Rearrange, forwards: where channel `c`, position `x` of the op is stored.
Target Evaluator::target_of(int64_t i) const {
    Target target;
    target.flat = i;
    target.n = i / out_strides_.n;
    target.channel = static_cast<int>(i / out_strides_.c % stored_channels(desc_));
    for (int a = 0; a < desc_.rank; ++a) {
        target.at[a] = i / out_strides_.axis[a] % stored_[a];
    }
    const int b = desc_.rearrange_factor;
    int offset = 0;
    switch (desc_.rearrange) {
    case Rearrange::None:
        break;
    case Rearrange::Shuffle: // stored channel s holds row s % b, column s / b of a b x (co / b) matrix
        target.channel = target.channel % b * (desc_.co / b) + target.channel / b;
        break;
    case Rearrange::DepthToSpace:
    case Rearrange::PixelShuffle: {
        int block = 1;
        for (int a = 0; a < desc_.rank; ++a) {
            offset = offset * b + static_cast<int>(target.at[a] % b);
            block *= b;
            target.at[a] /= b;
        }
        target.channel = desc_.rearrange == Rearrange::DepthToSpace
                             ? offset * (desc_.co / block) + target.channel
                             : target.channel * block + offset;
        break;
    }
    case Rearrange::SpaceToDepth:
        offset = target.channel / desc_.co;
        target.channel %= desc_.co;
        for (int a = desc_.rank - 1; a >= 0; --a) {
            target.at[a] = target.at[a] * b + offset % b;
            offset /= b;
        }
        break;
    }
    return target;
}

Evaluator::Tap Evaluator::tap_of(const Position &at, int64_t tap) const {
    Tap result;
    for (int a = desc_.rank - 1; a >= 0; --a) {
        const int64_t k = tap % desc_.kernel[a];
        tap /= desc_.kernel[a];
        const int64_t x = at[a] * desc_.stride[a] + k * desc_.dilation[a] - desc_.pad_begin[a];
        if (desc_.ceil_mode && x >= int64_t{desc_.in[a]} + desc_.pad_end[a]) {
            return {{}, false, false};
        }
        result.source[a] = source_index(desc_.pad_mode, x, desc_.in[a]);
        result.inside = result.inside && result.source[a] >= 0;
    }
    result.takes_part = result.inside || desc_.pad_mode != PadMode::Ignore;
    return result;
}

OracleValue Evaluator::input_at(int64_t n, int channel, const Position &at) const {
    if (source_) {
        return source_(n, channel, at);
    }
    int64_t offset = n * in_strides_.n + channel * in_strides_.c;
    for (int a = 0; a < desc_.rank; ++a) {
        offset += at[a] * in_strides_.axis[a];
    }
    return {element(tensors_.get("input"), offset), 0};
}

OracleValue Evaluator::value_of(const Tap &tap, int64_t n, int channel) const {
    return tap.inside ? input_at(n, channel, tap.source) : OracleValue{pad_value_, 0};
}

template<typename Sum>
Total<Sum> Evaluator::convolve(const Target &target) const {
    const TensorView &filter = tensor("filter");
    const int group_ci = desc_.ci / desc_.groups;
    const int first_ci = target.channel / (desc_.co / desc_.groups) * group_ci;
    Total<Sum> total;
    total.terms = taps_ * group_ci;
    for (int64_t tap = 0; tap < taps_; ++tap) {
        const Tap source = tap_of(target.at, tap);
        if (!source.inside && pad_value_ == 0) {
            continue;
        }
        for (int ci = 0; ci < group_ci; ++ci) {
            const OracleValue x = value_of(source, target.n, first_ci + ci);
            const double w = element(filter, (int64_t{target.channel} * group_ci + ci) * taps_ + tap);
            total.add(static_cast<Sum>(x.value) * w, std::fabs(w) * x.bound);
        }
    }
    return total;
}

/// The scatter definition read backwards: input cell i reaches outputs i * s + k * d - p.
template<typename Sum>
Total<Sum> Evaluator::convolve_transposed(const Target &target) const {
    const TensorView &filter = tensor("filter");
    const int group_ci = desc_.ci / desc_.groups, group_co = desc_.co / desc_.groups;
    const int group = target.channel / group_co;
    Total<Sum> total;
    total.terms = taps_ * group_ci;
    for (int64_t tap = 0; tap < taps_; ++tap) {
        Position cell = {};
        bool reaches = true;
        int64_t rest = tap;
        for (int a = desc_.rank - 1; a >= 0; --a) {
            const int64_t from =
                target.at[a] + desc_.pad_begin[a] - rest % desc_.kernel[a] * desc_.dilation[a];
            rest /= desc_.kernel[a];
            cell[a] = from / desc_.stride[a];
            reaches = reaches && from >= 0 && from % desc_.stride[a] == 0 && cell[a] < desc_.in[a];
        }
        for (int ci = group * group_ci; reaches && ci < (group + 1) * group_ci; ++ci) {
            const double w =
                element(filter, (int64_t{ci} * group_co + target.channel % group_co) * taps_ + tap);
            const OracleValue x = input_at(target.n, ci, cell);
            total.add(static_cast<Sum>(x.value) * w, std::fabs(w) * x.bound);
        }
    }
    return total;
}

/// Adds weight * mask * (the input between cells). Moving a coordinate by e changes a bilinear value by at
/// most 2 e max|input| per axis, also across cells and at the border, where it falls to zero continuously.
template<typename Sum>
void Evaluator::add_bilinear(Total<Sum> &total, const Target &target, int64_t tap, int ci,
                             double weight) const {
    const int group = ci / (desc_.ci / desc_.offset_groups);
    const bool last = desc_.in_layout == Layout::ChannelsLast;
    const int64_t positions = spatial_product(window_out_, desc_.rank);
    int64_t position = 0;
    for (int a = 0; a < desc_.rank; ++a) {
        position = position * window_out_[a] + target.at[a];
    }
    const auto moved_by = [&](const char *name, int64_t channel, int64_t channels) {
        const int64_t at = last ? (target.n * positions + position) * channels + channel
                                : (target.n * channels + channel) * positions + position;
        return element(tensor(name), at);
    };
    const int64_t all_taps = taps_ * desc_.offset_groups;
    Sum sample = 0, coordinate_error = 0;
    std::array<double, kMaxSpatialRank> place = {};
    int64_t rest = tap;
    for (int a = desc_.rank - 1; a >= 0; --a) {
        const double grid = static_cast<double>(
            target.at[a] * desc_.stride[a] + rest % desc_.kernel[a] * desc_.dilation[a] - desc_.pad_begin[a]);
        rest /= desc_.kernel[a];
        place[a] = grid + moved_by("offset", (group * taps_ + tap) * desc_.rank + a, all_taps * desc_.rank);
        if (!(place[a] > -1 && place[a] < desc_.in[a])) { // also NaN
            // Rounding may bring a place at the border inside, where the value is almost zero.
            const double u = unit_roundoff(desc_.in_type) * 2 * (desc_.in[a] + 1);
            const bool near = place[a] > -1 - u && place[a] < desc_.in[a] + u;
            total.add(0, near ? 2 * u * largest_input_ * std::fabs(weight) : 0);
            return;
        }
        coordinate_error += unit_roundoff(desc_.in_type) * (std::fabs(place[a]) + std::fabs(grid) + 2);
    }
    for (int corner = 0; corner < 1 << desc_.rank; ++corner) {
        Position cell = {};
        Sum share = 1;
        bool exists = true;
        for (int a = 0; a < desc_.rank; ++a) {
            const auto low = static_cast<int64_t>(std::floor(place[a]));
            const Sum fraction = static_cast<Sum>(place[a]) - low;
            const bool upper = (corner >> a & 1) != 0;
            cell[a] = upper ? low + 1 : low;
            share *= upper ? fraction : 1 - fraction;
            exists = exists && cell[a] >= 0 && cell[a] < desc_.in[a];
        }
        if (exists) {
            sample += share * input_at(target.n, ci, cell).value;
        }
    }
    const double mask = desc_.masked ? moved_by("mask", group * taps_ + tap, all_taps) : 1;
    const Sum scale = std::fabs(static_cast<Sum>(weight) * mask);
    const Sum sample_error =
        largest_input_ * (2 * coordinate_error + 16 * desc_.rank * unit_roundoff(desc_.in_type));
    total.add(static_cast<Sum>(weight) * mask * sample, scale * sample_error);
}

template<typename Sum>
Total<Sum> Evaluator::convolve_deformed(const Target &target) const {
    const int group_ci = desc_.ci / desc_.groups;
    const int first_ci = target.channel / (desc_.co / desc_.groups) * group_ci;
    Total<Sum> total;
    total.terms = taps_ * group_ci;
    for (int64_t tap = 0; tap < taps_; ++tap) {
        for (int ci = 0; ci < group_ci; ++ci) {
            const int64_t at = (int64_t{target.channel} * group_ci + ci) * taps_ + tap;
            add_bilinear(total, target, tap, first_ci + ci, element(tensor("filter"), at));
        }
    }
    return total;
}

template<typename Sum>
Total<Sum> Evaluator::reduce(const Target &target) const {
    switch (desc_.op) {
    case Op::Conv:
        return convolve<Sum>(target);
    case Op::Deconv:
        return convolve_transposed<Sum>(target);
    case Op::Deform:
        return convolve_deformed<Sum>(target);
    case Op::Identity: {
        Total<Sum> total;
        const OracleValue x = value_of(tap_of(target.at, 0), target.n, target.channel);
        total.add(x.value, x.bound);
        return total;
    }
    default:
        break;
    }
    throw Error(ErrorCode::Internal, "oracle: not a sum");
}

/// Mean, maximum or norm of the taps that take part.
OracleValue Evaluator::pool(const Target &target) const {
    long double sum = 0, magnitude = 0;
    long double error_sum = 0; // of the inputs, as they enter mean and norm
    double largest = -std::numeric_limits<double>::infinity();
    double largest_error = 0;
    int64_t count = 0;
    for (int64_t tap = 0; tap < taps_; ++tap) {
        const Tap source = tap_of(target.at, tap);
        if (!source.takes_part) {
            continue;
        }
        const OracleValue input = value_of(source, target.n, target.channel);
        const double x = input.value;
        ++count;
        largest_error = std::fmax(largest_error, input.bound);
        error_sum += desc_.op == Op::LpPool ? std::pow(static_cast<long double>(input.bound), desc_.norm)
                                            : input.bound;
        largest = std::fmax(largest, x);
        const long double term = desc_.op == Op::LpPool
                                     ? std::pow(std::fabs(static_cast<long double>(x)), desc_.norm)
                                     : static_cast<long double>(x);
        sum += term;
        magnitude += std::fabs(term);
    }
    const double u = unit_roundoff(desc_.acc_type);
    const double tiny = smallest_normal(desc_.acc_type);
    if (desc_.op == Op::MaxPool) {
        if (count == 0 && is_integer(desc_.in_type)) {
            const double bits = static_cast<double>(8 * dtype_bytes(desc_.in_type));
            largest = is_unsigned(desc_.in_type) ? 0 : -std::exp2(bits - 1);
        }
        return {largest, largest_error};
    }
    if (desc_.op == Op::AvgPool) {
        const long double mean = count == 0 ? 0 : sum / count;
        if (is_integer(desc_.in_type)) {
            return {static_cast<double>(std::round(mean)), 0}; // half away from zero
        }
        const auto value = static_cast<double>(mean);
        const double spread = count == 0 ? 0 : static_cast<double>(magnitude / count);
        return {value, gamma(static_cast<double>(taps_) + 4, u) * spread + DBL_EPSILON * std::fabs(value) +
                           tiny +
                           static_cast<double>(error_sum) / static_cast<double>(std::max<int64_t>(count, 1)) *
                               (1 + u)};
    }
    // All terms have one sign, so the sum's relative error is small; the root shrinks it and adds that of
    // pow.
    const auto value = static_cast<double>(std::pow(sum, 1.0L / desc_.norm));
    const double relative = gamma(static_cast<double>(taps_) + 2 * desc_.norm + 16, u);
    const auto carried = static_cast<double>(std::pow(error_sum, 1.0L / desc_.norm)); // Minkowski
    return {value, relative * (value + carried) + carried + std::pow(tiny, 1.0 / desc_.norm)};
}

int64_t Evaluator::index_at(int64_t i) const {
    const Target target = target_of(i);
    double largest = 0;
    int64_t best = -1;
    for (int64_t tap = 0; tap < taps_; ++tap) {
        const Tap source = tap_of(target.at, tap);
        if (!source.inside) {
            continue;
        }
        const double x = input_at(target.n, target.channel, source.source).value;
        if (best >= 0 && !(x > largest)) {
            continue;
        }
        largest = x;
        best = target.n * desc_.ci + target.channel;
        int64_t within = 0;
        for (int step = 0; step < desc_.rank; ++step) {
            const int a = desc_.indices == Indices::ColumnMajor ? desc_.rank - 1 - step : step;
            best *= desc_.in[a];
            within = within * desc_.in[a] + source.source[a];
        }
        best += within;
    }
    return best;
}

double Evaluator::scale_at(int64_t i) const {
    const Total<double> total = convolve<double>(target_of(i));
    return std::fmax(std::fabs(total.value), std::sqrt(total.squares));
}

double Evaluator::operand_at(Operand operand, const Target &target) const {
    if (operand == Operand::None) {
        return 0;
    }
    const OperandInfo &info = operand_info(operand);
    const int64_t at = info.shape == OperandShape::PerChannel        ? target.channel
                       : info.shape == OperandShape::PerImageChannel ? target.n * desc_.co + target.channel
                                                                     : target.flat;
    return element(tensor(info.name), at);
}

template<typename Sum>
OracleValue Evaluator::at_with(int64_t i, double oracle_roundoff) const {
    const Target target = target_of(i);
    const double u = unit_roundoff(desc_.acc_type);
    OracleValue result = {0, 0};
    size_t next = 0;
    if (op_info(desc_.op).is_pool) {
        result = pool(target);
    } else {
        Total<Sum> total = reduce<Sum>(target);
        for (; sum_error_ == 0 && next < desc_.epilogue.size(); ++next) {
            const std::string &name = desc_.epilogue[next].name;
            if (name != "bias" && name != "residual") {
                break;
            }
            total.add(operand_at(epilogue_info(name).operand, target));
            ++total.terms;
        }
        const auto terms = static_cast<double>(total.terms);
        result.value = static_cast<double>(total.value);
        result.bound =
            (gamma(terms, u) + gamma(terms, oracle_roundoff)) * static_cast<double>(total.magnitude) +
            DBL_EPSILON / 2 * std::fabs(result.value) + terms * smallest_normal(desc_.acc_type) +
            static_cast<double>(total.term_errors) * (1 + gamma(terms, u));
        if (sum_error_ > 0) {
            result.bound = sum_error_ + gamma(terms, oracle_roundoff) * static_cast<double>(total.magnitude);
        }
        if (desc_.op == Op::Identity && total.terms == 0 && !source_) {
            result.bound = 0; // a copy
        }
    }

    // The reference of a stage is computed in double, so its roundings count beside those of the kernel.
    const double stage_roundoff = u + (is_integer(desc_.acc_type) ? 0 : DBL_EPSILON / 2);
    for (; next < desc_.epilogue.size(); ++next) {
        const EpilogueStage &stage = desc_.epilogue[next];
        const double t = operand_at(epilogue_info(stage.name).operand, target);
        result.bound = epilogue_error_bound(stage, result.value, t, result.bound, stage_roundoff);
        result.value = epilogue_reference(stage, result.value, t);
    }
    add_output_rounding(desc_, result);
    return result;
}

OracleValue Evaluator::at(int64_t i) const {
    // Wider than the accumulator: products of f32 are exact in double.
    return desc_.acc_type == DType::F64 ? at_with<long double>(i, LDBL_EPSILON / 2)
                                        : at_with<double>(i, DBL_EPSILON / 2);
}

} // namespace convsmith
