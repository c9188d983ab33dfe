// Direct convolution on any target: output channels are vector lanes, one output position at a time, padding
// inlined. No assumption on extents, groups, layouts or open sizes.
#include "schedules/generic/direct.h"

namespace convsmith::generic {

using Halide::TailStrategy;
using Halide::Var;

void schedule_direct(DirectConv &conv, const Plan &plan) {
    const int lanes = plan.params.at("co_block");
    const int chunk = 64; // positions per parallel task: enough work to pay for handing it out
    Var co_o("co_o"), co_i("co_i"), p_o("p_o"), p_i("p_i");

    conv.output.split(conv.co, co_o, co_i, lanes, TailStrategy::GuardWithIf)
        .split(conv.p, p_o, p_i, chunk, TailStrategy::GuardWithIf)
        .reorder(co_i, co_o, p_i, p_o, conv.n)
        .vectorize(co_i)
        .parallel(p_o)
        .parallel(conv.n);
    conv.acc.compute_at(conv.output, co_o)
        .store_in(Halide::MemoryType::Stack)
        .align_bounds(conv.co, lanes)
        .bound_extent(conv.co, lanes)
        .vectorize(conv.co, lanes, TailStrategy::RoundUp);
    conv.acc.update().reorder(conv.co, conv.r_ci).vectorize(conv.co, lanes, TailStrategy::GuardWithIf);
}

} // namespace convsmith::generic
