// Transposed convolution as a gather, one phase of the outputs at a time: along an axis, output x of phase
// f = (x + p) % s takes the taps k with (x + p - k*d) divisible by the stride s, from input (x + p - k*d) /
// s. With g = gcd(s, d) these are k = first + j * (s / g), where `first` depends only on f, and there are
// none unless g divides f. The outputs x = q*s + const of a phase are thus an ordinary convolution of
// stride 1.
#include "generators/algorithms.h"
#include "generators/halide_compat.h"

#include <numeric>

namespace convsmith {

using Halide::cast;
using Halide::Expr;
using Halide::RDom;
using Halide::Var;

namespace {

/// The taps of one axis that contribute to the outputs of a phase.
struct PhaseTaps {
    int step;    ///< distance of neighbouring taps
    int most;    ///< taps of any phase, at most
    Expr first;  ///< smallest tap
    Expr begin;  ///< the cell that it reads, from q
    Expr exists; ///< undefined if every phase has taps
};

/// x with a * x = 1 modulo m, for coprime a and m.
int inverse_modulo(int a, int m) {
    for (int x = 0; x < m; x++) {
        if (int64_t{a} * x % m == 1 % m)
            return x;
    }
    return 0;
}

PhaseTaps phase_taps(const ConvDesc &d, int axis, const Expr &f) {
    const int s = d.stride[axis], dilation = d.dilation[axis], g = std::gcd(s, dilation);
    PhaseTaps taps;
    taps.step = s / g;
    taps.most = (d.kernel[axis] + taps.step - 1) / taps.step;
    const int inverse = inverse_modulo(dilation / g % taps.step, taps.step);
    if (taps.step == 1)
        taps.first = 0;
    else
        taps.first = inverse == 1 ? f / g : f / g * inverse % taps.step;
    const Expr shifted = (f - d.pad_begin[axis]) % s + d.pad_begin[axis]; // x + p where q is 0
    taps.begin = (dilation == 1 ? shifted : shifted - taps.first * dilation) / s;
    if (g > 1)
        taps.exists = f % g == 0;
    return taps;
}

/// Declares the parts of phases; returns {co, q..., f..., n}.
std::vector<Var> declare_phases(ConvPipeline &conv) {
    conv.phases = PhaseParts();
    conv.phases->sums = Halide::Func("sums");
    for (const Var &axis : conv.at)
        conv.phases->f.emplace_back("f_" + axis.name());
    std::vector<Var> args = {conv.co};
    args.insert(args.end(), conv.at.begin(), conv.at.end());
    args.insert(args.end(), conv.phases->f.begin(), conv.phases->f.end());
    args.push_back(conv.n);
    return args;
}

/// Defines `value`: each output from its number in its phase.
void define_value(ConvPipeline &conv) {
    std::vector<Expr> from = {conv.co};
    for (int i = 0; i < conv.desc.rank; i++)
        from.push_back(conv.at[i] / conv.desc.stride[conv.desc.rank - 1 - i]);
    for (int i = 0; i < conv.desc.rank; i++) {
        const int axis = conv.desc.rank - 1 - i;
        from.push_back((conv.at[i] + conv.desc.pad_begin[axis]) % conv.desc.stride[axis]);
    }
    from.emplace_back(conv.n);
    conv.value(conv.output_args()) = conv.phases->sums(from);
}

} // namespace

ConvPipeline transposed_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv = begin_pipeline(desc, packing, input);
    const ConvDesc &d = conv.desc;
    define_padded(conv, input_zero(conv));

    const std::vector<Var> args = declare_phases(conv);
    std::vector<PhaseTaps> axes;
    Halide::Region ranges = {{0, d.ci / d.groups}};
    for (int i = 0; i < d.rank; i++) {
        axes.push_back(phase_taps(d, d.rank - 1 - i, conv.phases->f[i]));
        ranges.emplace_back(0, axes[i].most);
    }
    RDom r(ranges, "r");
    conv.r_ci = r[0];
    std::vector<Expr> taps, cell = {group_begin(conv) + *conv.r_ci};
    for (int i = 0; i < d.rank; i++) {
        const int axis = d.rank - 1 - i;
        conv.r_k.push_back(r[i + 1]);
        Expr tap = axes[i].first + r[i + 1] * axes[i].step;
        if (d.kernel[axis] % axes[i].step != 0) {
            r.where(tap < d.kernel[axis]);
            tap = min(tap, d.kernel[axis] - 1);
        }
        if (axes[i].exists.defined())
            r.where(axes[i].exists);
        taps.push_back(tap);
        cell.push_back(conv.at[i] + axes[i].begin -
                       r[i + 1] * (axes[i].step * d.dilation[axis] / d.stride[axis]));
    }
    cell.emplace_back(conv.n);

    if (conv.last_element.defined())
        conv.last_element = conv.last_element / d.stride[d.rank - 1]; // of a phase
    define_sum(conv, args, conv.filter(filter_args(conv, *conv.r_ci, taps)), conv.padded(cell));
    conv.phases->sums(args) = conv.acc(args);
    define_value(conv);
    define_output(conv);
    return conv;
}

} // namespace convsmith
