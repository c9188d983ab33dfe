// Texts with named blanks, for the generated C header and CMake files: "int @name@_run(void);".
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace convsmith::library {

/// Values of the blanks of a text.
using Blanks = std::map<std::string, std::string, std::less<>>;

/// `text` with every @key@ replaced by its value. An unknown key is a broken invariant.
std::string fill_in(std::string_view text, const Blanks &blanks);

/// ASCII upper case, for macro names.
std::string upper_case(std::string text);

} // namespace convsmith::library
