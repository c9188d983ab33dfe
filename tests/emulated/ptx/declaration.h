// Declarations of variables and parameters as they are written. Before it: statement.h; after it: program.cpp
// (variables of a module, parameters) and body.cpp (variables of a kernel or function).
#pragma once

#include "tests/emulated/ptx/statement.h"
#include "tests/emulated/ptx/types.h"

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace convsmith::ptx {

struct Declaration {
    std::string_view name;
    Type type = Type::None;
    std::uint32_t alignment = 1;
    std::uint64_t bytes = 0;
    bool is_unsized = false;  ///< `name[]`
    bool is_register = false; ///< a parameter in a register
};

/// `.align 16 .b8 name[64]`; in parameters also `.param .u64 .ptr .global .align 4 name`. Throws InvalidPtx.
Declaration parse_declaration(TokenStream &tokens);

/// The rest of a list of parameters whose opening parenthesis is taken. Throws InvalidPtx.
std::vector<Declaration> parse_parameters(TokenStream &tokens);

/// Whether `text` is one of `names`.
bool is_any_of(std::string_view text, std::initializer_list<std::string_view> names);

} // namespace convsmith::ptx
