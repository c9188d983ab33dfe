// See scratch_dir.h. A lock (flock) goes with its process however that ends; a directory of ours that nobody
// has locked is nobody's.
#include "autotune/scratch_dir.h"

#include "generators/error.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace convsmith::autotune {

namespace {

namespace fs = std::filesystem;

constexpr const char *kPrefix = "convsmith-tune-";

int open_folder(const std::string &path) {
    return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/// Removes the directory if it is ours and nobody holds its lock.
void remove_if_orphaned(const fs::path &path) {
    const int fd = open_folder(path.string());
    if (fd < 0)
        return;
    struct stat info = {};
    std::error_code ignored; // another run may be removing it, too
    if (::fstat(fd, &info) == 0 && info.st_uid == ::geteuid() && ::flock(fd, LOCK_EX | LOCK_NB) == 0)
        fs::remove_all(path, ignored);
    ::close(fd);
}

void remove_orphans(const fs::path &parent) {
    std::error_code error;
    for (fs::directory_iterator it(parent, error), end; !error && it != end; it.increment(error)) {
        if (it->path().filename().string().rfind(kPrefix, 0) == 0)
            remove_if_orphaned(it->path());
    }
}

} // namespace

ScratchDir::ScratchDir(const std::string &parent) {
    const fs::path folder = parent.empty() ? fs::temp_directory_path() : fs::path(parent);
    remove_orphans(folder);
    for (;;) {
        std::string name = (folder / (std::string(kPrefix) + "XXXXXX")).string();
        if (::mkdtemp(name.data()) == nullptr)
            throw Error(ErrorCode::Io, "temporary directory '" + name + "': " + std::strerror(errno));
        lock_ = open_folder(name);
        // Another run that starts may take it for an orphan before it is locked: then it is gone.
        std::error_code error;
        if (lock_ >= 0 && ::flock(lock_, LOCK_EX) == 0 && fs::exists(name, error)) {
            path_ = name;
            return;
        }
        if (lock_ >= 0)
            ::close(lock_);
    }
}

ScratchDir::~ScratchDir() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    ::close(lock_);
}

} // namespace convsmith::autotune
