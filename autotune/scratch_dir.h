// The directory that a tuning run keeps its candidates' code in: gone with the run, and if the run is killed,
// gone with the next one on the machine.
#pragma once

#include <string>

namespace convsmith::autotune {

/// A new directory, removed with everything in it. Its lock says that its owner lives.
class ScratchDir {
public:
    /// Removes what dead runs left in `parent` (default: the system's temporary directory) first. Throws
    /// Error(Io) if `parent` cannot be written.
    explicit ScratchDir(const std::string &parent = "");
    ~ScratchDir();
    ScratchDir(const ScratchDir &) = delete;
    ScratchDir &operator=(const ScratchDir &) = delete;

    const std::string &path() const { return path_; }

private:
    std::string path_;
    int lock_ = -1; ///< open on the directory and locked
};

} // namespace convsmith::autotune
