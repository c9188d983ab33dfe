// SHA-256 of texts: names of cache entries, checks of their bytes, and whatever else must come out alike on
// every machine (shards of a tuning run).
#pragma once

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>

namespace convsmith {

using Digest = std::array<char, 32>;

/// The digest of the parts one after the other.
Digest digest_of(std::initializer_list<std::string_view> parts);

/// 64 lower-case hexadecimal digits.
std::string hex_of(const Digest &digest);

} // namespace convsmith
