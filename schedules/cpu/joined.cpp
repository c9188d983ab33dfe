// Grouped convolution with few channels per group: direct.cpp with the filter filled up with zeros once per
// call.
#include "schedules/cpu/joined.h"

#include "schedules/cpu/direct.h"

namespace convsmith::cpu {

using Halide::TailStrategy;

void schedule_joined(ConvPipeline &conv, const Plan &plan) {
    const Halide::Var co_i = conv.joined.args()[0];
    conv.joined.compute_root()
        .store_in(Halide::MemoryType::Heap)
        .bound(co_i, 0, conv.packing.co_block)
        .vectorize(co_i, vector_lanes(plan.target, conv.desc.acc_type), TailStrategy::RoundUp);
    schedule_direct(conv, plan);
}

} // namespace convsmith::cpu
