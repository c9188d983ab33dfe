// The oracle (see oracle.h): the definition of convolution as loops, in a wider type than the kernel's.
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
#include "runtime/oracle.h"

#include "generators/conv_shape.h"
#include "generators/signature.h"
#include "runtime/oracle_samples.h"
#include "runtime/random.h"

#include <fmt/format.h>

#include <cfloat>
#include <cmath>
#include <limits>

namespace convsmith {

namespace {

/// Element strides of an activation tensor: batch, channel, spatial axes.
struct Strides {
    int64_t n = 0;
    int64_t c = 0;
    std::array<int64_t, kMaxSpatialRank> axis = {};
};

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

/// Element that padded coordinate `x` reads, or -1 if it lies in a border of constants.
int64_t source_index(PadMode mode, int64_t x, int64_t extent) {
    if (x >= 0 && x < extent) {
        return x;
    }
    switch (mode) {
    case PadMode::Zeros:
    case PadMode::Constant:
        return -1;
    case PadMode::Replicate:
        return x < 0 ? 0 : extent - 1;
    case PadMode::Circular:
        while (x < 0) {
            x += extent;
        }
        return x % extent;
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

double rounded_to(DType type, double value) {
    return type == DType::F32 ? static_cast<double>(static_cast<float>(value)) : value;
}

double smallest_normal(DType type) {
    return type == DType::F32 ? FLT_MIN : DBL_MIN;
}

/// T * u / (1 - T * u): the growth of T roundings.
double gamma(double terms, double roundoff) {
    const double growth = terms * roundoff;
    return growth < 1 ? growth / (1 - growth) : std::numeric_limits<double>::infinity();
}

void expect_shape(const TensorView &tensor, const char *name, const std::vector<int64_t> &want) {
    if (tensor.data == nullptr || tensor.shape_vector() != want) {
        throw Error(ErrorCode::BadArgument,
                    fmt::format("oracle: {} is {}, want {}", name,
                                tensor.data == nullptr ? "absent" : describe(tensor), shape_text(want)));
    }
    if (tensor.dtype != DType::F32 && tensor.dtype != DType::F64) {
        throw Error(ErrorCode::Unsupported,
                    fmt::format("oracle: {} is {}, want f32 or f64", name, dtype_name(tensor.dtype)));
    }
}

/// Everything about a problem that does not depend on the output element.
class Evaluator {
public:
    Evaluator(const ConvDesc &desc, const OracleTensors &tensors) : desc_(desc), tensors_(tensors) {
        expect_shape(tensors.input, "input", input_shape(desc));
        expect_shape(tensors.filter, "filter", filter_shape(desc));
        if (desc.has_operand(Operand::Bias)) {
            expect_shape(tensors.bias, "bias", {desc.co});
        }
        if (desc.has_operand(Operand::Residual)) {
            expect_shape(tensors.residual, "residual", output_shape(desc));
        }
        out_ = out_extents(desc);
        in_strides_ = strides_of(desc.in_layout, desc.rank, desc.ci, desc.in);
        out_strides_ = strides_of(desc.out_layout, desc.rank, desc.co, out_);
        pad_value_ = desc.pad_mode == PadMode::Constant ? rounded_to(desc.in_type, desc.pad_value) : 0;
    }

    OracleValue at(int64_t i) const {
        // Wider than the accumulator: products of f32 are exact in double.
        return desc_.acc_type == DType::F64 ? at_with<long double>(i, LDBL_EPSILON / 2)
                                            : at_with<double>(i, DBL_EPSILON / 2);
    }

private:
    /// A sum and the sum of its terms' absolute values.
    template<typename Sum>
    struct Total {
        Sum value = 0;
        Sum magnitude = 0;
        int64_t terms = 0;

        void add(Sum term) {
            value += term;
            magnitude += std::fabs(term);
        }
    };

    template<typename Sum>
    OracleValue at_with(int64_t i, double oracle_roundoff) const;

    template<typename Sum>
    Total<Sum> convolve(int64_t n, int co, const std::array<int64_t, kMaxSpatialRank> &at) const;

    double operand_at(Operand operand, int co, int64_t i) const;

    const ConvDesc &desc_;
    const OracleTensors &tensors_;
    Spatial out_ = {1, 1, 1};
    Strides in_strides_;
    Strides out_strides_;
    double pad_value_ = 0;
};

template<typename Sum>
Evaluator::Total<Sum> Evaluator::convolve(int64_t n, int co,
                                          const std::array<int64_t, kMaxSpatialRank> &at) const {
    const int group_ci = desc_.ci / desc_.groups;
    const int first_ci = co / (desc_.co / desc_.groups) * group_ci;
    const int64_t taps = spatial_product(desc_.kernel, desc_.rank);
    Total<Sum> total;
    total.terms = taps * group_ci;
    for (int64_t tap = 0; tap < taps; ++tap) {
        int64_t rest = tap;
        int64_t offset = n * in_strides_.n + first_ci * in_strides_.c;
        bool inside = true;
        for (int a = desc_.rank - 1; a >= 0; --a) {
            const int64_t k = rest % desc_.kernel[a];
            rest /= desc_.kernel[a];
            const int64_t padded = at[a] * desc_.stride[a] + k * desc_.dilation[a] - desc_.pad_begin[a];
            const int64_t source = source_index(desc_.pad_mode, padded, desc_.in[a]);
            inside = inside && source >= 0;
            offset += source * in_strides_.axis[a];
        }
        if (!inside && pad_value_ == 0) {
            continue;
        }
        for (int ci = 0; ci < group_ci; ++ci) {
            const double x = inside ? element(tensors_.input, offset + ci * in_strides_.c) : pad_value_;
            const double w = element(tensors_.filter, (int64_t{co} * group_ci + ci) * taps + tap);
            total.add(static_cast<Sum>(x) * w);
        }
    }
    return total;
}

double Evaluator::operand_at(Operand operand, int co, int64_t i) const {
    switch (operand) {
    case Operand::None:
        return 0;
    case Operand::Bias:
        return element(tensors_.bias, co);
    case Operand::Residual:
        return element(tensors_.residual, i);
    }
    throw Error(ErrorCode::Internal, "oracle: unknown operand");
}

template<typename Sum>
OracleValue Evaluator::at_with(int64_t i, double oracle_roundoff) const {
    const int64_t n = i / out_strides_.n;
    const int co = static_cast<int>(i / out_strides_.c % desc_.co);
    std::array<int64_t, kMaxSpatialRank> at = {};
    for (int a = 0; a < desc_.rank; ++a) {
        at[a] = i / out_strides_.axis[a] % out_[a];
    }
    Total<Sum> total = convolve<Sum>(n, co, at);

    size_t next = 0;
    for (; next < desc_.epilogue.size(); ++next) {
        const Operand operand = epilogue_info(desc_.epilogue[next].name).operand;
        if (operand == Operand::None) {
            break;
        }
        total.add(operand_at(operand, co, i));
        ++total.terms;
    }
    const double u = unit_roundoff(desc_.acc_type);
    const auto terms = static_cast<double>(total.terms);
    auto value = static_cast<double>(total.value);
    double bound = (gamma(terms, u) + gamma(terms, oracle_roundoff)) * static_cast<double>(total.magnitude) +
                   DBL_EPSILON / 2 * std::fabs(value) + terms * smallest_normal(desc_.acc_type);

    // The reference of a stage is computed in double, so its roundings count beside those of the kernel.
    const double stage_roundoff = u + DBL_EPSILON / 2;
    for (; next < desc_.epilogue.size(); ++next) {
        const EpilogueStage &stage = desc_.epilogue[next];
        const double t = operand_at(epilogue_info(stage.name).operand, co, i);
        bound = epilogue_error_bound(stage, value, t, bound, stage_roundoff);
        value = epilogue_reference(stage, value, t);
    }
    if (desc_.out_type != desc_.acc_type) {
        bound += unit_roundoff(desc_.out_type) * (std::fabs(value) + bound) + smallest_normal(desc_.out_type);
    }
    return {value, bound};
}

std::string index_text(const std::vector<int64_t> &shape, int64_t i) {
    std::string text;
    for (size_t d = shape.size(); d-- > 0;) {
        text.insert(0, fmt::format("[{}]", i % shape[d]));
        i /= shape[d];
    }
    return text;
}

} // namespace

OracleValue oracle_at(const ConvDesc &desc, const OracleTensors &tensors, int64_t i) {
    return Evaluator(desc, tensors).at(i);
}

Judgement judge(const ConvDesc &desc, const OracleTensors &tensors, const TensorView &output,
                const JudgeOptions &options) {
    const std::vector<int64_t> shape = output_shape(desc);
    expect_shape(output, "output", shape);
    const Evaluator oracle(desc, tensors);
    Judgement judgement;
    const auto check = [&](int64_t i) {
        const OracleValue exact = oracle.at(i);
        const double want = options.exact ? rounded_to(desc.out_type, exact.value) : exact.value;
        const double bound = options.exact ? 0 : exact.bound;
        const double got = element(output, i);
        const double error = std::fabs(got - want);
        ++judgement.checked;
        judgement.max_error = std::fmax(judgement.max_error, error);
        if (error > 0) {
            judgement.max_bound_ratio = std::fmax(judgement.max_bound_ratio, error / bound);
        }
        if (error <= bound) { // false for NaN
            return;
        }
        if (judgement.wrong++ == 0) {
            judgement.first_wrong =
                fmt::format("output{}: got {:.9g}{}, want {:.9g} +- {:.2g}", index_text(shape, i), got,
                            std::isnan(got) ? " (never written?)" : "", want, bound);
        }
    };
    const int64_t total = output.elements();
    if (options.max_points == 0 || options.max_points >= total) {
        for (int64_t i = 0; i < total; ++i) {
            check(i);
        }
    } else {
        for (const int64_t i : sample_points(shape, options.max_points, options.seed)) {
            check(i);
        }
    }
    return judgement;
}

void fill(const Tensor &tensor, Fill kind, uint64_t seed) {
    Random random(seed);
    const auto draw = [&] {
        return kind == Fill::SmallIntegers ? static_cast<double>(random.between(-2, 2)) : random.uniform();
    };
    const int64_t count = tensor.elements();
    if (tensor.dtype() == DType::F32) {
        for (int64_t i = 0; i < count; ++i) {
            tensor.as<float>()[i] = static_cast<float>(draw());
        }
    } else if (tensor.dtype() == DType::F64) {
        for (int64_t i = 0; i < count; ++i) {
            tensor.as<double>()[i] = draw();
        }
    } else {
        throw Error(ErrorCode::Unsupported,
                    fmt::format("fill: dtype {}, want f32 or f64", dtype_name(tensor.dtype())));
    }
}

OracleTensors Problem::view() const {
    return {input.view(), filter.view(), bias.view(), residual.view()};
}

Problem make_problem(const ConvDesc &closed, Fill kind, uint64_t seed) {
    closed.validate();
    if (closed.is_open()) {
        throw Error(ErrorCode::BadArgument,
                    "make_problem: open extents, want every size given: " + closed.key());
    }
    Problem problem;
    problem.desc = closed;
    problem.input = Tensor(closed.in_type, input_shape(closed));
    problem.filter = Tensor(closed.weight_type, filter_shape(closed));
    for (const TensorSpec &spec : tensor_specs(closed, Packing())) {
        if (spec.role == TensorRole::Bias) {
            problem.bias = Tensor(spec.dtype, spec.shape);
        } else if (spec.role == TensorRole::Residual) {
            problem.residual = Tensor(spec.dtype, spec.shape);
        }
    }
    Random seeds(seed);
    for (const Tensor *tensor : {&problem.input, &problem.filter, &problem.bias, &problem.residual}) {
        const uint64_t tensor_seed = seeds.next();
        if (tensor->data() != nullptr) {
            fill(*tensor, kind, tensor_seed);
        }
    }
    return problem;
}

} // namespace convsmith
