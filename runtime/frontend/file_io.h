// Whole files in and out: reading with precise errors, writing so that a reader sees all of a file or none of
// it. Used by the front ends and the CLI.
#pragma once

#include <string>
#include <string_view>

namespace convsmith {

/// The bytes of `path`. Throws Error(Io) naming the file if it is missing, a directory or unreadable.
std::string read_file(const std::string &path);

/// Replaces `path` by `content` through a temporary file beside it and a rename; something that exists and is
/// no regular file (/dev/stdout, a pipe) is written in place. Throws Error(Io) naming the file and leaves
/// neither the temporary file nor a half-written one behind.
void write_file_atomically(const std::string &path, std::string_view content);

} // namespace convsmith
