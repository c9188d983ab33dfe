// The CMake package of a library: find_package(<name>) gives the target <name>::<name>, whatever platform of
// the library the user builds for.
#pragma once

#include "runtime/library/model.h"

#include <string>

namespace convsmith::library {

/// Text of lib/cmake/<name>/<name>Config.cmake.
std::string cmake_config(const Model &model);

/// Text of lib/cmake/<name>/<name>ConfigVersion.cmake: any requested version up to ours is accepted.
std::string cmake_config_version();

} // namespace convsmith::library
