// The oracle (see oracle.h): ops joined as the descriptor says, and the comparison of a kernel's output with
// them. What one op computes, and its error bound, is in oracle_op.cpp.
#include "runtime/oracle.h"

#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "generators/signature.h"
#include "runtime/oracle_op.h"
#include "runtime/oracle_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <unordered_map>
#include <utility>

namespace convsmith {

namespace {

void expect_shape(const TensorView &tensor, const std::string &name, const std::vector<int64_t> &want) {
    if (tensor.data == nullptr || tensor.shape_vector() != want) {
        throw Error(ErrorCode::BadArgument,
                    fmt::format("oracle: {} is {}, want {}", name,
                                tensor.data == nullptr ? "absent" : describe(tensor), shape_text(want)));
    }
}

/// A descriptor with all its ops: each op's values are computed on demand and kept.
class WholeEvaluator {
public:
    WholeEvaluator(const ConvDesc &desc, const OracleTensors &tensors);

    /// Takes JudgeOptions::relative_error for the error of a single op's sum.
    void allow_relative_error(double relative_error, uint64_t seed);

    OracleValue at(int64_t i) const { return last_(i); }
    int64_t index_at(int64_t i) const { return first_->index_at(i); }

private:
    using FlatValue = std::function<OracleValue(int64_t i)>; ///< at a flat index of stored_shape

    /// The last value of `first` and what follows it; `source` null: the call's input.
    FlatValue add_chain(const ConvDesc &first, const std::vector<ConvDesc> &then,
                        const Evaluator::Source &source);
    FlatValue add_op(const ConvDesc &op, const Evaluator::Source &source);
    FlatValue concat(const ConvDesc &desc);
    FlatValue excite(const ConvDesc &desc);

    const ConvDesc &desc_;
    const OracleTensors &tensors_;
    int ops_ = 0;
    std::shared_ptr<Evaluator> first_;
    FlatValue last_;
};

/// Values by position of an op whose values are known by flat index.
Evaluator::Source by_position(const ConvDesc &op, std::function<OracleValue(int64_t)> flat) {
    const Strides strides = strides_of(op.out_layout, op.rank, stored_channels(op), stored_extents(op));
    return [strides, rank = op.rank, flat = std::move(flat)](int64_t n, int channel, const Position &at) {
        int64_t i = n * strides.n + channel * strides.c;
        for (int a = 0; a < rank; ++a) {
            i += at[a] * strides.axis[a];
        }
        return flat(i);
    };
}

WholeEvaluator::WholeEvaluator(const ConvDesc &desc, const OracleTensors &tensors)
    : desc_(desc), tensors_(tensors) {
    for (const TensorSpec &spec : tensor_specs(desc, Packing())) {
        if (spec.role == TensorRole::Filter)
            expect_shape(tensors.get(spec.name), spec.name, filter_shape(op_of(desc, spec)));
        else if (spec.role != TensorRole::Output && spec.role != TensorRole::Indices)
            expect_shape(tensors.get(spec.name), spec.name, spec.shape);
    }
    last_ = desc.op == Op::Concat   ? concat(desc)
            : desc.op == Op::Excite ? excite(desc)
                                    : add_chain(desc, desc.then, nullptr);
}

void WholeEvaluator::allow_relative_error(double relative_error, uint64_t seed) {
    constexpr int64_t kSample = 500;
    CONVSMITH_CHECK(ops_ == 1);
    double largest = 0;
    for (const int64_t i : sample_points(written_shape(desc_), kSample, seed)) {
        largest = std::fmax(largest, first_->scale_at(i));
    }
    first_->set_sum_error(std::fmax(relative_error * largest, smallest_normal(desc_.acc_type)));
}

WholeEvaluator::FlatValue WholeEvaluator::add_op(const ConvDesc &op, const Evaluator::Source &source) {
    const auto evaluator = std::make_shared<Evaluator>(op, tensors_, ops_++, source);
    if (first_ == nullptr) {
        first_ = evaluator;
    }
    return [evaluator](int64_t i) { return evaluator->at(i); };
}

/// Each value is read by many later ones.
std::function<OracleValue(int64_t)> remembered(std::function<OracleValue(int64_t)> value) {
    const auto known = std::make_shared<std::unordered_map<int64_t, OracleValue>>();
    return [known, value = std::move(value)](int64_t i) {
        const auto found = known->find(i);
        return found != known->end() ? found->second : known->emplace(i, value(i)).first->second;
    };
}

WholeEvaluator::FlatValue WholeEvaluator::add_chain(const ConvDesc &first, const std::vector<ConvDesc> &then,
                                                    const Evaluator::Source &source) {
    FlatValue value = add_op(first, source);
    const ConvDesc *previous = &first;
    for (const ConvDesc &next : then) {
        value = add_op(next, by_position(*previous, remembered(value)));
        previous = &next;
    }
    return value;
}

/// Channel and the rest of a flat index of `op`'s result.
struct ChannelSplit {
    int channel;
    int64_t n;
    Position at;
};

ChannelSplit split_index(const ConvDesc &op, int64_t i) {
    const Spatial extents = stored_extents(op);
    const Strides strides = strides_of(op.out_layout, op.rank, stored_channels(op), extents);
    ChannelSplit split = {static_cast<int>(i / strides.c % stored_channels(op)), i / strides.n, {}};
    for (int a = 0; a < op.rank; ++a) {
        split.at[a] = i / strides.axis[a] % extents[a];
    }
    return split;
}

WholeEvaluator::FlatValue WholeEvaluator::concat(const ConvDesc &desc) {
    std::vector<std::pair<int, Evaluator::Source>> branches; // first channel behind it
    int end = 0;
    for (const ConvDesc &branch : desc.branches) {
        end += stored_channels(last_op(branch));
        branches.emplace_back(end, by_position(last_op(branch), add_chain(branch, branch.then, nullptr)));
    }
    return [branches, &desc](int64_t i) {
        ChannelSplit split = split_index(desc, i);
        int begin = 0;
        for (const auto &[branch_end, value] : branches) {
            if (split.channel < branch_end) {
                return value(split.n, split.channel - begin, split.at);
            }
            begin = branch_end;
        }
        throw Error(ErrorCode::Internal, "oracle: channel beyond the last branch");
    };
}

WholeEvaluator::FlatValue WholeEvaluator::excite(const ConvDesc &desc) {
    const ConvDesc &branch = desc.branches.at(0);
    const Evaluator::Source scale =
        by_position(last_op(branch), remembered(add_chain(branch, branch.then, nullptr)));
    const Strides strides = strides_of(desc.in_layout, desc.rank, desc.ci, desc.in);
    const TensorView &input = tensors_.get("input");
    const auto excited = [scale, strides, &desc, &input](int64_t n, int channel, const Position &at) {
        int64_t offset = n * strides.n + channel * strides.c;
        for (int a = 0; a < desc.rank; ++a) {
            offset += at[a] * strides.axis[a];
        }
        const double x = element(input, offset);
        const OracleValue factor = scale(n, channel, {});
        const double u = unit_roundoff(desc.acc_type) + DBL_EPSILON / 2;
        OracleValue result = {x * factor.value, std::fabs(x) * factor.bound};
        result.bound += u * (std::fabs(result.value) + result.bound) + smallest_normal(desc.acc_type);
        for (const EpilogueStage &stage : desc.epilogue) {
            result.bound = epilogue_error_bound(stage, result.value, 0, result.bound, u);
            result.value = epilogue_reference(stage, result.value, 0);
        }
        add_output_rounding(desc, result);
        return result;
    };
    if (desc.then.empty()) {
        return [excited, &desc](int64_t i) {
            const ChannelSplit split = split_index(desc, i);
            return excited(split.n, split.channel, split.at);
        };
    }
    return add_chain(desc.then.front(), {desc.then.begin() + 1, desc.then.end()}, excited);
}

std::string index_text(const std::vector<int64_t> &shape, int64_t i) {
    std::string text;
    for (size_t d = shape.size(); d-- > 0;) {
        text.insert(0, fmt::format("[{}]", i % shape[d]));
        i /= shape[d];
    }
    return text;
}

/// Walks the elements of a tensor written whole or in part: flat index into output_shape, and into
/// written_shape or -1 for channels that are left alone.
class WrittenPart {
public:
    explicit WrittenPart(const ConvDesc &desc)
        : shape_(output_shape(desc)), written_(written_shape(desc)), begin_(last_op(desc).co_begin),
          axis_(desc.out_layout == Layout::ChannelsLast ? shape_.size() - 1 : 1) {}

    int64_t index(int64_t i) const {
        if (shape_ == written_) {
            return i;
        }
        int64_t inner = 1;
        for (size_t d = axis_ + 1; d < shape_.size(); ++d) {
            inner *= shape_[d];
        }
        const int64_t channel = i / inner % shape_[axis_] - begin_;
        if (channel < 0 || channel >= written_[axis_]) {
            return -1;
        }
        return (i / inner / shape_[axis_] * written_[axis_] + channel) * inner + i % inner;
    }

private:
    std::vector<int64_t> shape_, written_;
    int64_t begin_;
    size_t axis_;
};

/// True if every bit is set, as runners fill outputs.
bool is_untouched(const TensorView &output, int64_t i) {
    const auto *bytes = static_cast<const uint8_t *>(output.data) + i * dtype_bytes(output.dtype);
    return std::all_of(bytes, bytes + dtype_bytes(output.dtype), [](uint8_t byte) { return byte == 0xff; });
}

} // namespace

OracleValue oracle_at(const ConvDesc &desc, const OracleTensors &tensors, int64_t i) {
    return WholeEvaluator(desc, tensors).at(i);
}

int64_t oracle_index_at(const ConvDesc &desc, const OracleTensors &tensors, int64_t i) {
    return WholeEvaluator(desc, tensors).index_at(i);
}

Judgement judge(const ConvDesc &desc, const OracleTensors &tensors, const TensorView &output,
                const JudgeOptions &options, const TensorView &indices) {
    const std::vector<int64_t> shape = output_shape(desc);
    expect_shape(output, "output", shape);
    if (desc.indices != Indices::None) {
        expect_shape(indices, "indices", written_shape(desc));
    }
    WholeEvaluator oracle(desc, tensors);
    if (options.relative_error > 0) {
        oracle.allow_relative_error(options.relative_error, options.seed);
    }
    const WrittenPart written(desc);
    Judgement judgement;
    const auto fail = [&](const std::string &what) {
        if (judgement.wrong++ == 0) {
            judgement.first_wrong = what;
        }
    };
    const auto check = [&](int64_t flat) {
        ++judgement.checked;
        const int64_t i = written.index(flat);
        if (i < 0) {
            if (!is_untouched(output, flat)) {
                fail(fmt::format("output{}: written, want it left alone", index_text(shape, flat)));
            }
            return;
        }
        if (desc.indices != Indices::None) {
            const auto got = static_cast<const int64_t *>(indices.data)[i];
            const int64_t want = oracle.index_at(i);
            if (got != want) {
                fail(fmt::format("indices{}: got {}, want {}", index_text(shape, flat), got, want));
            }
        }
        const OracleValue exact = oracle.at(i);
        const double want = options.exact ? rounded_to(desc.out_type, exact.value) : exact.value;
        const double bound = options.exact ? 0 : exact.bound;
        const double got = element(output, flat);
        if (got == want) { // also infinities
            return;
        }
        const double error = std::fabs(got - want);
        judgement.max_error = std::fmax(judgement.max_error, error);
        judgement.max_bound_ratio = std::fmax(judgement.max_bound_ratio, error / bound);
        if (error <= bound) { // false for NaN
            return;
        }
        fail(fmt::format("output{}: got {:.9g}{}, want {:.9g} +- {:.2g}", index_text(shape, flat), got,
                         std::isnan(got) ? " (never written?)" : "", want, bound));
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

} // namespace convsmith
