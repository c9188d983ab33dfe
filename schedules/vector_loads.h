// Vectors of channels that Halide must not load. Channels that lie 2 to 4 elements apart (channels first,
// that many positions) are read by loads of whole vectors that go beyond the tensor's end; schedules read
// them one by one.
#pragma once

#include "generators/conv_desc.h"
#include "schedules/target.h"

#include <optional>
#include <string>

namespace convsmith {

/// True if a vector of output channels would read the residual so.
bool reads_beyond_residual(const ConvDesc &op);

/// The same as reject() of a schedule (schedule.h) whose vectors are channels of one position.
std::optional<std::string> reject_short_residual(const ConvDesc &op, const Target &target);

/// True if the lanes of a vector of output channels read different input channels, and so.
bool reads_beyond_input(const ConvDesc &op);

/// Lanes, at most `most`, of a vector of channels of a rearranged output: a divisor of its channels. Under
/// the guard of a tail, Halide 14 loses a tail of one lane that calls a function of the C library.
int rearranged_lanes(const ConvDesc &desc, int most);

} // namespace convsmith
