// A directory that appears whole or not at all: files are written to a hidden place inside it and moved when
// all are there. Used by the library writer.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace convsmith::library {

/// Owns a hidden directory inside the output directory until commit() or destruction.
class Staging {
public:
    /// Creates `directory` if missing. `entries` are the names in it that commit() will replace; `owned` says
    /// which files below them an earlier run wrote (relative to `directory`). Throws Error(Io) if the
    /// directory cannot be written or a file that is not owned is in the way.
    Staging(const std::string &directory, const std::vector<std::string> &entries,
            const std::vector<std::string> &owned);
    /// Removes what is left of the staged files, and directories created for nothing.
    ~Staging();
    Staging(const Staging &) = delete;
    Staging &operator=(const Staging &) = delete;

    /// Where to write; holds only the entries when commit() is called.
    const std::filesystem::path &path() const { return new_; }

    /// A place for intermediate files, gone at the end.
    const std::filesystem::path &scratch() const { return scratch_; }

    /// Moves every entry into place; on failure moves the old ones back and throws Error(Io).
    void commit();

private:
    void create_directories();

    std::filesystem::path directory_, hidden_, new_, old_, scratch_;
    std::vector<std::string> entries_;
    std::vector<std::filesystem::path> created_; ///< directories made by us, outermost first
};

} // namespace convsmith::library
