// Planning side of the schedule of depthwise convolutions and pools, channels first (schedule.h): which
// problems it takes, and its numbers from register and cache arithmetic.
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "generators/variant.h"
#include "schedules/cpu/tiles.h"
#include "schedules/schedule.h"

#include <algorithm>

namespace convsmith::cpu {
namespace {

std::optional<std::string> reject(const ConvDesc &desc, const Target &) {
    if (auto reason = reject_channels_apart(desc))
        return reason;
    if (!is_planewise(desc))
        return "channels last: neighbouring positions lie far apart";
    return std::nullopt;
}

/// Whether rows are read in place, what lies beyond them masked out of vectors, if the class can: sums with
/// padding of zeros and rows of few vectors, for each of which a loop over rows has its code: more of it
/// loses what copying costs.
bool masks_columns(const ConvDesc &desc, const Target &target) {
    constexpr int kMostVectors = 4;
    constexpr int kMostTaps = 9; // of that many vectors
    const ConvDesc d = merge_trivial_axes(desc);
    const int x = d.rank - 1, lanes = vector_lanes(target, d.acc_type);
    const int64_t vectors = rounded_up(out_extents(d)[x], lanes) / lanes;
    return numbers_of(target).has_masked_loads && d.op == Op::Conv && d.pad_mode == PadMode::Zeros &&
           d.stride[x] == 1 && vectors <= kMostVectors &&
           vectors * spatial_product(d.kernel, d.rank) <= kMostVectors * kMostTaps;
}

/// Rows of the padded input that `rows` output rows read, all planes of a volume.
int64_t strip_rows(const ConvDesc &d, int rows) {
    int64_t count = 1;
    for (int a = 0; a + 1 < d.rank; a++) {
        const int outputs = a == d.rank - 2 ? rows : 1;
        count *= (outputs - 1) * d.stride[a] + effective_kernel(d.kernel[a], d.dilation[a]);
    }
    return count;
}

/// Bytes of a row of the strip: every phase starts and ends with a whole vector of padding.
int64_t strip_row_bytes(const ConvDesc &d, int lanes) {
    const int x = d.rank - 1;
    const int columns = (d.in[x] + d.pad_begin[x] + d.pad_end[x]) / d.stride[x] + 2 * lanes;
    return int64_t{columns} * d.stride[x] * static_cast<int64_t>(dtype_bytes(d.in_type));
}

/// The rows of a register tile that compute and load least for an output, the rows that overlapping tiles
/// compute twice included. Half of the loads span cache lines and cost like two. Every accumulator less than
/// what hides the latency of a multiply-add costs a little. Beside 8 accumulators, the weights of a column of
/// 5 taps and inputs fit 16 registers; half of them where rows in phases have more inputs alive at a time.
int choose_tile_y(const ConvDesc &d, const Target &target) {
    constexpr double kLatency = 0.03;
    if (d.rank == 1)
        return 1;
    const int y = d.rank - 2, out = out_extents(d)[y];
    const int most = numbers_of(target).accumulators / std::min(d.stride[d.rank - 1], 2);
    const double taps = static_cast<double>(spatial_product(d.kernel, d.rank));
    const auto cost = [&](int rows) {
        const double waste = static_cast<double>(rounded_up(out, rows)) / out;
        const double row_loads = taps / d.kernel[y] / rows;
        const int span = effective_kernel(d.kernel[y], d.dilation[y]);
        return waste * (1 + kLatency * (most - rows)) *
               (taps + 1.5 * row_loads * ((rows - 1) * d.stride[y] + span));
    };
    int best = 1;
    for (int rows = 2; rows <= std::min(most, out); rows++) {
        if (cost(rows) < cost(best))
            best = rows;
    }
    return best;
}

/// Whole tiles of rows whose padded input takes at most half of L1, and that compute and copy least, rows
/// that overlapping blocks compute or copy twice included. To copy a vector of the input takes as long as
/// some multiply-adds.
int choose_rows(const ConvDesc &d, const Target &target, int tile_y, int lanes) {
    constexpr double kCopy = 3.5;
    const int out = d.rank == 1 ? 1 : out_extents(d)[d.rank - 2];
    if (masks_columns(d, target)) // no strip
        return out;
    const double taps = static_cast<double>(spatial_product(d.kernel, d.rank));
    const auto cost = [&](int rows) {
        const int blocks = (out + rows - 1) / rows;
        return blocks *
               (rows * taps + kCopy * d.stride[d.rank - 1] * static_cast<double>(strip_rows(d, rows)));
    };
    int best = tile_y;
    for (int most = 2 * tile_y; most < out + tile_y; most += tile_y) {
        const int rows = std::min(most, out);
        if (strip_rows(d, rows) * strip_row_bytes(d, lanes) > target.l1_bytes / 2)
            break;
        if (cost(rows) < cost(best))
            best = rows;
    }
    return best;
}

/// Channels of a task: about 512 KiB of input and output, several times what handing it out costs; at least 8
/// tasks where there are as many channels.
int choose_channels(const ConvDesc &d) {
    constexpr int64_t kTaskBytes = 512 * 1024;
    constexpr int kTasks = 8;
    const int64_t bytes =
        spatial_product(d.in, d.rank) * static_cast<int64_t>(dtype_bytes(d.in_type)) +
        spatial_product(out_extents(d), d.rank) * static_cast<int64_t>(dtype_bytes(d.out_type));
    const int64_t most = std::max<int64_t>(1, kTaskBytes / bytes);
    return static_cast<int>(std::clamp<int64_t>(d.co / kTasks, 1, most));
}

/// Channels whose padded planes take half of L1: what was stored is then read after some time, for vectors
/// that span several stores wait until those have left the store buffer. One of a plane cut into blocks.
int choose_strip_channels(const ConvDesc &d, const Target &target, int rows, int lanes) {
    if (masks_columns(d, target) || (d.rank > 1 && rows < out_extents(d)[d.rank - 2]) || d.rank > 2 ||
        !keeps_channels(d))
        return 1;
    const int64_t bytes = strip_rows(d, rows) * strip_row_bytes(d, lanes);
    return static_cast<int>(std::max<int64_t>(1, target.l1_bytes / 2 / bytes));
}

Params complete(const ConvDesc &desc, const Target &target, const Params &params, int co_block) {
    const int lanes = vector_lanes(target, desc.acc_type);
    const ConvDesc d = merge_trivial_axes(desc);
    const Spatial out = out_extents(d);
    const int out_x = out[d.rank - 1], out_y = d.rank == 1 ? 1 : out[d.rank - 2];
    Params full = params;
    int &x_vectors = derive(full, "x_vectors", 1);
    x_vectors = std::clamp(x_vectors, 1, std::max(1, out_x / lanes));
    int &tile_y = derive(full, "tile_y", choose_tile_y(d, target));
    tile_y = std::min(tile_y, out_y);
    int &rows = derive(full, "rows", choose_rows(d, target, tile_y, lanes));
    rows = std::clamp(rows, tile_y, out_y);
    int &channels = derive(full, "channels", choose_channels(d));
    channels = std::min(channels, d.co);
    int &strip_channels = derive(full, "strip_channels", choose_strip_channels(d, target, rows, lanes));
    strip_channels = keeps_channels(d) ? equal_part(channels, strip_channels) : 1;
    const int registers = x_vectors * tile_y + 2;
    if (registers > target.vector_registers)
        throw Error(ErrorCode::BadArgument, target.name + " planewise: x_vectors x tile_y needs " +
                                                std::to_string(registers) + " registers, the target has " +
                                                std::to_string(target.vector_registers));
    full["co_block"] = co_block != 0 ? co_block : std::max(1, full["co_block"]);
    return full;
}

} // namespace

SchedulePlanning planewise_planning() {
    return {{
#include "schedules/cpu/planewise_params.inc"
            },
            reject,
            complete,
            packing_by_co_block,
            nullptr,
            /* copies_rows */ true,
            masks_columns};
}

} // namespace convsmith::cpu
