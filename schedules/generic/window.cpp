// Any algorithm on any target: output channels are vector lanes, one output position at a time, padding
// inlined. No assumption on extents, groups, layouts or open sizes.
#include "schedules/generic/window.h"

#include "generators/conv_shape.h"
#include "generators/variant.h"
#include "schedules/vector_loads.h"

namespace convsmith::generic {

using Halide::MemoryType;
using Halide::TailStrategy;
using Halide::Var;

namespace {

constexpr int kChunk = 64; // flat positions per parallel task: enough work to pay for handing it out

/// Channels computed at once: a block of packed weights, or, where channels are kept apart, a vector.
int lanes_of(const ConvPipeline &conv, const Plan &plan) {
    if (!keeps_channels(conv.desc))
        return conv.packing.co_block;
    if (conv.desc.in_layout == Layout::ChannelsFirst)
        return 1; // neighbouring channels lie far apart
    const int most = vector_lanes(plan.target, conv.desc.acc_type);
    int lanes = 1;
    while (lanes * 2 <= std::min(most, stored_channels(conv.desc)))
        lanes *= 2;
    return lanes;
}

/// Loops over positions, outermost parallel; returns the variable of a task.
Var schedule_positions(ConvPipeline &conv, Var co_i, Var co_o) {
    Var &outermost = conv.at.back();
    Var task("task"), within("within");
    const bool is_flat = flattens_positions(conv.desc) || (is_planewise(conv.desc) && conv.at.size() == 1);
    const bool moves_in_space = !is_flat && conv.desc.rearrange != Rearrange::None;
    if (is_flat || moves_in_space) {
        // Blocks of rows that are rearranged together share what they read.
        const int chunk = moves_in_space ? conv.desc.rearrange_factor : kChunk;
        conv.output.split(outermost, task, within, chunk, TailStrategy::GuardWithIf);
    } else {
        task = outermost;
    }
    std::vector<Halide::VarOrRVar> order(conv.at.begin(), conv.at.end() - 1);
    if (task.name() != outermost.name())
        order.emplace_back(within);
    // The loop over what lies closest in memory is innermost.
    const bool channels_outside = keeps_channels(conv.desc) && conv.desc.in_layout == Layout::ChannelsFirst;
    order.insert(channels_outside ? order.end() : order.begin(), {co_i, co_o});
    order.emplace_back(task);
    order.emplace_back(conv.n);
    conv.output.reorder(order).parallel(task).parallel(conv.n);
    return task;
}

/// The accumulator of one vector of channels at one position.
void schedule_accumulator(ConvPipeline &conv, Var co_o, int lanes) {
    conv.acc.compute_at(conv.output, co_o).store_in(MemoryType::Stack);
    if (!keeps_channels(conv.desc))
        conv.acc.align_bounds(conv.co, lanes);
    conv.acc.bound_extent(conv.co, lanes).vectorize(conv.co, lanes, TailStrategy::RoundUp);
}

/// The accumulators that a task's rearranged outputs are taken from.
void schedule_rearranged(ConvPipeline &conv, Var task, int lanes) {
    const TailStrategy tail = keeps_channels(conv.desc) ? TailStrategy::ShiftInwards : TailStrategy::RoundUp;
    conv.acc.compute_at(conv.output, task).store_in(MemoryType::Heap);
    if (conv.desc.co >= lanes)
        conv.acc.vectorize(conv.co, lanes, tail);
}

} // namespace

void schedule_window(ConvPipeline &conv, const Plan &plan) {
    const int lanes = lanes_of(conv, plan);
    const bool is_rearranged = conv.desc.rearrange != Rearrange::None;
    Var co_o("co_o"), co_i("co_i");

    // Where channels are kept apart, lanes beyond the last channel would read beyond the input: the last
    // vector is shifted instead.
    conv.output.split(conv.co, co_o, co_i, is_rearranged ? rearranged_lanes(conv.desc, lanes) : lanes,
                      keeps_channels(conv.desc) && !is_rearranged ? TailStrategy::ShiftInwards
                                                                  : TailStrategy::GuardWithIf);
    if (!reads_beyond_residual(conv.desc))
        conv.output.vectorize(co_i);
    const Var task = schedule_positions(conv, co_i, co_o);
    if (!conv.acc.has_update_definition())
        return; // nothing is accumulated: inlined
    if (is_rearranged)
        schedule_rearranged(conv, task, lanes);
    else
        schedule_accumulator(conv, co_o, lanes);
    if (conv.r_ci)
        conv.acc.update().reorder(conv.co, *conv.r_ci);
    if (!reads_beyond_input(conv.desc))
        conv.acc.update().vectorize(conv.co, lanes, TailStrategy::GuardWithIf);
    else if (!conv.r_ci)
        conv.acc.update().unscheduled(); // deliberately as it stands
    if (conv.sampled.defined()) {
        conv.sampled.compute_at(conv.output, is_rearranged ? task : conv.at[0]);
        if (conv.desc.in_layout == Layout::ChannelsLast && conv.desc.ci >= 8)
            conv.sampled.vectorize(conv.ci, 8, TailStrategy::ShiftInwards);
    }
}

} // namespace convsmith::generic
