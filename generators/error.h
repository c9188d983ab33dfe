// The one error type of convsmith and the check macro for broken invariants.
// Included by everything; depends on nothing.
#pragma once

#include <stdexcept>
#include <string>

namespace convsmith {

/// What kind of failure an Error reports; the CLI maps BadArgument to exit code 2 and the rest to 1.
enum class ErrorCode {
    BadArgument, ///< a key, tensor, option or file content that the user can correct
    Unsupported, ///< valid, but convsmith cannot do it (yet)
    Io,          ///< a file or directory cannot be read or written
    Compile,     ///< Halide or LLVM rejected a kernel
    Internal,    ///< a broken invariant: a defect in convsmith
};

/// Thrown for every failure a caller can cause. The message names what, where, got and want, in one line.
class Error : public std::runtime_error {
public:
    Error(ErrorCode code, const std::string &message) : std::runtime_error(message), code_(code) {}
    ErrorCode code() const { return code_; }

private:
    ErrorCode code_;
};

namespace detail {
[[noreturn]] void check_failed(const char *condition, const char *file, int line);
} // namespace detail

} // namespace convsmith

/// Throws Error(Internal) when an invariant of convsmith itself is broken; never used for user input.
#define CONVSMITH_CHECK(condition)                                                                           \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            ::convsmith::detail::check_failed(#condition, __FILE__, __LINE__);                               \
    } while (false)
