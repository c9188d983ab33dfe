// Transposed convolution as a gather. Along one axis, output x takes the taps k with (x + p - k*d) divisible
// by the stride s, from input (x + p - k*d) / s. With g = gcd(s, d) these are k = first + j * (s / g), where
// `first` depends only on the phase (x + p) % s, and there are none unless g divides the phase.
#include "generators/algorithms.h"

#include <numeric>

namespace convsmith {

using Halide::Expr;
using Halide::RDom;

namespace {

/// The taps of one axis that contribute to an output.
struct PhaseTaps {
    int step;     ///< distance of neighbouring taps
    int most;     ///< taps of any phase, at most
    Expr first;   ///< smallest tap
    Expr exists;  ///< undefined if every phase has taps
    Expr shifted; ///< x + p
};

/// x with a * x = 1 modulo m, for coprime a and m.
int inverse_modulo(int a, int m) {
    for (int x = 0; x < m; x++) {
        if (int64_t{a} * x % m == 1 % m)
            return x;
    }
    return 0;
}

PhaseTaps phase_taps(const ConvDesc &d, int axis, const Expr &x) {
    const int s = d.stride[axis], g = std::gcd(s, d.dilation[axis]);
    PhaseTaps taps;
    taps.step = s / g;
    taps.most = (d.kernel[axis] + taps.step - 1) / taps.step;
    taps.shifted = x + d.pad_begin[axis];
    const Expr phase = taps.shifted % s;
    taps.first = phase / g * inverse_modulo(d.dilation[axis] / g % taps.step, taps.step) % taps.step;
    if (g > 1)
        taps.exists = phase % g == 0;
    return taps;
}

} // namespace

ConvPipeline transposed_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv = begin_pipeline(desc, packing, input);
    const ConvDesc &d = conv.desc;
    define_padded(conv, input_zero(conv));

    const std::vector<Expr> position = window_position(conv);
    std::vector<PhaseTaps> phases;
    Halide::Region ranges = {{0, d.ci / d.groups}};
    for (int i = 0; i < d.rank; i++) {
        phases.push_back(phase_taps(d, d.rank - 1 - i, position[i]));
        ranges.emplace_back(0, phases[i].most);
    }
    RDom r(ranges, "r");
    conv.r_ci = r[0];
    std::vector<Expr> taps, cell = {group_begin(conv) + *conv.r_ci};
    for (int i = 0; i < d.rank; i++) {
        const int axis = d.rank - 1 - i;
        conv.r_k.push_back(r[i + 1]);
        const Expr tap = phases[i].first + r[i + 1] * phases[i].step;
        if (d.kernel[axis] % phases[i].step != 0)
            r.where(tap < d.kernel[axis]);
        if (phases[i].exists.defined())
            r.where(phases[i].exists);
        taps.push_back(clamp(tap, 0, d.kernel[axis] - 1));
        cell.push_back((phases[i].shifted - tap * d.dilation[axis]) / d.stride[axis]);
    }
    cell.emplace_back(conv.n);

    define_weighted_sum(conv, conv.filter(filter_args(conv, *conv.r_ci, taps)), conv.padded(cell));
    return conv;
}

} // namespace convsmith
