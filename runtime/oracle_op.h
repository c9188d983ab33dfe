// One op of the oracle: the value of an output element with its error bound, from the definition, whatever
// feeds the op. Internal to the oracle: oracle_op.cpp computes, oracle.cpp joins ops and judges.
#pragma once

#include "generators/conv_desc.h"
#include "generators/signature.h"
#include "runtime/oracle.h"

#include <array>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>

namespace convsmith {

/// Element strides of an activation tensor: batch, channel, spatial axes.
struct Strides {
    int64_t n = 0;
    int64_t c = 0;
    std::array<int64_t, kMaxSpatialRank> axis = {};
};

Strides strides_of(Layout layout, int rank, int channels, const Spatial &extents);

/// `value` in the precision of `type`.
double rounded_to(DType type, double value);

/// 0 for integers.
double smallest_normal(DType type);

using Position = std::array<int64_t, kMaxSpatialRank>;

/// A sum, the sums of its terms' absolute values and of their squares, and errors of the terms themselves.
template<typename Sum>
struct Total {
    Sum value = 0;
    Sum magnitude = 0;
    Sum squares = 0;
    Sum term_errors = 0;
    int64_t terms = 0;

    void add(Sum term, Sum error = 0) {
        value += term;
        magnitude += std::fabs(term);
        squares += term * term;
        term_errors += error;
    }
};

/// One element of the output: where it is and which window, channel it comes from.
struct Target {
    int64_t flat = 0; ///< index into written_shape
    int64_t n = 0;
    int channel = 0; ///< before rearrangement
    Position at = {};
};

/// Adds the error of rounding to the output's type, if that is not the accumulator's.
void add_output_rounding(const ConvDesc &desc, OracleValue &value);

/// Everything about a problem that does not depend on the output element.
class Evaluator {
public:
    /// `number` names the op's tensors; `source`, if there is one, gives the input instead of a tensor: the
    /// value at batch, channel and position.
    using Source = std::function<OracleValue(int64_t n, int channel, const Position &at)>;
    Evaluator(const ConvDesc &desc, const OracleTensors &tensors, int number, Source source);

    OracleValue at(int64_t i) const;

    /// Conv: |sum| before the epilogue, or the root of its terms' squares if that is more.
    double scale_at(int64_t i) const;

    /// Replaces the error bound of the sum before the epilogue.
    void set_sum_error(double bound) { sum_error_ = bound; }

    /// MaxPool: flat channels-first index of the first maximum.
    int64_t index_at(int64_t i) const;

private:
    template<typename Sum>
    OracleValue at_with(int64_t i, double oracle_roundoff) const;

    /// Where flat index `i` of the output comes from.
    Target target_of(int64_t i) const;

    /// What a tap of a window reads.
    struct Tap {
        Position source = {};   ///< of the input element; meaningless unless `inside`
        bool inside = true;     ///< reads an input element
        bool takes_part = true; ///< false: ignored padding, or the overhang of ceil mode
    };
    Tap tap_of(const Position &at, int64_t tap) const;
    OracleValue value_of(const Tap &tap, int64_t n, int channel) const;
    OracleValue input_at(int64_t n, int channel, const Position &at) const;
    const TensorView &tensor(const std::string &role) const {
        return tensors_.get(tensor_name(role, number_));
    }

    template<typename Sum>
    Total<Sum> convolve(const Target &target) const;
    template<typename Sum>
    Total<Sum> convolve_transposed(const Target &target) const;
    template<typename Sum>
    Total<Sum> convolve_deformed(const Target &target) const;
    template<typename Sum>
    void add_bilinear(Total<Sum> &total, const Target &target, int64_t tap, int ci, double weight) const;
    template<typename Sum>
    Total<Sum> reduce(const Target &target) const;
    OracleValue pool(const Target &target) const;

    double operand_at(Operand operand, const Target &target) const;

    const ConvDesc &desc_;
    const OracleTensors &tensors_;
    int number_;
    Source source_;
    int64_t taps_ = 1;
    Spatial window_out_ = {1, 1, 1};
    Spatial stored_ = {1, 1, 1};
    Strides in_strides_;
    Strides out_strides_; ///< of the tensor written, its own channels only
    double pad_value_ = 0;
    double sum_error_ = 0;     ///< 0: derived from the sum's terms
    double largest_input_ = 0; ///< deform: bounds the error of a moved coordinate
};

} // namespace convsmith
