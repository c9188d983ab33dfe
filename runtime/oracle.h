// The oracle: convolution by naive loops from its definition, with an error bound for every value. Judges
// kernels in tests, check, bench, demo and tuner; shares no code with the Halide algorithms.
#pragma once

#include "generators/conv_desc.h"
#include "runtime/tensor.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace convsmith {

/// The tensors of one problem in the user's layout; filter is [co][ci / groups][k...].
struct OracleTensors {
    TensorView input;
    TensorView filter;
    TensorView bias;
    TensorView residual;
};

/// The exact value (as far as the oracle's precision goes) and the largest error a kernel may have:
/// c * u * K * sum|a||b| carried through the epilogue, u = unit roundoff of the accumulator, plus rounding to
/// the output type.
struct OracleValue {
    double value;
    double bound;
};

/// The output at flat index `i` (memory order of the output tensor).
OracleValue oracle_at(const ConvDesc &desc, const OracleTensors &tensors, int64_t i);

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
};

/// Compares `output` with the oracle.
Judgement judge(const ConvDesc &desc, const OracleTensors &tensors, const TensorView &output,
                const JudgeOptions &options = JudgeOptions());

/// What random tensors hold.
enum class Fill {
    SmallIntegers, ///< integers in [-2, 2]: sums are exact in any order while they stay below 2^24
    Uniform,       ///< uniform in [-1, 1]
};
void fill(const Tensor &tensor, Fill kind, uint64_t seed);

/// Owned tensors for one problem, filled from a seed.
struct Problem {
    ConvDesc desc; ///< closed
    Tensor input, filter, bias, residual;
    OracleTensors view() const;
};
Problem make_problem(const ConvDesc &closed, Fill kind, uint64_t seed);

} // namespace convsmith
