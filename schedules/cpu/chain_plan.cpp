// Planning side of the schedule of chains (schedule.h): which chains it takes, and the rows of a task.
#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "generators/variant.h"
#include "schedules/cpu/dense_plan.h"
#include "schedules/cpu/numbers.h"
#include "schedules/cpu/tiles.h"
#include "schedules/schedule.h"

#include <algorithm>

namespace convsmith::cpu {
namespace {

/// Why an op of a chain has no register tile; nothing if it has.
std::optional<std::string> reject_op(const ConvDesc &op, int lanes) {
    const std::string name = op_info(op.op).name;
    const bool is_conv = op.op == Op::Conv;
    if (!is_conv && !is_channelwise(op))
        return name + ": only convolutions and pools have register tiles";
    if (op.rearrange != Rearrange::None || op.indices != Indices::None)
        return name + ": rearranged output or indices";
    if (op.in_layout != Layout::ChannelsLast || op.out_layout != Layout::ChannelsLast)
        return "channels first: neighbouring channels lie far apart";
    if (op.in_type != op.acc_type || op.out_type != op.acc_type || is_integer(op.acc_type) ||
        (is_conv && op.weight_type != op.acc_type))
        return name + ": tuned for one floating point type throughout";
    if (op.rank != 2)
        return "rank " + std::to_string(op.rank) + ": tuned for two axes";
    if (is_channelwise(op) && (!leaves_out_padding(op) || (is_conv && op.groups != op.co)))
        return name + ": padding with values, or a channel multiplier";
    if (!is_channelwise(op) && op.groups > 1)
        return "grouped convolution";
    if (op.co < lanes)
        return name + ": " + std::to_string(op.co) + " channels, fewer than the " + std::to_string(lanes) +
               " lanes of a vector";
    return std::nullopt;
}

std::optional<std::string> reject(const ConvDesc &desc, const Target &target) {
    if (desc.is_open())
        return "open extents: register tiles need sizes at compile time";
    if (!desc.branches.empty())
        return "branches: only chains of single ops";
    for (const ConvDesc *op : ops_of(desc)) {
        if (auto reason = reject_op(*op, vector_lanes(target, desc.acc_type)))
            return reason;
    }
    return std::nullopt;
}

/// Bytes that a task of `rows` holds: what lies between ops, and the padded rows of dense ops.
int64_t task_bytes(const std::vector<const ConvDesc *> &ops, int rows) {
    int64_t total = 0, needed = rows;
    for (size_t i = ops.size(); i-- > 0;) {
        const ConvDesc &op = *ops[i];
        needed = (needed - 1) * op.stride[0] + effective_kernel(op.kernel[0], op.dilation[0]);
        const int64_t bytes = op.ci * static_cast<int64_t>(dtype_bytes(op.acc_type));
        if (!is_channelwise(op) && !is_pointwise(op))
            total += needed * (op.in[1] + op.pad_begin[1] + op.pad_end[1]) * bytes;
        needed = std::min<int64_t>(needed, op.in[0]);
        if (i > 0)
            total += needed * op.in[1] * bytes;
    }
    return total;
}

/// The most rows that keep a task within its budget, then such that tasks are equally high. Half of L2 leaves
/// the rest to weights, input and output; twice L2 where a window slides over what lies between, for lower
/// tasks compute more rows twice.
int choose_rows(const ConvDesc &desc, const Target &target) {
    const std::vector<const ConvDesc *> ops = ops_of(desc);
    const bool slides =
        std::any_of(ops.begin() + 1, ops.end(), [](const ConvDesc *op) { return op->kernel[0] > 1; });
    const int64_t budget = slides ? 2 * int64_t{target.l2_bytes} : target.l2_bytes / 2;
    const int most = out_extents(last_op(desc))[0];
    int rows = 1;
    while (rows < most && task_bytes(ops, rows + 1) <= budget)
        rows++;
    // Each task reads all weights; what lies between its halo and the next one's is computed twice.
    constexpr int kFewestRows = 7;
    rows = equal_part(most, rows);
    return choose_shared_rows(most, rows, fewest_tasks(desc), std::min(rows, kFewestRows));
}

/// All dense ops have the same: the cheapest of one alone; of several the class's favourite, or what the op
/// of the fewest channels fills, at least 2.
int choose_vectors(const ConvDesc &desc, const Target &target) {
    constexpr int kFewest = 2;
    std::vector<const ConvDesc *> dense;
    for (const ConvDesc *op : ops_of(desc))
        if (!is_channelwise(*op))
            dense.push_back(op);
    if (dense.size() == 1)
        return choose_co_vectors(target, *dense.front());
    const int lanes = vector_lanes(target, desc.acc_type);
    int vectors = numbers_of(target).dense.front().co_vectors;
    for (const ConvDesc *op : dense)
        vectors = std::min(vectors, std::max(kFewest, (op->co + lanes - 1) / lanes));
    return vectors;
}

Params complete(const ConvDesc &desc, const Target &target, const Params &params, int co_block) {
    const Numbers &numbers = numbers_of(target);
    const int lanes = vector_lanes(target, desc.acc_type);
    Params full = params;
    const int co_vectors =
        derive(full, "co_vectors", co_block != 0 ? co_block / lanes : choose_vectors(desc, target));
    check_co_vectors("chain", target, co_vectors, numbers.most_vectors(), lanes, co_block);
    int &rows = derive(full, "rows", choose_rows(desc, target));
    // A task is at least as high as the highest register tile.
    const int most = out_extents(last_op(desc))[0];
    rows = choose_task_rows(most, rows, std::min(2, most));
    return full;
}

} // namespace

SchedulePlanning chain_planning() {
    return {{
#include "schedules/cpu/chain_params.inc"
            },
            reject,
            complete,
            packing_by_vectors};
}

} // namespace convsmith::cpu
