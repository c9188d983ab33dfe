// Composites on any GPU: a kernel for each op, whose result waits in the device's memory; each thread
// computes one element. Branches of a concat write their channels of the one output.
#include "schedules/gpu/composite.h"

#include "schedules/gpu/threads.h"

namespace convsmith::gpu {

using Halide::LoopLevel;
using Halide::TailStrategy;
using Halide::Var;

namespace {

void schedule_sums(ConvPipeline &part, const LoopLevel &thread) {
    if (part.acc.defined() && part.acc.has_update_definition())
        part.acc.compute_at(thread);
    if (part.sampled.defined())
        deal_to_threads(part.sampled.compute_root(), part.sampled.args());
}

/// An op that a later one reads.
void schedule_between(ConvPipeline &part) {
    const Var thread = deal_to_threads(part.output.compute_root(), part.output.args());
    schedule_sums(part, LoopLevel(part.output, thread));
}

/// A branch's channels of the output; returns the loop over the threads of a block.
LoopLevel schedule_branch_output(ConvPipeline &conv, int branch) {
    constexpr int kChannels = 32;
    Halide::Stage stage = conv.output.update(branch);
    Var position = conv.at.front();
    std::vector<Var> others(conv.at.begin() + 1, conv.at.end());
    others.push_back(conv.n);
    for (const Var &other : others) {
        const Var fused("position_" + other.name());
        stage.fuse(position, other, fused);
        position = fused;
    }
    Var block("block"), thread("thread");
    Halide::RVar r_block("r_block"), r_thread("r_thread");
    stage.split(conv.branch_channels[branch], r_block, r_thread, kChannels, TailStrategy::GuardWithIf)
        .split(position, block, thread, kBlockThreads / kChannels, TailStrategy::GuardWithIf)
        .reorder({r_thread, thread, r_block, block})
        .gpu_threads(r_thread, thread)
        .gpu_blocks(r_block, block);
    return LoopLevel(conv.output, r_thread);
}

void schedule_branches(ConvPipeline &conv) {
    size_t next = 0;
    for (size_t b = 0; b < conv.desc.branches.size(); b++) {
        const LoopLevel thread = schedule_branch_output(conv, static_cast<int>(b));
        const size_t last = next + conv.desc.branches[b].then.size();
        for (; next < last; next++)
            schedule_between(conv.parts[next]);
        schedule_sums(conv.parts[next++], thread);
    }
}

} // namespace

void schedule_composite(ConvPipeline &conv, const Plan &) {
    if (conv.desc.op == Op::Concat)
        return schedule_branches(conv);
    const Var thread = deal_to_threads(conv.output, memory_order_of(conv));
    for (ConvPipeline &part : conv.parts) {
        if (part.output.name() == conv.output.name())
            schedule_sums(part, LoopLevel(conv.output, thread));
        else
            schedule_between(part);
    }
}

} // namespace convsmith::gpu
