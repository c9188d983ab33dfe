// Reading and atomic writing of whole files.
#include "runtime/frontend/file_io.h"

#include "generators/error.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace convsmith {

namespace {

[[noreturn]] void throw_io(const std::string &path, const char *action, int error) {
    throw Error(ErrorCode::Io, fmt::format("{}: cannot {}: {}", path, action, std::strerror(error)));
}

/// Closes a descriptor on every way out.
class File {
public:
    explicit File(int fd) : fd_(fd) {}
    ~File() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    File(const File &) = delete;
    File &operator=(const File &) = delete;
    int fd() const { return fd_; }

private:
    int fd_;
};

/// 0 or the errno of the write that failed.
int write_all(int fd, std::string_view content) {
    while (!content.empty()) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno != EINTR) {
            return errno;
        }
        content.remove_prefix(written > 0 ? static_cast<size_t>(written) : 0);
    }
    return 0;
}

void write_in_place(const std::string &path, std::string_view content) {
    const File file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    const int error = file.fd() < 0 ? errno : write_all(file.fd(), content);
    if (error != 0) {
        throw_io(path, "write", error);
    }
}

} // namespace

std::string read_file(const std::string &path) {
    const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info = {};
    if (file.fd() < 0 || ::fstat(file.fd(), &info) != 0) {
        throw_io(path, "read", errno);
    }
    if (S_ISDIR(info.st_mode)) {
        throw_io(path, "read", EISDIR);
    }
    std::string content;
    std::vector<char> block(1 << 16);
    while (true) {
        const ssize_t got = ::read(file.fd(), block.data(), block.size());
        if (got < 0 && errno != EINTR) {
            throw_io(path, "read", errno);
        }
        if (got == 0) {
            return content;
        }
        content.append(block.data(), got > 0 ? static_cast<size_t>(got) : 0);
    }
}

void write_file_atomically(const std::string &path, std::string_view content) {
    struct stat info = {};
    if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
        write_in_place(path, content);
        return;
    }
    std::string temporary = path + ".XXXXXX";
    const File file(::mkostemp(temporary.data(), O_CLOEXEC));
    if (file.fd() < 0) {
        throw_io(path, "write", errno);
    }
    int error = write_all(file.fd(), content);
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (error == 0 && (::fchmod(file.fd(), 0666 & ~mask) != 0 || ::fsync(file.fd()) != 0 ||
                       std::rename(temporary.c_str(), path.c_str()) != 0)) {
        error = errno;
    }
    if (error != 0) {
        ::unlink(temporary.c_str());
        throw_io(path, "write", error);
    }
}

} // namespace convsmith
