// Planning side of the direct schedule (schedule.h): which problems it takes, and its numbers from
// register and cache arithmetic.
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "generators/variant.h"
#include "schedules/cpu/dense_plan.h"
#include "schedules/cpu/tiles.h"
#include "schedules/schedule.h"

#include <algorithm>

namespace convsmith::cpu {
namespace {

std::optional<std::string> reject(const ConvDesc &desc, const Target &target) {
    if (!desc.is_open() && desc.rearrange == Rearrange::None && !flattens_positions(desc))
        return "depthwise: channelwise and planewise are tuned for it";
    return reject_dense_tile(desc, target);
}

bool has_one_position(const ConvDesc &desc) {
    return spatial_product(out_extents(desc), desc.rank) == 1;
}

/// Such a layer, a fully connected one, is bound by the loads of the weights. The most accumulators hide the
/// latency; fewer where zero weights would be more than 1/16.
int choose_fully_connected_vectors(int most, int co, int lanes) {
    for (int vectors = most; vectors > 1; vectors--) {
        const int block = vectors * lanes;
        if (16 * rounded_up(co, block) <= 17 * int64_t{co})
            return vectors;
    }
    return std::min(most, (co + lanes - 1) / lanes);
}

/// As many streams of at least kFewest channels as the class reads; fewer where they do not divide the
/// channels or would take more accumulators than there are.
int choose_streams(const ConvDesc &desc, const Target &target, int co_vectors) {
    constexpr int kFewest = 64;
    const Numbers &numbers = numbers_of(target);
    const int ci = desc.ci / desc.groups;
    int streams = has_one_position(desc) ? numbers.streams : 1;
    while (streams > 1 && (ci % streams != 0 || ci / streams < kFewest ||
                           streams * co_vectors > numbers.one_position_vectors))
        streams /= 2;
    return streams;
}

int choose_vectors(const ConvDesc &desc, const Target &target) {
    if (desc.groups == 1 && has_one_position(desc))
        return choose_fully_connected_vectors(numbers_of(target).one_position_vectors /
                                                  choose_streams(desc, target, 1),
                                              desc.co, vector_lanes(target, desc.acc_type));
    return choose_co_vectors(target, desc, /* blocks_ci */ true);
}

/// Whether tiles within rows may leave out rows of taps. Not where inputs wait in vectors for their lanes'
/// turn: Halide then no longer knows how many.
bool may_leave_out_rows(const ConvDesc &merged, const Target &target) {
    return merged.rank > 1 && !target.multiplies_by_lane && leaves_out_rows(merged);
}

int vectors_of(const ConvDesc &merged, const Target &target) {
    const int lanes = vector_lanes(target, merged.acc_type);
    return (merged.co / merged.groups + lanes - 1) / lanes;
}

/// Time of a register tile over the outputs of a merged problem, in multiply-adds of the class's favourite.
double tile_time(const ConvDesc &merged, const Target &target, int co_vectors, int positions) {
    const DenseShape &largest = numbers_of(target).shape(co_vectors);
    const int64_t computed = rounded_up(spatial_product(out_extents(merged), merged.rank), positions) *
                             rounded_up(vectors_of(merged, target), co_vectors);
    return static_cast<double>(computed) * largest.cost * smaller_tile_cost(positions, largest.positions);
}

/// The register tile within rows that takes least time where taps beyond the borders are left out, if that is
/// less than the usual one of `co_vectors` takes with all of them; of `co_vectors`, too, if these
/// `are_fixed`. 3x3x3 of 512 channels at 2x7x7: 3 vectors by 7 positions instead of 4 by 6 took 0.75 of the
/// time (AVX-512).
std::optional<DenseShape> choose_row_shape(const ConvDesc &merged, const Target &target, int co_vectors,
                                           bool are_fixed) {
    const Numbers &numbers = numbers_of(target);
    if (merged.groups > 1 || co_vectors > numbers.most_vectors() || !may_leave_out_rows(merged, target))
        return std::nullopt;
    const Spatial out = out_extents(merged);
    const int row = out[merged.rank - 1];
    const int usual = choose_tile_p(numbers, co_vectors, spatial_product(out, merged.rank), row);
    const double inside = 1 - padded_share(merged, merged.rank - 1);
    std::optional<DenseShape> best;
    double least = tile_time(merged, target, co_vectors, usual);
    for (const DenseShape &shape : numbers.dense) {
        if (are_fixed ? shape.co_vectors != co_vectors : shape.co_vectors > vectors_of(merged, target))
            continue;
        for (int tile = shape.positions; tile * shape.co_vectors > numbers.accumulators; tile--) {
            const double time = tile_time(merged, target, shape.co_vectors, tile) * inside;
            if (row % tile == 0 && time < least)
                best = {shape.co_vectors, tile}, least = time;
        }
    }
    return best;
}

int64_t weight_bytes(const ConvDesc &d) {
    return int64_t{d.co} * (d.ci / d.groups) * spatial_product(d.kernel, d.rank) *
           static_cast<int64_t>(dtype_bytes(d.weight_type));
}

/// Whether the weights, which every block reads, take more than L2.
bool has_far_weights(const ConvDesc &d, const Target &target) {
    return weight_bytes(d) > target.l2_bytes;
}

/// Part of L2 beyond which weights of a block of channels are read from L3 for every tile, and that of those
/// that stay beside input and sums. Seen on Ice Lake: 3x3x3 of 512 channels 1.6 times, 3x3 of 512 channels
/// stride 2 1.1 times as fast in blocks, 3x3 of 256 channels 0.9 times.
constexpr double kFarPanel = 0.75, kNearPanel = 0.25;

/// Part of L2 that the weights of `ci` channels take beside a block of output channels.
double panel_part(const ConvDesc &d, const Target &target, int co_vectors, int ci) {
    return static_cast<double>(co_vectors) * target.vector_bytes * ci *
           static_cast<double>(spatial_product(d.kernel, d.rank)) / target.l2_bytes;
}

/// The most channels of a block whose weights stay near; all where those of all do, or no divisor is that
/// small.
int near_channels(const ConvDesc &d, const Target &target, int co_vectors) {
    const int ci = d.ci / d.groups;
    if (panel_part(d, target, co_vectors, ci) <= kFarPanel)
        return ci;
    constexpr int kFewest = 16;
    for (int block = ci / 2; block >= kFewest; block--) {
        if (ci % block == 0 && panel_part(d, target, co_vectors, block) <= kNearPanel)
            return block;
    }
    return ci;
}

/// Whether the stores of outputs take longer than their sums: as many as L2 does not hold, of few products
/// each. Then a tile of positions is computed for all blocks of channels, before the next tile is: its
/// outputs, and a residual, become whole lines and pages one after the other, as memory likes them. 128 to
/// 512 channels at 28x28, with a residual, took 1.5 times as long (AVX2 on Ice Lake), 3 to 64 channels at
/// 224x224 1.8 times.
bool stores_much(const ConvDesc &desc) {
    constexpr int kFewProducts = 384, kManyBytes = 128 * 1024;
    const int64_t outputs = int64_t{desc.co} * spatial_product(out_extents(desc), desc.rank);
    return desc.groups == 1 && desc.out_layout == Layout::ChannelsLast && !has_one_position(desc) &&
           spatial_product(desc.kernel, desc.rank) * desc.ci <= kFewProducts &&
           outputs * static_cast<int64_t>(dtype_bytes(desc.out_type)) > kManyBytes;
}

int channel_blocks(const ConvDesc &desc, const Target &target, int co_vectors) {
    const int block = co_vectors * vector_lanes(target, desc.acc_type);
    return (desc.co + block - 1) / block;
}

/// Blocks that threads may find for sharing at most: of no fewer positions than reading the weights again is
/// worth, and whose halo, which each copies, is a third of its rows, or as high where it makes two of one.
int64_t most_shared_blocks(const ConvDesc &merged) {
    constexpr int kFewestPositions = 48;
    const int all = out_extents(merged)[0];
    const int halo = (effective_kernel(merged.kernel[0], merged.dilation[0]) - 1) / merged.stride[0];
    const int of_rows = halo == 0 ? all : std::max(all / (3 * halo), all >= 2 * halo ? 2 : 1);
    return std::min<int64_t>(of_rows,
                             std::max<int64_t>(2, int64_t{row_positions(merged)} * all / kFewestPositions));
}

/// Rows that a block of the merged problem has at most: all where threads share blocks of channels equally,
/// else so many that there are blocks of rows to share, of each image; groups share lines of the output.
int choose_most_rows(const ConvDesc &merged, const Target &target, const Params &params) {
    const int all = out_extents(merged)[0], blocks = channel_blocks(merged, target, params.at("co_vectors"));
    const int co_blocks = params.at("co_blocks"), tasks = (blocks + co_blocks - 1) / co_blocks;
    if (merged.n == 1 && tasks > 1 && are_shared_equally(tasks))
        return all;
    const int images = merged.groups_are_images ? 1 : merged.n;
    const int64_t wanted = std::min<int64_t>(fewest_tasks(merged), most_shared_blocks(merged));
    const int64_t of_image = (wanted + images - 1) / images;
    return static_cast<int>((all + of_image - 1) / of_image);
}

/// At most `rows` of `all` rows, such that threads share the blocks equally.
int choose_shared_blocks(int all, int rows) {
    const int blocks = (all + rows - 1) / rows;
    return blocks == 1 || are_shared_equally(blocks) ? rows : equal_part(all, (all + blocks) / (blocks + 1));
}

/// The divisor of `all` rows next to `rows`, of which threads share the blocks equally, if it is near; else
/// `rows`. Where the last block overlaps the one before, its tiles are not seen to begin with rows.
int choose_whole_blocks(int all, int rows) {
    if (all % rows == 0)
        return rows;
    const int whole = choose_shared_rows(all, rows, 2, 1);
    const bool is_near = whole * 3 >= rows * 2 && whole <= rows * 2;
    return is_near && are_shared_equally(all / whole) ? whole : rows;
}

/// At most `most` rows of a block of the merged problem such that blocks are equally high and a block's input
/// takes about L2, or Numbers::strip of it where every element serves several taps (twice L2 where weights
/// come from beyond it, for lower blocks read these more often): it is read once per block of co_block
/// channels, while lower blocks copy more halo rows and stream the weights more often. All rows where
/// channels come in blocks, if the workspace holds them: a block reads its part only.
int choose_rows(const ConvDesc &d, const Target &target, int co_vectors, int most) {
    const Spatial out = out_extents(d);
    const bool is_gathered = is_pointwise(d); // strided
    int64_t row_bytes = static_cast<int64_t>(d.ci) * static_cast<int64_t>(dtype_bytes(d.in_type));
    for (int a = 1; a < d.rank; a++)
        row_bytes *= is_gathered ? out[a] : d.in[a] + d.pad_begin[a] + d.pad_end[a];
    const int64_t all_rows = d.in[0] + d.pad_begin[0] + d.pad_end[0];
    if (near_channels(d, target, co_vectors) < d.ci / d.groups && all_rows * row_bytes <= kMostWorkspace)
        return out[0];
    constexpr double kFarStrip = 2;
    const bool is_window = spatial_product(d.kernel, d.rank) > 1;
    const double part = !is_window ? 1 : has_far_weights(d, target) ? kFarStrip : numbers_of(target).strip;
    const auto budget = static_cast<int64_t>(part * target.l2_bytes);
    const int64_t strip_rows = std::max<int64_t>(1, budget / std::max<int64_t>(1, row_bytes));
    const int64_t span = effective_kernel(d.kernel[0], d.dilation[0]);
    const int64_t rows =
        std::clamp<int64_t>(is_gathered ? strip_rows : (strip_rows - span) / d.stride[0] + 1, 1, out[0]);
    const int shared = choose_shared_blocks(out[0], equal_part(out[0], std::min<int64_t>(rows, most)));
    return d.rank > 1 ? choose_whole_blocks(out[0], shared) : shared;
}

/// Whether the merged problem is a matrix product over positions as they lie.
bool reads_in_place(const ConvDesc &merged) {
    return merged.rank == 1 && is_pointwise(merged) && merged.stride[0] == 1 &&
           merged.in_layout == Layout::ChannelsLast;
}

/// Positions of a block of such a problem, about `most` at most: all, if their input fits its part of L2.
/// Else of equal blocks, filled up to whole register tiles, those that compute least, and whose input takes
/// about a smaller part of it: it is near for every block of channels while all weights stream past; larger
/// blocks read both from L2, where positions of many channels share few sets. Where weights are so many that
/// even L3 does not hold them, blocks are as large as L2 allows: 1024 to 2048 channels took 0.6 of the time
/// on Ice Lake.
int choose_positions(const ConvDesc &d, const Target &target, int co_vectors, int most) {
    const Numbers &numbers = numbers_of(target);
    const int all = out_extents(d)[0], largest_tile = std::max(1, numbers.largest(co_vectors));
    const int64_t position_bytes = int64_t{d.ci} * static_cast<int64_t>(dtype_bytes(d.in_type));
    const auto part_of_l2 = [&](double part) { return static_cast<int64_t>(part * target.l2_bytes); };
    const bool fits_whole = all * position_bytes <= part_of_l2(numbers.whole_positions);
    if (most == all && fits_whole)
        return all;
    constexpr double kStreamedWeights = 0.75;
    const int64_t bytes = part_of_l2(weight_bytes(d) >= kShareOfL3 ? kStreamedWeights
                                     : has_far_weights(d, target)  ? numbers.block_far_weights
                                                                   : numbers.block_positions);
    const auto fitting = static_cast<int>(std::clamp<int64_t>(bytes / position_bytes, 1, all));
    const int wanted = std::min(fitting, most);
    // Fewer blocks than threads would like may compute less twice, down to two.
    const int largest = most == all  ? wanted * 3 / 2
                        : fits_whole ? (all + 1) / 2
                                     : std::min(fitting * 3 / 2, (all + 1) / 2);
    const int highest = std::min(all, std::max(3 * largest_tile, largest));
    const int lowest = std::min(highest, std::max(2 * largest_tile, wanted / 2));
    constexpr double kUnequal = 1.15; // computing a seventh twice costs less than unequal shares
    int best = highest;
    double least = 0;
    for (int64_t blocks = (all + highest - 1) / highest; blocks <= all; blocks++) {
        const auto block = static_cast<int>((all + blocks - 1) / blocks);
        if (block < lowest && least > 0)
            break;
        const int tile = choose_tile_p(numbers, co_vectors, block);
        const int64_t computed = rounded_up(block, tile);
        const double cost = static_cast<double>(blocks * computed) * smaller_tile_cost(tile, largest_tile) *
                            (blocks == 1 || are_shared_equally(blocks) ? 1 : kUnequal);
        if (least == 0 || cost < least)
            best = static_cast<int>(std::min<int64_t>(computed, all)), least = cost;
    }
    return best;
}

/// Whether LLVM 14 spills an accumulator where several channels of a strided window are unrolled: seen with
/// tiles of 31 of 32 registers. So many multiply-adds hide the loop's own instructions.
bool spills_if_unrolled(const ConvDesc &merged, const Target &target, const Params &params) {
    constexpr int kManyRegisters = 32;
    return merged.stride[merged.rank - 1] > 1 && !is_pointwise(merged) && merged.ci / merged.groups > 4 &&
           target.vector_registers >= kManyRegisters &&
           dense_registers(target, params.at("co_vectors"), params.at("tile_p")) >
               target.vector_registers - 2;
}

/// Output positions of a block of rows of the merged problem.
int64_t block_positions(const ConvDesc &merged, const Params &params) {
    return int64_t{row_positions(merged)} * params.at("rows");
}

/// Whether tiles of a block of positions can be whole: what they compute beyond the last is that of the last
/// position, which a strip of rows of an earlier block does not hold.
bool can_fill_tiles(const ConvDesc &merged, const Params &params) {
    return params.at("rows") >= out_extents(merged)[0] || reads_in_place(merged) ||
           block_positions(merged, params) % params.at("tile_p") == 0;
}

/// `tile`, or where tiles must be whole and it does not divide the positions of a block, the most that do and
/// hide the latency of a multiply-add; `tile` if none does.
int choose_whole_tile(const ConvDesc &merged, const Numbers &numbers, const Params &params, int tile) {
    Params whole = params;
    for (int fewer = tile; fewer * params.at("co_vectors") > numbers.accumulators; fewer--) {
        whole["tile_p"] = fewer;
        if (can_fill_tiles(merged, whole))
            return fewer;
    }
    return tile;
}

/// Whether a block of positions is one tile, which nothing would be near for.
bool is_one_tile(const ConvDesc &merged, const Params &params) {
    return block_positions(merged, params) <= params.at("tile_p");
}

/// Whether tiles along the only axis leave out taps that lie in their padding of zeros, 5 % of all or more:
/// if none is shifted, so that a tile is known by its positions.
bool leaves_out_along(const ConvDesc &merged, const Params &params) {
    constexpr double kLeast = 0.05;
    const int all = out_extents(merged)[0], tile = params.at("tile_p"), rows = params.at("rows");
    const auto ci_block = params.find("ci_block"); // joined has none
    const bool is_one_sum = ci_block == params.end() || ci_block->second == merged.ci / merged.groups;
    if (merged.rank != 1 || merged.pad_mode != PadMode::Zeros || all % rows != 0 || rows % tile != 0 ||
        !is_one_sum)
        return false;
    const int taps = merged.kernel[0], end = merged.pad_begin[0] + merged.in[0];
    int64_t left_out = 0;
    for (int at = 0; at < all; at += tile) {
        for (int tap = 0; tap < taps; tap++) {
            const int64_t first = int64_t{at} * merged.stride[0] + int64_t{tap} * merged.dilation[0];
            const int64_t last = first + int64_t{tile - 1} * merged.stride[0];
            left_out += last < merged.pad_begin[0] || first >= end ? 1 : 0;
        }
    }
    return static_cast<double>(left_out) > kLeast * taps * (static_cast<double>(all) / tile);
}

bool leaves_out_taps(const ConvDesc &desc, const Target &target, const Params &params) {
    const ConvDesc merged = merge_trivial_axes(desc);
    return leaves_out_along(merged, params) ||
           (may_leave_out_rows(merged, target) && row_tile(desc, params) > 0);
}

/// The input channels of a block: all, too, where a block of positions is one tile, or its tiles cannot be
/// whole.
int choose_ci_block(const ConvDesc &merged, const Target &target, const Params &params) {
    return is_one_tile(merged, params) || !can_fill_tiles(merged, params)
               ? merged.ci / merged.groups
               : near_channels(merged, target, params.at("co_vectors"));
}

/// Why weights of the problem are not prefetched block by block; nothing if they may be.
std::optional<std::string> reject_prefetch(const ConvDesc &d, const Target &target) {
    if (has_one_position(d))
        return "those of one position are read in streams";
    return reject_near_weights(weight_bytes(d), target);
}

bool settles(const ConvDesc &desc, const Target &target, const std::string &number) {
    if (number == "streams")
        return !has_one_position(desc);
    if (number == "co_blocks")
        return !stores_much(desc);
    if (number == "prefetch")
        return reject_prefetch(desc, target).has_value();
    const int most = numbers_of(target).most_vectors();
    return number == "ci_block" &&
           (has_one_position(desc) || panel_part(desc, target, most, desc.ci / desc.groups) <= kNearPanel);
}

/// Throws Error(BadArgument) for streams that are none.
void check_streams(const ConvDesc &desc, const Target &target, const Params &params) {
    const int streams = params.at("streams"), ci = desc.ci / desc.groups;
    const int most = numbers_of(target).one_position_vectors / params.at("co_vectors");
    if (streams > 1 &&
        (!has_one_position(desc) || streams > most || ci % (streams * params.at("unroll_ci")) != 0))
        throw Error(ErrorCode::BadArgument,
                    target.name + " direct: streams is " + std::to_string(streams) +
                        ", want 1, or with one output position at most " + std::to_string(most) +
                        " that times unroll_ci divide ci / groups = " + std::to_string(ci));
}

/// Throws Error(BadArgument) for more blocks of output channels than there are, and for several where a block
/// sums in parts.
void check_co_blocks(const ConvDesc &desc, const Target &target, const Params &params) {
    const int co_blocks = params.at("co_blocks");
    const int blocks = channel_blocks(desc, target, params.at("co_vectors"));
    const bool is_one_sum = params.at("ci_block") == desc.ci / desc.groups && params.at("streams") == 1;
    const int most = is_one_sum && desc.groups == 1 ? blocks : 1;
    if (co_blocks > most)
        throw Error(ErrorCode::BadArgument,
                    target.name + " direct: co_blocks is " + std::to_string(co_blocks) + ", want 1 to " +
                        std::to_string(most) + ": of " + std::to_string(blocks) +
                        " blocks, one where there are groups, streams or blocks of input channels");
}

/// Throws Error(BadArgument) for weights that are not prefetched.
void check_prefetch(const ConvDesc &desc, const Target &target, const Params &params) {
    const auto reason = reject_prefetch(desc, target);
    if (params.at("prefetch") == kPrefetch && reason)
        throw Error(ErrorCode::BadArgument, target.name + " direct: prefetch is 2, want 1: " + *reason);
}

/// Throws Error(BadArgument) for blocks of input channels that are none, or that gain nothing.
void check_ci_block(const ConvDesc &merged, const Target &target, const Params &params) {
    const int ci = merged.ci / merged.groups, block = params.at("ci_block");
    const auto fail = [&](const std::string &want) {
        throw Error(ErrorCode::BadArgument, target.name + " direct: ci_block is " + std::to_string(block) +
                                                ", want " + want + " ci / groups = " + std::to_string(ci));
    };
    if (block > ci || ci % block != 0)
        fail("a divisor of");
    if (block == ci)
        return;
    if (panel_part(merged, target, params.at("co_vectors"), ci) <= kNearPanel)
        fail("no blocks, for weights of all channels stay in L2:");
    if (is_one_tile(merged, params))
        fail("no blocks, for a single tile:");
    if (block % params.at("unroll_ci") != 0)
        fail("a multiple of unroll_ci = " + std::to_string(params.at("unroll_ci")) + " that divides");
    if (!can_fill_tiles(merged, params))
        fail("no blocks, for tile_p does not divide the positions of a block:");
}

/// Whether sums of a block of channels are added to what lies in memory: each position may be added to once,
/// so that tiles must not overlap.
bool fills_tiles(const ConvDesc &desc, const Params &params) {
    return params.at("ci_block") < desc.ci / desc.groups &&
           block_positions(merge_trivial_axes(desc), params) % params.at("tile_p") != 0;
}

Params complete(const ConvDesc &desc, const Target &target, const Params &params, int co_block) {
    const int lanes = vector_lanes(target, desc.acc_type);
    const Numbers &numbers = numbers_of(target);
    Params full = params;
    const int fixed_vectors = co_block != 0 ? co_block / lanes : full["co_vectors"];
    const int usual_vectors = fixed_vectors != 0 ? fixed_vectors : choose_vectors(desc, target);
    const ConvDesc merged = merge_trivial_axes(desc);
    const auto in_rows = choose_row_shape(merged, target, usual_vectors, fixed_vectors != 0);
    derive(full, "co_vectors", in_rows ? in_rows->co_vectors : usual_vectors);
    const int most_vectors = has_one_position(desc) ? numbers.one_position_vectors : numbers.most_vectors();
    check_co_vectors("direct", target, full["co_vectors"], most_vectors, lanes, co_block);
    const Spatial out = out_extents(merged);
    derive(full, "co_blocks", choose_co_blocks(merged, target, full["co_vectors"]));
    const int most_rows = choose_most_rows(merged, target, full);
    derive(full, "rows",
           reads_in_place(merged) ? choose_positions(merged, target, full["co_vectors"], most_rows)
                                  : choose_rows(merged, target, full["co_vectors"], most_rows));
    full["rows"] = std::min(full["rows"], out[0]);
    const int64_t block_p = block_positions(merged, full);
    const bool are_whole = out[0] % full["rows"] == 0; // else no tile is seen to lie in a row
    const int row = merged.rank == 1 ? 0 : are_whole ? out[merged.rank - 1] : 1;
    const int tile =
        in_rows && are_whole ? in_rows->positions : choose_tile_p(numbers, full["co_vectors"], block_p, row);
    derive(full, "tile_p",
           near_channels(merged, target, full["co_vectors"]) < desc.ci / desc.groups
               ? choose_whole_tile(merged, numbers, full, tile)
               : tile);
    const int streams = derive(full, "streams", choose_streams(desc, target, full["co_vectors"]));
    const int ci_block = derive(full, "ci_block", choose_ci_block(merged, target, full));
    derive(full, "unroll_ci",
           spills_if_unrolled(merged, target, full) ? 1 : choose_unroll_ci(ci_block / streams));
    derive(full, "prefetch",
           prefetches_weights(merged, target, full["co_vectors"], ci_block) ? kPrefetch : kNoPrefetch);
    check_streams(desc, target, full);
    check_ci_block(merged, target, full);
    check_co_blocks(desc, target, full);
    check_prefetch(desc, target, full);
    check_dense_tile("direct", desc, target, full, most_vectors, co_block);
    return full;
}

} // namespace

// The tile of output positions that fits the registers and costs least over a block: positions computed,
// those of the last tile that are computed twice included, times smaller_tile_cost. Where a tile may span
// rows, every position has a pointer of its own, and so many fit the general registers: with 12 of them, 2
// vectors of AVX-512 took 1.4 times as long as with 14 positions of one row.
int choose_tile_p(const Numbers &numbers, int co_vectors, int64_t block_p, int row) {
    constexpr double kSpilled = 1.4;
    if (block_p == 1)
        return 1;
    const int largest = numbers.largest(co_vectors);
    const auto cost = [&](int tile) {
        const bool spills = row != 0 && row % tile != 0 && tile > numbers.most_pointers;
        return static_cast<double>(rounded_up(block_p, tile)) * smaller_tile_cost(tile, largest) *
               (spills ? kSpilled : 1);
    };
    int best = largest;
    for (int tile = largest - 1; tile * co_vectors > numbers.accumulators; tile--) {
        if (cost(tile) < cost(best))
            best = tile;
    }
    return best;
}

// Weights stay near in half of L2.
int choose_co_blocks(const ConvDesc &desc, const Target &target, int co_vectors) {
    constexpr double kWeights = 0.5;
    if (!stores_much(desc))
        return 1;
    const auto most = static_cast<int64_t>(kWeights / panel_part(desc, target, co_vectors, desc.ci));
    return equal_part(channel_blocks(desc, target, co_vectors), std::max<int64_t>(1, most));
}

int row_tile(const ConvDesc &desc, const Params &params) {
    const ConvDesc merged = merge_trivial_axes(desc);
    const int tile = params.at("tile_p"), row = out_extents(merged)[merged.rank - 1];
    if (leaves_out_along(merged, params))
        return tile;
    const bool are_whole = out_extents(merged)[0] % params.at("rows") == 0;
    return merged.rank > 1 && are_whole && tile > 1 && row % tile == 0 ? tile : 0;
}

// All of up to 8 channels, which leaves no loop over them; else the largest small power of two that divides
// them.
int choose_unroll_ci(int ci) {
    constexpr int kAll = 8, kMost = 4;
    if (ci <= kAll)
        return ci;
    int unroll = kMost;
    while (ci % unroll != 0)
        unroll /= 2;
    return unroll;
}

// A loop of few steps costs its counters and a branch that is often predicted wrongly.
int choose_unroll_taps(const ConvDesc &desc, int unroll_ci) {
    constexpr int kMostSteps = 12;
    const int taps = desc.kernel[desc.rank - 1];
    const bool is_dense = desc.op == Op::Conv && desc.groups == 1;
    return is_dense && desc.ci == unroll_ci && unroll_ci * taps <= kMostSteps ? taps : 1;
}

// Beside inputs and sums, weights of half of L2 stay there.
std::optional<std::string> reject_near_weights(int64_t bytes, const Target &target) {
    if (2 * bytes >= target.l2_bytes)
        return std::nullopt;
    return "weights of " + std::to_string(bytes) + " bytes stay in L2";
}

bool prefetches_weights(const ConvDesc &merged, const Target &target, int co_vectors, int ci_block) {
    return numbers_of(target).prefetches_weights && weight_bytes(merged) >= target.l2_bytes &&
           !reject_prefetch(merged, target) && panel_part(merged, target, co_vectors, ci_block) <= kNearPanel;
}

SchedulePlanning direct_planning() {
    SchedulePlanning planning = {{
#include "schedules/cpu/direct_params.inc"
                                 },
                                 reject,
                                 complete,
                                 packing_by_vectors};
    planning.copies_rows = true;
    planning.row_tile = row_tile;
    planning.fills_tiles = fills_tiles;
    planning.settles = settles;
    planning.leaves_out_taps = leaves_out_taps;
    return planning;
}

} // namespace convsmith::cpu
