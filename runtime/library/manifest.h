// manifest.json of a library: what every kernel computes and how, so that a library can be understood and
// rebuilt later. Also says which files are the library's, which is how a later build knows what it may
// replace.
#pragma once

#include "runtime/library/model.h"

#include <string>
#include <vector>

namespace convsmith::library {

/// The text of manifest.json; `files` are relative to the library's directory.
std::string manifest(const Model &model, const std::vector<std::string> &files);

/// The files that the manifest in `directory` lists, itself included; empty if there is no manifest. Throws
/// Error(Io) if a manifest.json is there that convsmith did not write.
std::vector<std::string> files_of_manifest(const std::string &directory);

} // namespace convsmith::library
