// Linking and validation of composites (see composite.h). Before it: conv_desc.cpp, which validates each op.
#include "generators/composite.h"

#include "generators/conv_shape.h"
#include "generators/error.h"

#include <fmt/format.h>

#include <algorithm>

namespace convsmith {

namespace {

/// Takes over what every op of a composite shares.
void share(const ConvDesc &from, ConvDesc &to) {
    to.rank = from.rank;
    to.n = from.n;
    to.in_type = from.in_type;
    to.weight_type = from.weight_type;
    to.acc_type = from.acc_type;
    to.out_type = from.out_type;
    to.in_layout = from.in_layout;
    to.out_layout = from.out_layout;
    to.is_fused = true;
    to.ends_chain = false;
}

/// Makes `op` take a tensor of these channels and extents.
void set_input(ConvDesc &op, int channels, const Spatial &extents) {
    op.ci = channels;
    op.in = extents;
    if (!op_info(op.op).has_filter && op.op != Op::Concat)
        op.co = channels;
}

[[noreturn]] void unsupported(const std::string &message) {
    throw Error(ErrorCode::Unsupported, message);
}

void validate_part(const ConvDesc &op, bool is_last) {
    const std::string &name = op_info(op.op).name;
    if (op.is_open())
        unsupported("composite: want every extent at compile time, op " + name + " has open ones");
    if (is_integer(op.acc_type))
        unsupported("composite: there are kernels for f32 and f64, op " + name + " is of " +
                    dtype_name(op.acc_type));
    if (op.indices != Indices::None)
        unsupported("composite: op maxpool cannot have indices");
    if (op.co_total != 0 && !is_last)
        throw Error(ErrorCode::BadArgument, "composite: only the last op writes into a larger tensor, op " +
                                                name + " is not the last");
}

} // namespace

bool is_composite(const ConvDesc &desc) {
    return !desc.then.empty() || !desc.branches.empty();
}

Op whole_op(const ConvDesc &desc) {
    return !desc.then.empty() && desc.branches.empty() ? Op::Chain : desc.op;
}

std::vector<const ConvDesc *> ops_of(const ConvDesc &desc) {
    std::vector<const ConvDesc *> ops;
    for (const ConvDesc &branch : desc.branches) {
        const std::vector<const ConvDesc *> inner = ops_of(branch);
        ops.insert(ops.end(), inner.begin(), inner.end());
    }
    if (desc.branches.empty())
        ops.push_back(&desc);
    for (const ConvDesc &next : desc.then)
        ops.push_back(&next);
    return ops;
}

bool reads_filter(const ConvDesc &desc) {
    const std::vector<const ConvDesc *> ops = ops_of(desc);
    return std::any_of(ops.begin(), ops.end(), [](const ConvDesc *op) { return op_info(op->op).has_filter; });
}

const ConvDesc &last_op(const ConvDesc &desc) {
    return desc.then.empty() ? desc : desc.then.back();
}

ConvDesc &last_op(ConvDesc &desc) {
    return desc.then.empty() ? desc : desc.then.back();
}

void link_ops(ConvDesc &desc) {
    if (!is_composite(desc))
        return;
    desc.is_fused = true;
    desc.co = desc.op == Op::Concat ? 0 : desc.co;
    for (ConvDesc &branch : desc.branches) {
        share(desc, branch);
        set_input(branch, desc.ci, desc.in);
        link_ops(branch);
        last_op(branch).ends_chain = false;
        desc.co += desc.op == Op::Concat ? stored_channels(last_op(branch)) : 0;
    }
    const ConvDesc *previous = &desc;
    for (ConvDesc &next : desc.then) {
        share(desc, next);
        set_input(next, stored_channels(*previous), stored_extents(*previous));
        previous = &next;
    }
    if (whole_op(desc) == Op::Chain)
        desc.then.back().ends_chain = true;
}

ConvDesc chain(const std::vector<ConvDesc> &ops) {
    if (ops.empty())
        throw Error(ErrorCode::BadArgument, "chain: got no op, want at least one");
    ConvDesc desc = ops.front();
    desc.then.insert(desc.then.end(), ops.begin() + 1, ops.end());
    link_ops(desc);
    desc.validate();
    return desc;
}

namespace {

ConvDesc with_branches(Op op, const std::vector<ConvDesc> &branches) {
    if (branches.empty())
        throw Error(ErrorCode::BadArgument, op_info(op).name + ": got no branch, want at least one");
    ConvDesc desc;
    share(branches.front(), desc);
    desc.op = op;
    desc.branches = branches;
    set_input(desc, branches.front().ci, branches.front().in);
    link_ops(desc);
    desc.validate();
    return desc;
}

} // namespace

ConvDesc concat(const std::vector<ConvDesc> &branches) {
    return with_branches(Op::Concat, branches);
}

ConvDesc excite(const ConvDesc &branch) {
    return with_branches(Op::Excite, {branch});
}

void validate_composite(const ConvDesc &desc) {
    if (desc.op == Op::Chain)
        throw Error(ErrorCode::BadArgument, "op chain: has no key of its own, want OP then OP");
    const bool has_branches = desc.op == Op::Concat || desc.op == Op::Excite;
    if (has_branches == desc.branches.empty() || (desc.op == Op::Excite && desc.branches.size() != 1))
        throw Error(ErrorCode::BadArgument, fmt::format("op {}: got {} branches, want {}",
                                                        op_info(desc.op).name, desc.branches.size(),
                                                        !has_branches           ? "none"
                                                        : desc.op == Op::Excite ? "1"
                                                                                : "at least 1"));
    if (!is_composite(desc))
        return;
    if (desc.op == Op::Concat && (!desc.then.empty() || !desc.epilogue.empty()))
        unsupported("concat: nothing can follow it; give the branches their own epilogues");
    validate_part(desc, desc.then.empty());
    if (desc.op == Op::Excite &&
        (std::any_of(desc.epilogue.begin(), desc.epilogue.end(), [](const EpilogueStage &stage) {
            return epilogue_info(stage.name).operand != Operand::None;
        })))
        unsupported("excite: there are kernels for epilogue stages without a second tensor");
    for (const ConvDesc &branch : desc.branches) {
        if (!branch.branches.empty())
            unsupported("composite: a branch cannot have branches");
        branch.validate();
        validate_part(last_op(branch), false);
        const Spatial got = stored_extents(last_op(branch)),
                      first = stored_extents(last_op(desc.branches[0]));
        const bool is_pixel = std::all_of(got.begin(), got.begin() + desc.rank, [](int x) { return x == 1; });
        if (desc.op == Op::Concat && got != first)
            throw Error(ErrorCode::BadArgument,
                        fmt::format("concat: a branch has extents {}, want those of the first, {}",
                                    fmt::join(got, "x"), fmt::join(first, "x")));
        if (desc.op == Op::Excite && (!is_pixel || stored_channels(last_op(branch)) != desc.ci))
            throw Error(ErrorCode::BadArgument,
                        fmt::format("excite: the branch gives {} channels of {}, want {} of one position",
                                    stored_channels(last_op(branch)), fmt::join(got, "x"), desc.ci));
    }
    for (size_t i = 0; i < desc.then.size(); i++) {
        if (is_composite(desc.then[i]))
            unsupported("composite: an op that follows another cannot be a composite");
        desc.then[i].validate();
        validate_part(desc.then[i], i + 1 == desc.then.size());
    }
    ConvDesc linked = desc;
    link_ops(linked);
    if (linked != desc)
        throw Error(ErrorCode::BadArgument,
                    "composite: an op does not take what the one before gives; build it with "
                    "chain, concat or excite");
}

} // namespace convsmith
