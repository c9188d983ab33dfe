// Reading of descriptor keys; ConvDesc::parse (conv_key.cpp) links and judges what was read.
#pragma once

#include "generators/conv_desc.h"

#include <string>
#include <string_view>

namespace convsmith {

/// The descriptor as spelled: ops of a composite are not linked, nothing is validated. Throws
/// Error(BadArgument) naming the token that is wrong.
ConvDesc read_key(std::string_view key);

/// User text fit for a one-line message.
std::string quoted(std::string_view text);

} // namespace convsmith
