// See platforms.h.
#include "runtime/library/platforms.h"

#include "generators/error.h"

#include <fmt/format.h>

namespace convsmith::library {

const std::vector<PlatformFacts> &platform_table() {
#define CONVSMITH_PLATFORM(name, c_condition, cmake_system, processors, libraries)                           \
    {name, c_condition, cmake_system, processors, libraries},
    static const std::vector<PlatformFacts> table = {
#include "runtime/library/platforms.inc"
    };
#undef CONVSMITH_PLATFORM
    return table;
}

const PlatformFacts &platform_facts(const std::string &name) {
    std::string known;
    for (const PlatformFacts &platform : platform_table()) {
        if (platform.name == name)
            return platform;
        known += (known.empty() ? "" : ", ") + platform.name;
    }
    throw Error(ErrorCode::Unsupported,
                fmt::format("platform is {}, libraries are written for {}", name, known));
}

} // namespace convsmith::library
