// The static libraries of one platform: every kernel (with run-time dispatch between machine classes),
// packing kernels or baked weights, and the Halide runtime. Written from the library's model.
#pragma once

#include "runtime/library/model.h"

#include <filesystem>
#include <functional>
#include <string>

namespace convsmith::library {

/// Where archives and their intermediate objects go.
struct ArchivePlaces {
    std::filesystem::path output;  ///< an existing directory: lib<name>.a and libconvsmith_runtime.a
    std::filesystem::path scratch; ///< an existing, empty directory
};

/// Steps that write_archives reports for one platform.
int archive_steps(const Model &model);

/// Compiles and writes both archives of model.platforms[platform]; `step` is called before each step with
/// what it does. The same model gives the same bytes but for names that Halide counts up within a process.
/// Throws Error.
void write_archives(const Model &model, size_t platform, const ArchivePlaces &places,
                    const std::function<void(const std::string &)> &step);

} // namespace convsmith::library
