// A directory for one test, removed with everything in it. Used by tests that read or write files.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace convsmith {

class TempDir {
public:
    /// Throws std::system_error if the system's temporary directory cannot be written.
    TempDir() {
        std::string path = (std::filesystem::temp_directory_path() / "convsmith-test-XXXXXX").string();
        if (!mkdtemp(path.data()))
            throw std::system_error(errno, std::generic_category(), path);
        path_ = path;
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempDir(const TempDir &) = delete;
    TempDir &operator=(const TempDir &) = delete;

    const std::filesystem::path &path() const { return path_; }
    std::string string() const { return path_.string(); }

private:
    std::filesystem::path path_;
};

} // namespace convsmith
