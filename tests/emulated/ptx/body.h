// What stands between the braces of a kernel, and of the functions that it calls. Before it: declaration.h,
// decode.h; after it: program.cpp, which finds kernels and functions in a module.
#pragma once

#include "tests/emulated/ptx/declaration.h"
#include "tests/emulated/ptx/kernel_builder.h"

#include <map>
#include <optional>

namespace convsmith::ptx {

/// A function that kernels can call, `.func`.
struct Function {
    std::vector<Declaration> results;
    std::vector<Declaration> parameters;
    std::optional<std::size_t> body; ///< token behind its opening brace; absent: it is only declared
};

/// By name, a view of the module's text.
using Functions = std::map<std::string_view, Function>;

/// Reads a kernel's code, the next token being its opening brace, with a copy of a function's for each call
/// of it. Throws InvalidPtx.
void parse_body(TokenStream &tokens, Kernel &kernel, const ModuleSymbols &module, const Functions &functions);

} // namespace convsmith::ptx
