// A directory of one's own under the system's temporary one, removed with everything in it. Used by the
// emulating runner and by tests that read or write files.
#pragma once

#include "generators/error.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

namespace convsmith {

class TempDir {
public:
    /// Throws Error(Io) if the system's temporary directory cannot be written.
    TempDir() {
        std::string name = (std::filesystem::temp_directory_path() / "convsmith-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr)
            throw Error(ErrorCode::Io, "temporary directory '" + name + "': " + std::strerror(errno));
        path_ = name;
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempDir(const TempDir &) = delete;
    TempDir &operator=(const TempDir &) = delete;

    const std::filesystem::path &path() const { return path_; }
    std::string string() const { return path_.string(); }
    std::string operator/(const std::string &name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

} // namespace convsmith
