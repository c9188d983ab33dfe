// The oracle: convolution by naive loops from its definition, with an error bound for every value. Judges
// kernels in tests, check, bench, demo and tuner; shares no code with the Halide algorithms.
#pragma once

#include "generators/conv_desc.h"
#include "runtime/tensor.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace convsmith {

/// The tensors of one problem by the names of tensor_specs, in the user's layout; the filter as filter_shape.
using OracleTensors = NamedTensors;

/// The exact value (as far as the oracle's precision goes) and the largest error a kernel may have:
/// c * u * K * sum|a||b| carried through the epilogue, u = unit roundoff of the accumulator, plus rounding to
/// the output type.
struct OracleValue {
    double value;
    double bound;
};

/// The value written at flat index `i` of written_shape (memory order).
OracleValue oracle_at(const ConvDesc &desc, const OracleTensors &tensors, int64_t i);

/// MaxPool's index at the same place.
int64_t oracle_index_at(const ConvDesc &desc, const OracleTensors &tensors, int64_t i);

/// Outcome of judging a kernel's output.
struct Judgement {
    int64_t checked = 0;
    int64_t wrong = 0;
    double max_error = 0;       ///< largest |got - want|
    double max_bound_ratio = 0; ///< largest |got - want| / bound; <= 1 passes
    std::string first_wrong;    ///< "output[0][3][4][7]: got 1.5, want 2 +- 1e-6"; empty if all right
    bool ok() const { return wrong == 0 && checked > 0; }
};

struct JudgeOptions {
    int64_t max_points = 0; ///< 0: every output; else at most this many, corners and edges always among them
    uint64_t seed = 1;      ///< of the sample
    bool exact = false;     ///< demand bit equality (small-integer data)
    /// Plan::relative_error: if above 0, errors before the epilogue may reach this fraction of the largest
    /// result instead of the bound of a sum. A result counts with its size or, if that is more, with the root
    /// of its terms' squares: what it would be with random signs. The largest of a sample is taken, which is
    /// never too large.
    double relative_error = 0;
};

/// Compares `output` with the oracle. Channels of a larger output that the op does not write must be NaN (all
/// bits set), as runners leave them; `indices`, if there are any, must be the oracle's.
Judgement judge(const ConvDesc &desc, const OracleTensors &tensors, const TensorView &output,
                const JudgeOptions &options = JudgeOptions(), const TensorView &indices = TensorView());

/// What random tensors hold.
enum class Fill {
    SmallIntegers, ///< integers in [-2, 2]: sums are exact in any order while they stay below 2^24
    Uniform,       ///< uniform in [-1, 1]
};
void fill(Tensor &tensor, Fill kind, uint64_t seed);

/// Owned tensors for one problem, filled from a seed: every input of tensor_specs by name, the filter as
/// filter_shape.
struct Problem {
    ConvDesc desc; ///< closed
    std::map<std::string, Tensor> tensors;

    Tensor &operator[](const std::string &name) { return tensors[name]; }
    /// An empty tensor if there is none of that name.
    const Tensor &operator[](const std::string &name) const;
    OracleTensors view() const;
    /// What Kernel::pack takes: the filters, none for an op without one.
    NamedTensors filters() const;
    /// What Kernel::run takes: every tensor but the filter, and `output`.
    NamedTensors call(const TensorView &output) const;
};
Problem make_problem(const ConvDesc &closed, Fill kind, uint64_t seed);

} // namespace convsmith
