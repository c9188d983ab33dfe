// Texts of the CMake package (see cmake_package.h).
#include "runtime/library/cmake_package.h"

#include "runtime/library/platforms.h"
#include "runtime/library/text_template.h"
#include "runtime/library/versions.h"

#include <fmt/format.h>

namespace convsmith::library {

namespace {

constexpr const char *kConfig =
    R"(# Written by convsmith @version@. find_package(@name@) gives the target @name@::@name@.
if(TARGET @name@::@name@)
  return()
endif()

set(@name@_platform "")
@platforms@if(NOT @name@_platform)
  set(@name@_FOUND FALSE)
  set(@name@_NOT_FOUND_MESSAGE
      "@name@ was built for @names@, not for ${CMAKE_SYSTEM_NAME} on ${CMAKE_SYSTEM_PROCESSOR}")
  return()
endif()

include(CMakeFindDependencyMacro)
find_dependency(Threads)

get_filename_component(@name@_root "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
add_library(@name@::@name@ STATIC IMPORTED)
set_target_properties(@name@::@name@ PROPERTIES
  IMPORTED_LOCATION "${@name@_root}/lib/${@name@_platform}/lib@name@.a"
  INTERFACE_INCLUDE_DIRECTORIES "${@name@_root}/include"
  INTERFACE_LINK_LIBRARIES
    "${@name@_root}/lib/${@name@_platform}/libconvsmith_runtime.a;Threads::Threads;${CMAKE_DL_LIBS};m;${@name@_libraries}")
unset(@name@_root)
unset(@name@_libraries)
)";

constexpr const char *kVersion = R"(# Written by convsmith @version@.
set(PACKAGE_VERSION "@version@")
if(PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
else()
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
  if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
  endif()
endif()
)";

} // namespace

std::string cmake_config(const Model &model) {
    Blanks blanks = {{"name", model.name}, {"version", versions().convsmith}};
    for (const Platform &platform : model.platforms) {
        const PlatformFacts &facts = platform_facts(platform.name);
        blanks["platforms"] +=
            fmt::format("if(CMAKE_SYSTEM_NAME STREQUAL \"{0}\" AND CMAKE_SYSTEM_PROCESSOR "
                        "MATCHES \"{1}\")\n  set({2}_platform {3})\n  set({2}_libraries \"{4}\")\nendif()\n",
                        facts.cmake_system, facts.processors, model.name, platform.name, facts.libraries);
        blanks["names"] += (blanks["names"].empty() ? "" : " and ") + platform.name;
    }
    return fill_in(kConfig, blanks);
}

std::string cmake_config_version() {
    return fill_in(kVersion, {{"version", versions().convsmith}});
}

} // namespace convsmith::library
