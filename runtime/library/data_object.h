// Constant data as an object file for any target: how weights get into a library. With jit.cpp's linker the
// only place that sees LLVM.
#pragma once

#include "schedules/target.h"

#include <cstddef>
#include <string>

namespace convsmith::library {

/// Bytes to emit under a C symbol.
struct DataSymbol {
    std::string symbol;
    const void *data = nullptr;
    size_t bytes = 0;
};

/// Writes the object file `path` with one read-only symbol, aligned to kTensorAlignment. Throws Error(Io) if
/// it cannot be written, Error(Compile) with LLVM's message.
void write_data_object(const DataSymbol &data, const Target &target, const std::string &path);

} // namespace convsmith::library
