// Composites on any target: tasks are blocks of output rows; the rows of every op in between that a block
// needs are computed for that block and kept while it runs. Channels are vector lanes.
#include "schedules/generic/composite.h"

#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "generators/variant.h"
#include "schedules/vector_loads.h"

namespace convsmith::generic {

using Halide::Func;
using Halide::LoopLevel;
using Halide::MemoryType;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;
using Halide::VarOrRVar;

namespace {

/// The accumulator of one vector of channels at one position of `at`.
void schedule_accumulator(ConvPipeline &part, const LoopLevel &at, int lanes) {
    if (!part.acc.defined() || !part.acc.has_update_definition())
        return;
    part.acc.compute_at(at).store_in(MemoryType::Stack);
    if (part.filter.defined() &&
        !keeps_channels(part.desc)) // the packed filter has zeros for lanes beyond the last channel
        part.acc.align_bounds(part.co, lanes).bound_extent(part.co, lanes);
    part.acc.vectorize(part.co, lanes, TailStrategy::GuardWithIf);
    if (part.r_ci)
        part.acc.update().reorder(part.co, *part.r_ci);
    if (!reads_beyond_input(part.desc))
        part.acc.update().vectorize(part.co, lanes, TailStrategy::GuardWithIf);
    else if (!part.r_ci)
        part.acc.update().unscheduled(); // deliberately as it stands
    if (part.sampled.defined())
        part.sampled.compute_at(at);
}

/// The accumulators of an op: those of a rearranged one, whose channels and positions are scattered, all at
/// once for a task.
void schedule_sums(ConvPipeline &part, const LoopLevel &task, const LoopLevel &channels, int lanes) {
    if (part.desc.rearrange != Rearrange::None && part.acc.has_update_definition())
        part.acc.compute_at(task).store_in(MemoryType::Heap);
    else
        schedule_accumulator(part, channels, lanes);
}

/// Whole rows of an op that a later one reads: computed per task, or per image if the later one needs a whole
/// image.
void schedule_between(ConvPipeline &part, const LoopLevel &task, int lanes) {
    Var co_o("co_o"), co_i("co_i");
    std::vector<VarOrRVar> order = {co_i, co_o};
    order.insert(order.end(), part.at.begin(), part.at.end());
    part.output.compute_at(task)
        .store_in(MemoryType::Heap)
        .split(part.co, co_o, co_i, lanes, TailStrategy::GuardWithIf)
        .reorder(order);
    if (part.acc.has_update_definition() || !reads_beyond_input(part.desc))
        part.output.vectorize(co_i);
    schedule_sums(part, task, LoopLevel(part.output, co_o), lanes);
}

/// Variables of one stage of the output.
struct StageLoops {
    LoopLevel task, channels, image;
};

/// Splits a stage of the output into blocks of rows and vectors of channels.
StageLoops schedule_stage(ConvPipeline &conv, Halide::Stage stage, const VarOrRVar &channel, int lanes,
                          int rows) {
    const bool is_update = channel.is_rvar;
    Var co_o("co_o"), co_i("co_i"), task(conv.output.name() + "_task_" + channel.name()), y_i("y_i");
    RVar r_o("r_co_o"), r_i("r_co_i");
    std::vector<VarOrRVar> order;
    if (is_update) {
        stage.split(channel.rvar, r_o, r_i, lanes, TailStrategy::GuardWithIf);
        order = {r_i, r_o};
    } else {
        stage.split(channel.var, co_o, co_i, lanes, TailStrategy::GuardWithIf);
        order = {co_i, co_o};
    }
    const VarOrRVar vector = order[0];
    order.insert(order.end(), conv.at.begin(), conv.at.end() - 1);
    stage.split(conv.at.back(), task, y_i, rows, TailStrategy::GuardWithIf);
    order.insert(order.end(), {y_i, task, conv.n});
    stage.reorder(order).parallel(task);
    const bool reads_input =
        conv.desc.op == Op::Excite || conv.parts.empty() || !conv.parts.back().acc.has_update_definition();
    if (!(reads_input && reads_beyond_input(conv.desc)))
        stage.vectorize(vector);
    return {LoopLevel(conv.output, task),
            is_update ? LoopLevel(conv.output, r_o) : LoopLevel(conv.output, co_o),
            LoopLevel(conv.output, conv.n)};
}

void schedule_branches(ConvPipeline &conv, int lanes, int rows) {
    size_t next = 0;
    for (size_t b = 0; b < conv.desc.branches.size(); b++) {
        const StageLoops loops = schedule_stage(conv, conv.output.update(static_cast<int>(b)),
                                                conv.branch_channels[b], lanes, rows);
        const size_t ops = conv.desc.branches[b].then.size() + 1;
        for (size_t i = 0; i + 1 < ops; i++)
            schedule_between(conv.parts[next + i], loops.task, lanes);
        schedule_sums(conv.parts[next + ops - 1], loops.task, loops.channels, lanes);
        next += ops;
    }
}

} // namespace

void schedule_composite(ConvPipeline &conv, const Plan &plan) {
    const int lanes = plan.params.at("co_block");
    int rows = plan.params.at("rows");
    if (conv.desc.op == Op::Concat)
        return schedule_branches(conv, lanes, rows);
    const ConvDesc &last = conv.parts.back().desc;
    if (flattens_positions(last, conv.packing))
        rows *= row_positions(last);
    const bool is_rearranged = last.rearrange != Rearrange::None;
    const StageLoops loops = schedule_stage(conv, conv.output, conv.co,
                                            is_rearranged ? rearranged_lanes(last, lanes) : lanes, rows);
    const size_t squeezed = conv.desc.branches.empty() ? 0 : ops_of(conv.desc.branches[0]).size();
    const bool ends_in_part = squeezed < conv.parts.size();
    for (size_t i = 0; i < conv.parts.size(); i++) {
        if (ends_in_part && i + 1 == conv.parts.size())
            schedule_sums(conv.parts[i], loops.task, loops.channels, lanes);
        else
            schedule_between(conv.parts[i], i < squeezed ? loops.image : loops.task, lanes);
    }
}

} // namespace convsmith::generic
