// What the planning sides of schedules on the dense register tile (direct.h) share: which problems have one,
// its legal numbers. Free of Halide.
#pragma once

#include "generators/conv_desc.h"
#include "generators/signature.h"
#include "schedules/cpu/numbers.h"
#include "schedules/plan.h"

#include <optional>
#include <string>

namespace convsmith::cpu {

/// Why no schedule of register tiles takes a problem, whatever its channels; nothing if one may.
std::optional<std::string> reject_tiles(const ConvDesc &desc, const Target &target);

/// Why a vector of output channels would span groups, or groups that are lanes fill none; nothing if neither.
std::optional<std::string> reject_split_groups(const ConvDesc &desc, const Target &target);

/// Why an op that sums over channels has no such tile; nothing if it has: reject() of a schedule
/// (schedule.h).
std::optional<std::string> reject_dense_tile(const ConvDesc &desc, const Target &target);

/// Vectors of the tile of the class that costs least over the channels of a group, those that fill the last
/// block included and weights of a block beyond L2 counted (Numbers::far_positions) unless they come in
/// blocks of input channels, too; no vector beyond the channels.
int choose_co_vectors(const Target &target, const ConvDesc &desc, bool blocks_ci = false);

/// packing() of a schedule with a parameter co_vectors.
Packing packing_by_vectors(const ConvDesc &desc, const Target &target, const Params &params);

/// The length of equal chunks of `row` positions, whole tiles of `tile_p`, of about `most`; or all of the
/// row.
int choose_chunk(int row, int tile_p, int most);

/// Throws Error(BadArgument) naming `schedule` if `vectors` of output channels are none, more than
/// `most_vectors`, or contradict `co_block` (0: free).
void check_co_vectors(const std::string &schedule, const Target &target, int vectors, int most_vectors,
                      int lanes, int co_block);

/// Throws Error(BadArgument) naming `schedule` if the registers do not hold the tile of params co_vectors x
/// tile_p, unroll_ci does not divide the channels of a group, or check_co_vectors does.
void check_dense_tile(const std::string &schedule, const ConvDesc &desc, const Target &target,
                      const Params &params, int most_vectors, int co_block);

} // namespace convsmith::cpu
