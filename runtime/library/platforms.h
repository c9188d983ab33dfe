// What a library's header and CMake package must know of the platforms it is written for: rows of
// platforms.inc.
#pragma once

#include <string>
#include <vector>

namespace convsmith::library {

struct PlatformFacts {
    std::string name;         ///< Target::platform()
    std::string c_condition;  ///< of the C preprocessor
    std::string cmake_system; ///< CMAKE_SYSTEM_NAME
    std::string processors;   ///< CMAKE_SYSTEM_PROCESSOR as a regular expression
    std::string libraries;    ///< of the system that a host application links too, joined by ';'
};

const std::vector<PlatformFacts> &platform_table();

/// Throws Error(Unsupported) listing the known ones for a platform that is not in the table.
const PlatformFacts &platform_facts(const std::string &name);

} // namespace convsmith::library
