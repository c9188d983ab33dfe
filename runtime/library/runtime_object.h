// The Halide runtime of a library as an object file: Halide's own, whose malloc keeps scratch memory between
// calls (workspace_pool.h). Before it: machine_code.h; after it: archive.h and static_program.h.
#pragma once

#include "schedules/target.h"

#include <string>

namespace convsmith::library {

/// The object file for a platform ("arm-64-linux"), with CUDA's part if `has_cuda`. All its symbols are weak:
/// where a program has several Halide runtimes, the first one serves all of them. Throws Halide::Error.
std::string library_runtime_object(const std::string &platform, bool has_cuda);

} // namespace convsmith::library
