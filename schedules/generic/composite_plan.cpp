// Planning side of the generic schedule of composites (schedule.h).
#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "schedules/schedule.h"

#include <algorithm>

namespace convsmith::generic {
namespace {

/// Bytes that the results between ops take for `rows` rows of the last op's output; an op's own rows follow
/// from those of the op after it.
int64_t bytes_between(const std::vector<const ConvDesc *> &ops, int rows) {
    int64_t total = 0, needed = rows;
    for (size_t i = ops.size(); i-- > 1;) {
        const ConvDesc &op = *ops[i];
        if (op.op != Op::Deconv && op.op != Op::Deform)
            needed = (needed - 1) * op.stride[0] + effective_kernel(op.kernel[0], op.dilation[0]);
        needed = std::min<int64_t>(needed, op.in[0]);
        const int64_t row = spatial_product(op.in, op.rank) / op.in[0] * op.ci;
        total += needed * row * static_cast<int64_t>(dtype_bytes(op.acc_type));
    }
    return total;
}

/// The most rows, up to all, that keep what lies between the ops of any chain within L2.
int choose_rows(const ConvDesc &desc, const Target &target) {
    std::vector<std::vector<const ConvDesc *>> chains;
    for (const ConvDesc &branch : desc.branches)
        chains.push_back(ops_of(branch));
    if (desc.branches.empty() || !desc.then.empty())
        chains.push_back(ops_of(desc));
    const int most = stored_extents(last_op(desc))[0];
    int rows = 1;
    while (rows < most && std::all_of(chains.begin(), chains.end(), [&](const auto &ops) {
               return bytes_between(ops, rows + 1) <= target.l2_bytes;
           }))
        rows++;
    return rows;
}

Params complete(const ConvDesc &desc, const Target &target, const Params &params, int co_block) {
    Params full = params;
    int &block = full["co_block"];
    if (block == 0)
        block = co_block;
    if (block == 0)
        block = vector_lanes(target, desc.acc_type);
    int &rows = full["rows"];
    if (rows == 0)
        rows = choose_rows(desc, target);
    return full;
}

} // namespace

SchedulePlanning composite_planning() {
    return {{
#include "schedules/generic/composite_params.inc"
            },
            takes_any,
            complete,
            packing_by_co_block};
}

} // namespace convsmith::generic
