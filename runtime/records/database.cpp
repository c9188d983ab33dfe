// The database file (see database.h).
#include "runtime/records/database.h"

#include "generators/error.h"
#include "runtime/frontend/file_io.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace convsmith::autotune {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void throw_io(const std::string &path, const char *action, int error) {
    throw Error(ErrorCode::Io, fmt::format("{}: cannot {}: {}", path, action, std::strerror(error)));
}

/// A file that is open and locked until the object goes. `fd` is -1 if there is no such file and none was to
/// be made.
class LockedFile {
public:
    LockedFile(const std::string &path, int flags, int lock) {
        do {
            close_file();
            fd_ = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
            if (fd_ < 0 && errno == ENOENT && (flags & O_CREAT) == 0)
                return;
            if (fd_ < 0)
                throw_io(path, (flags & O_ACCMODE) == O_RDONLY ? "read" : "write", errno);
            while (::flock(fd_, lock) != 0) {
                if (errno != EINTR) {
                    const int error = errno;
                    close_file();
                    throw_io(path, "lock", error);
                }
            }
        } while (!is_at(path));
    }
    ~LockedFile() { close_file(); }
    LockedFile(const LockedFile &) = delete;
    LockedFile &operator=(const LockedFile &) = delete;

    int fd() const { return fd_; }

    /// What it holds; nothing if it is no file, or none with an end (/dev/full).
    std::string text(const std::string &path) const {
        struct stat info = {};
        return fd_ >= 0 && ::fstat(fd_, &info) == 0 && S_ISREG(info.st_mode) ? read_file(path) : "";
    }

private:
    /// False if the file was replaced while this one waited for its lock.
    bool is_at(const std::string &path) const {
        struct stat mine = {}, theirs = {};
        return ::fstat(fd_, &mine) == 0 && ::stat(path.c_str(), &theirs) == 0 &&
               mine.st_ino == theirs.st_ino && mine.st_dev == theirs.st_dev;
    }

    void close_file() {
        if (fd_ >= 0)
            ::close(fd_);
        fd_ = -1;
    }

    int fd_ = -1;
};

/// 0 or the errno of the write that failed.
int write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno != EINTR)
            return errno;
        text.remove_prefix(written > 0 ? static_cast<size_t>(written) : 0);
    }
    return 0;
}

/// A new name is on disk once its folder is. Not every file system can sync one; then it does so by itself.
void sync_folder_of(const std::string &path) {
    const fs::path folder = fs::path(path).parent_path();
    const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        ::fsync(fd);
        ::close(fd);
    }
}

void create_folder_of(const std::string &path) {
    const fs::path folder = fs::path(path).parent_path();
    std::error_code error;
    if (!folder.empty() && !fs::exists(folder, error))
        fs::create_directories(folder, error);
    if (error)
        throw_io(path, "create its folder", error.value());
}

std::string joined(const std::vector<Line> &lines) {
    std::string text;
    for (const Line &line : lines)
        text += line.text + '\n';
    return text;
}

} // namespace

std::vector<const Record *> Contents::records() const {
    std::vector<const Record *> found;
    for (const Line &line : lines) {
        if (line.record)
            found.push_back(&*line.record);
    }
    return found;
}

std::vector<std::string> Contents::problems() const {
    std::vector<std::string> found;
    for (const Line &line : lines) {
        if (!line.record)
            found.push_back(line.problem);
    }
    return found;
}

Contents parse_contents(const std::string &name, const std::string &text) {
    Contents contents;
    contents.name = name;
    int64_t number = 0;
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find('\n', begin), text.size());
        Line line;
        line.number = ++number;
        line.text = text.substr(begin, end - begin);
        const bool is_ended = end < text.size();
        begin = end + 1;
        if (line.text.empty())
            continue;
        const std::string where = fmt::format("{}:{}", name, line.number);
        try {
            line.record = parse_record(line.text, where);
        } catch (const Error &error) {
            line.problem =
                is_ended ? error.what() : where + ": the last line is cut off: its writer was interrupted";
        }
        contents.lines.push_back(std::move(line));
    }
    return contents;
}

Database::Database(const std::string &path) : path_(path) {
    std::error_code error;
    if (fs::is_symlink(path, error)) // else a rewrite would replace the link
        path_ = fs::weakly_canonical(path, error).string();
}

Contents Database::read() const {
    const LockedFile file(path_, O_RDONLY, LOCK_SH);
    return parse_contents(path_, file.text(path_));
}

void Database::check_writable() const {
    create_folder_of(path_);
    const LockedFile file(path_, O_RDWR | O_CREAT | O_APPEND, LOCK_SH);
}

void Database::append(const Record &record) const {
    create_folder_of(path_);
    const LockedFile file(path_, O_RDWR | O_CREAT | O_APPEND, LOCK_EX);
    struct stat before = {};
    if (::fstat(file.fd(), &before) != 0)
        throw_io(path_, "read", errno);
    char last = '\n';
    if (before.st_size > 0 && ::pread(file.fd(), &last, 1, before.st_size - 1) != 1)
        throw_io(path_, "read", errno);
    int error = write_all(file.fd(), (last == '\n' ? "" : "\n") + to_line(record) + "\n");
    if (error == 0 && ::fsync(file.fd()) != 0 && errno != EINVAL) // EINVAL: a device or pipe, never on disk
        error = errno;
    if (error != 0) {
        // What was written of the line goes; if that fails, too, the next record starts on a new line.
        static_cast<void>(::ftruncate(file.fd(), before.st_size) == 0);
        throw_io(path_, "add a record", error);
    }
    if (before.st_size == 0)
        sync_folder_of(path_);
}

void Database::rewrite(const std::function<void(std::vector<Line> &lines)> &edit) const {
    create_folder_of(path_);
    const LockedFile file(path_, O_RDWR | O_CREAT, LOCK_EX);
    const std::string before = file.text(path_);
    std::vector<Line> lines = parse_contents(path_, before).lines;
    edit(lines);
    const std::string after = joined(lines);
    if (after == before)
        return;
    write_file_atomically(path_, after); // those who wait for the lock then find the new file
    sync_folder_of(path_);
}

} // namespace convsmith::autotune
