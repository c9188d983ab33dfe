// Grouped convolution with few channels per group: a block of output channels spans several groups and sums
// over the input channels of all of them, with weights that are zero across groups. Lanes are never idle, at
// the price of multiplications by zero.
#include "generators/algorithms.h"

namespace convsmith {

using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::Var;

namespace {

/// The groups that blocks of output channels span.
struct Blocks {
    int co, groups, co_block, group_co;

    /// First and last group of the block whose first channel is `begin`.
    Expr first(const Expr &begin) const { return begin / group_co; }
    Expr last(const Expr &begin) const { return min(begin + (co_block - 1), co - 1) / group_co; }
};

/// conv.joined: the packed filter {co_i, ci, kx, [ky, [kz]], co_o} as {co_i, ci, group of the block, kx, ...,
/// co_o}.
void define_joined(ConvPipeline &conv, const Blocks &blocks) {
    const Var co_i("co_i"), group("group"), co_o("co_o");
    std::vector<Var> args = {co_i, conv.ci, group};
    std::vector<Expr> from = {co_i, conv.ci};
    for (int i = 0; i < conv.desc.rank; i++) {
        args.emplace_back("k" + conv.axes[i].name());
        from.emplace_back(args.back());
    }
    args.push_back(co_o);
    from.emplace_back(co_o);
    const Expr begin = co_o * blocks.co_block;
    const Expr weight = conv.filter(from);
    conv.joined = Func("joined");
    conv.joined(args) = select((begin + co_i) / blocks.group_co == blocks.first(begin) + group, weight,
                               Halide::Internal::make_zero(weight.type()));
}

} // namespace

ConvPipeline joined_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv = begin_pipeline(desc, packing, input);
    const ConvDesc &d = conv.desc;
    define_padded(conv, input_zero(conv));

    const Blocks blocks = {d.co, d.groups, packing.co_block, d.co / d.groups};
    define_joined(conv, blocks);
    const JoinedGroups joined = joined_groups(d, packing.co_block);
    Halide::Region ranges = {{0, d.ci / d.groups}, {0, joined.most}};
    for (int i = 0; i < d.rank; i++)
        ranges.emplace_back(0, d.kernel[d.rank - 1 - i]);
    RDom r(ranges, "r");
    conv.r_ci = r[0];
    for (int i = 0; i < d.rank; i++)
        conv.r_k.push_back(r[i + 2]);

    const bool is_one_block = packing.co_block >= d.co;
    const Expr block = is_one_block ? Expr(0) : conv.co / packing.co_block;
    const Expr begin = block * packing.co_block;
    Expr group = conv.group + r[1]; // from the first of the block on
    if (joined.differ) {
        r.where(blocks.first(begin) + r[1] <= blocks.last(begin));
        group = min(group, d.groups - 1); // bounds of what is read, where they are inferred
    }
    std::vector<Expr> weight = {is_one_block ? Expr(conv.co) : conv.co % packing.co_block, r[0], r[1]};
    weight.insert(weight.end(), conv.r_k.begin(), conv.r_k.end());
    weight.push_back(block);
    const Expr element = conv.padded(window_args(conv, group * (d.ci / d.groups) + r[0]));
    conv.r_k.insert(conv.r_k.begin(), r[1]); // of all positions of a window
    define_weighted_sum(conv, conv.joined(weight), element, blocks.first(begin));
    return conv;
}

} // namespace convsmith
