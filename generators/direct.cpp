// The direct convolution algorithm (see direct.h). Before it: ConvDesc; after it: a schedule.
#include "generators/direct.h"

#include "generators/conv_shape.h"
#include "generators/epilogue_expr.h"
#include "generators/halide_compat.h"
#include "generators/padding.h"

namespace convsmith {

using Halide::cast;
using Halide::Expr;
using Halide::ImageParam;
using Halide::RDom;
using Halide::Var;

namespace {

/// Descriptors list axes outermost first, buffers innermost first.
int axis_of(const ConvDesc &desc, int dim) {
    return desc.rank - 1 - dim;
}

void declare_buffers(DirectConv &conv) {
    const ConvDesc &d = conv.desc;
    conv.input = ImageParam(halide_type(d.in_type), d.rank + 2, "input");
    conv.filter = ImageParam(halide_type(d.weight_type), d.rank + 3, "filter");
    if (d.has_operand(Operand::Bias))
        conv.bias = ImageParam(halide_type(d.acc_type), 1, "bias");
    if (d.has_operand(Operand::Residual))
        conv.residual = ImageParam(halide_type(d.out_type), 3, "residual");
}

/// Output extents as expressions of the input buffer where the descriptor leaves them open.
void derive_extents(DirectConv &conv) {
    const ConvDesc &d = conv.desc;
    for (int i = 0; i < d.rank; i++) {
        const int a = axis_of(d, i);
        if (d.in[a] > 0) {
            conv.out_extents.emplace_back(static_cast<int>(conv_out_extent(
                d.in[a], d.kernel[a], d.stride[a], d.dilation[a], d.pad_begin[a], d.pad_end[a])));
            continue;
        }
        const int span = effective_kernel(d.kernel[a], d.dilation[a]);
        const Expr reach = conv.input.dim(i + 1).extent() + (d.pad_begin[a] + d.pad_end[a] - span);
        conv.out_extents.push_back(reach / d.stride[a] + 1);
    }
}

void define_padded(DirectConv &conv) {
    const ConvDesc &d = conv.desc;
    std::vector<Expr> source = {conv.ci};
    std::vector<Var> args = {conv.ci};
    Expr inside;
    for (int i = 0; i < d.rank; i++) {
        const int a = axis_of(d, i);
        args.push_back(conv.axes[i]);
        if (d.pad_begin[a] == 0 && d.pad_end[a] == 0) {
            source.emplace_back(conv.axes[i]);
            continue;
        }
        const Expr extent = d.in[a] > 0 ? Expr(d.in[a]) : conv.input.dim(i + 1).extent();
        const PaddedIndex index = padded_index(d.pad_mode, conv.axes[i] - d.pad_begin[a], extent);
        source.push_back(index.index);
        if (index.inside.defined())
            inside = inside.defined() ? inside && index.inside : index.inside;
    }
    source.emplace_back(conv.n);
    args.push_back(conv.n);
    const Expr value = conv.input(source);
    const double outside = d.pad_mode == PadMode::Constant ? d.pad_value : 0;
    conv.padded(args) =
        inside.defined() ? select(inside, value, Halide::Internal::make_const(value.type(), outside)) : value;
}

/// Coordinates of flattened output position p, innermost axis first.
std::vector<Expr> unflatten(const DirectConv &conv) {
    std::vector<Expr> coords;
    Expr rest = conv.p;
    for (int i = 0; i < conv.desc.rank; i++) {
        const bool outermost = i + 1 == conv.desc.rank;
        coords.push_back(outermost ? rest : rest % conv.out_extents[i]);
        if (!outermost)
            rest = rest / conv.out_extents[i];
    }
    return coords;
}

void define_acc(DirectConv &conv) {
    const ConvDesc &d = conv.desc;
    Halide::Region ranges = {{0, d.ci / d.groups}};
    for (int i = 0; i < d.rank; i++)
        ranges.emplace_back(0, d.kernel[axis_of(d, i)]);
    RDom r(ranges, "r");
    conv.r_ci = r[0];

    Expr group = conv.co / (d.co / d.groups);
    if (d.co % conv.packing.co_block != 0) // lanes beyond co have zero weights, but must not read beyond ci
        group = Halide::min(group, d.groups - 1);
    const Expr group_ci = d.groups == 1 ? Expr(0) : group * (d.ci / d.groups);
    const std::vector<Expr> position = unflatten(conv);
    std::vector<Expr> weight_at = {conv.co % conv.packing.co_block, r[0]};
    std::vector<Expr> input_at = {group_ci + r[0]};
    for (int i = 0; i < d.rank; i++) {
        const int a = axis_of(d, i);
        conv.r_k.push_back(r[i + 1]);
        weight_at.emplace_back(r[i + 1]);
        input_at.push_back(position[i] * d.stride[a] + r[i + 1] * d.dilation[a]);
    }
    weight_at.push_back(conv.co / conv.packing.co_block);
    input_at.emplace_back(conv.n);

    const Halide::Type acc_type = halide_type(d.acc_type);
    conv.acc(conv.co, conv.p, conv.n) = Halide::Internal::make_zero(acc_type);
    conv.acc(conv.co, conv.p, conv.n) +=
        cast(acc_type, conv.filter(weight_at)) * cast(acc_type, conv.padded(input_at));
}

void define_output(DirectConv &conv) {
    const auto operand = [&](Operand kind) -> Expr {
        return kind == Operand::Bias ? conv.bias(conv.co) : conv.residual(conv.co, conv.p, conv.n);
    };
    const Expr sum = conv.acc(conv.co, conv.p, conv.n);
    conv.output(conv.co, conv.p, conv.n) =
        cast(halide_type(conv.desc.out_type), apply_epilogue(conv.desc.epilogue, sum, operand));
}

} // namespace

DirectConv direct_conv(const ConvDesc &desc, const Packing &packing) {
    DirectConv conv;
    conv.desc = merge_trivial_axes(desc);
    conv.packing = packing;
    conv.padded = Halide::Func("padded"), conv.acc = Halide::Func("acc"),
    conv.output = Halide::Func("output");
    conv.co = Var("co"), conv.p = Var("p"), conv.n = Var("n"), conv.ci = Var("ci");
    for (const char *name : {"x", "y", "z"}) {
        if (static_cast<int>(conv.axes.size()) < conv.desc.rank)
            conv.axes.emplace_back(name);
    }
    declare_buffers(conv);
    derive_extents(conv);
    define_padded(conv);
    define_acc(conv);
    define_output(conv);
    return conv;
}

std::vector<Halide::Argument> DirectConv::arguments() const {
    std::vector<Halide::Argument> args = {input, filter};
    if (bias.defined())
        args.emplace_back(bias);
    if (residual.defined())
        args.emplace_back(residual);
    return args;
}

bool DirectConv::is_padded() const {
    for (int a = 0; a < desc.rank; a++) {
        if (desc.pad_begin[a] != 0 || desc.pad_end[a] != 0)
            return true;
    }
    return false;
}

} // namespace convsmith
