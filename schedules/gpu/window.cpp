// Any algorithm but Winograd's on any GPU: each thread computes one output, neighbouring threads neighbours
// in memory; padding is inlined. No assumption on extents, groups, layouts or open sizes.
#include "schedules/gpu/window.h"

#include "schedules/gpu/threads.h"

namespace convsmith::gpu {

void schedule_window(ConvPipeline &conv, const Plan &) {
    const Halide::Var thread = deal_to_threads(conv.output, memory_order_of(conv));
    if (conv.acc.defined() && conv.acc.has_update_definition())
        conv.acc.compute_at(conv.output, thread);
    if (conv.sampled.defined()) // shared by all output channels
        deal_to_threads(conv.sampled.compute_root(), conv.sampled.args());
}

} // namespace convsmith::gpu
