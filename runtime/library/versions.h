// The versions that decide what a library contains; written to its manifest and its header.
#pragma once

#include <string>

namespace convsmith::library {

struct Versions {
    std::string convsmith;
    std::string halide;
    std::string llvm;
    std::string algorithm; ///< hash of the sources of algorithms and schedules
};

const Versions &versions();

} // namespace convsmith::library
