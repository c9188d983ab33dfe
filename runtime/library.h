// The library writer: layers become a static library per platform, a C header, a CMake package and a
// manifest. Public, free of Halide and LLVM. Behind it: library/*.cpp, planner -> lower -> objects ->
// archives. What the files mean to their user is documented in docs/aot.md.
#pragma once

#include "runtime/frontend/network.h"
#include "schedules/plan.h"

#include <functional>
#include <string>
#include <vector>

namespace convsmith {

/// Where a library's weights live.
enum class WeightMode {
    Passed, ///< the caller packs them once with <name>_<layer>_pack and passes them at every call
    Baked,  ///< packed at build time and stored in the library; every layer needs trained values
};

/// One step of build_library, for progress displays.
struct LibraryProgress {
    int done = 0;
    int total = 0;
    std::string what; ///< the step that starts now, e.g. "conv1 for x86-64-linux"
};

/// What to build and where.
struct LibraryOptions {
    std::string name; ///< C identifier; prefix of every symbol, name of library, header and CMake package
    std::string directory; ///< created if missing; include/, lib/ and manifest.json in it are the library's
    /// Machine classes. Those of one platform become one library that picks the best at run time.
    std::vector<Target> targets;
    /// Adds the platform's plain class (x86_64 for x86_avx2), so that the library runs on every machine of
    /// the platform. Without it, the last class of a platform is taken unchecked.
    bool add_baseline = true;
    WeightMode weights = WeightMode::Passed;
    PlanRequest request; ///< fixes parts of every plan
    std::function<void(const LibraryProgress &)> progress;
};

/// What was built.
struct LibraryReport {
    std::vector<std::string> files; ///< relative to the directory, sorted
    int kernels = 0;                ///< distinct problems; layers with the same descriptor share one
    int layers = 0;
};

/// Builds the library of `layers` in a hidden directory inside options.directory and moves it into place at
/// the end: a failure leaves the directory as it was. A library that convsmith wrote there before is
/// replaced. Throws Error: BadArgument (name, layers, targets, missing weights), Unsupported (targets without
/// libraries), Io (unwritable, or files in the way that convsmith did not write), Compile.
LibraryReport build_library(const std::vector<Layer> &layers, const LibraryOptions &options);

} // namespace convsmith
