// The disk cache (see kernel_cache.h). An entry is: EntryHeader, the key, the payload; nothing after it. The
// digest covers key and payload, the other header fields are checked against the file itself, so every
// changed bit is seen.
#include "runtime/kernel_cache.h"

#include "generators/error.h"
#include "runtime/content_hash.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace convsmith {

namespace fs = std::filesystem;

namespace {

constexpr std::array<char, 16> kMagic = {'c', 'o', 'n', 'v', 's', 'm', 'i', 't',
                                         'h', ' ', 'o', 'b', 'j', 'e', 'c', 't'};
constexpr uint32_t kFormatVersion = 1;
constexpr const char *kEntrySuffix = ".kernel";
constexpr const char *kTempPrefix = "tmp-";
/// A temporary file this old was left by a process that died while writing.
constexpr auto kTempLifetime = std::chrono::hours(1);

struct EntryHeader {
    std::array<char, 16> magic;
    uint32_t version;
    uint32_t key_bytes;
    uint64_t payload_bytes;
    Digest digest;
};
static_assert(sizeof(EntryHeader) == 64, "entries are read and written as these bytes");

/// A file descriptor, closed at the end of the scope.
class File {
public:
    explicit File(int fd) : fd_(fd) {}
    ~File() {
        if (fd_ >= 0)
            ::close(fd_);
    }
    File(const File &) = delete;
    File &operator=(const File &) = delete;
    bool is_open() const { return fd_ >= 0; }
    int fd() const { return fd_; }

    bool read(void *data, size_t bytes) const {
        auto *at = static_cast<char *>(data);
        while (bytes > 0) {
            const ssize_t got = ::read(fd_, at, bytes);
            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                return false;
            at += got;
            bytes -= static_cast<size_t>(got);
        }
        return true;
    }

    bool write(const void *data, size_t bytes) const {
        const auto *at = static_cast<const char *>(data);
        while (bytes > 0) {
            const ssize_t put = ::write(fd_, at, bytes);
            if (put < 0 && errno == EINTR)
                continue;
            if (put <= 0)
                return false;
            at += put;
            bytes -= static_cast<size_t>(put);
        }
        return true;
    }

private:
    int fd_;
};

/// The payload of an open entry if every check passes.
std::optional<std::string> read_entry(const File &file, const std::string &key) {
    struct stat info = {};
    EntryHeader header = {};
    if (::fstat(file.fd(), &info) != 0 || !file.read(&header, sizeof(header)))
        return std::nullopt;
    if (header.magic != kMagic || header.version != kFormatVersion || header.key_bytes != key.size())
        return std::nullopt;
    const uint64_t before_payload = sizeof(EntryHeader) + key.size();
    const auto size = static_cast<uint64_t>(info.st_size);
    if (size < before_payload || size - before_payload != header.payload_bytes)
        return std::nullopt;
    std::string stored_key(key.size(), '\0');
    std::string payload(header.payload_bytes, '\0');
    if (!file.read(stored_key.data(), stored_key.size()) || !file.read(payload.data(), payload.size()))
        return std::nullopt;
    if (stored_key != key || digest_of({key, payload}) != header.digest)
        return std::nullopt;
    return payload;
}

bool has_prefix(const std::string &text, const std::string &prefix) {
    return text.compare(0, prefix.size(), prefix) == 0;
}

[[noreturn]] void unusable(const std::string &directory, const std::string &reason) {
    throw Error(ErrorCode::Io, "kernel cache: cannot use directory \"" + directory + "\": " + reason);
}

const char *environment(const char *name) {
    const char *value = std::getenv(name);
    return value && *value ? value : nullptr;
}

} // namespace

CacheDirectory choose_cache_directory(const std::string &option) {
    const char *own = environment("CONVSMITH_CACHE_DIR");
    CacheDirectory chosen;
    if (!option.empty() || own) {
        chosen.path = !option.empty() ? option : own;
        chosen.source = !option.empty() ? "option" : "$CONVSMITH_CACHE_DIR";
        if (chosen.path == "-")
            chosen.path.clear();
        return chosen;
    }
    chosen.is_explicit = false;
    const char *xdg = environment("XDG_CACHE_HOME");
    const char *home = environment("HOME");
    if (xdg && *xdg == '/') { // the XDG specification says to ignore relative paths
        chosen.path = (fs::path(xdg) / "convsmith").string();
        chosen.source = "$XDG_CACHE_HOME";
    } else if (home && *home == '/') {
        chosen.path = (fs::path(home) / ".cache" / "convsmith").string();
        chosen.source = "$HOME";
    } else {
        chosen.source = "neither $XDG_CACHE_HOME nor $HOME is set";
    }
    return chosen;
}

KernelCache::KernelCache(const std::string &directory, int64_t max_bytes)
    : directory_(directory), max_bytes_(max_bytes) {
    if (max_bytes <= 0) {
        throw Error(ErrorCode::BadArgument,
                    "kernel cache: max_disk_bytes is " + std::to_string(max_bytes) + ", want more than 0");
    }
    std::error_code error;
    const bool is_new = fs::create_directories(directory_, error);
    if (error)
        unusable(directory_, error.message());
    if (!fs::is_directory(directory_, error))
        unusable(directory_, "it is not a directory");
    if (is_new) // entries are machine code that we will run: nobody else may write them
        fs::permissions(directory_, fs::perms::owner_all, error);
    if (::access(directory_.c_str(), R_OK | W_OK | X_OK) != 0)
        unusable(directory_, std::strerror(errno));
}

std::string KernelCache::path_of(const std::string &key) const {
    return (fs::path(directory_) / (hex_of(digest_of({key})) + kEntrySuffix)).string();
}

std::optional<std::string> KernelCache::find(const std::string &key) {
    const File file(::open(path_of(key).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open())
        return std::nullopt;
    std::optional<std::string> payload = read_entry(file, key);
    if (!payload) {
        rejected_++;
        return std::nullopt;
    }
    ::futimens(file.fd(), nullptr); // the file's time is the time of its last use; shrink_to_bound() reads it
    return payload;
}

void KernelCache::store(const std::string &key, const std::string &payload) {
    const uint64_t bytes = sizeof(EntryHeader) + key.size() + payload.size();
    if (bytes > static_cast<uint64_t>(max_bytes_))
        return; // it would push out every other entry and then itself
    if (!write_entry(key, payload)) {
        failed_stores_++;
        return;
    }
    shrink_to_bound();
}

bool KernelCache::write_entry(const std::string &key, const std::string &payload) {
    EntryHeader header = {};
    header.magic = kMagic;
    header.version = kFormatVersion;
    header.key_bytes = static_cast<uint32_t>(key.size());
    header.payload_bytes = payload.size();
    header.digest = digest_of({key, payload});

    std::string temp = (fs::path(directory_) / (std::string(kTempPrefix) + "XXXXXX")).string();
    const File file(::mkostemp(temp.data(), O_CLOEXEC));
    if (!file.is_open())
        return false;
    const bool written = file.write(&header, sizeof(header)) && file.write(key.data(), key.size()) &&
                         file.write(payload.data(), payload.size()) && ::fsync(file.fd()) == 0 &&
                         ::rename(temp.c_str(), path_of(key).c_str()) == 0;
    if (!written)
        ::unlink(temp.c_str());
    return written;
}

void KernelCache::shrink_to_bound() {
    struct Entry {
        fs::file_time_type used;
        int64_t bytes;
        fs::path path;
    };
    std::vector<Entry> entries;
    int64_t total = 0;
    std::error_code error; // files may vanish at any moment: other processes shrink the same directory
    const auto now = fs::file_time_type::clock::now();
    for (fs::directory_iterator it(directory_, error), end; !error && it != end; it.increment(error)) {
        std::error_code gone;
        const auto used = it->last_write_time(gone);
        const auto bytes = gone ? 0 : static_cast<int64_t>(it->file_size(gone));
        if (gone)
            continue;
        if (has_prefix(it->path().filename().string(), kTempPrefix)) {
            if (now - used > kTempLifetime)
                fs::remove(it->path(), gone);
        } else if (it->path().extension() == kEntrySuffix) {
            entries.push_back({used, bytes, it->path()});
            total += bytes;
        }
    }
    if (total <= max_bytes_)
        return;
    std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) { return a.used < b.used; });
    for (const Entry &entry : entries) {
        if (total <= max_bytes_)
            break;
        std::error_code gone;
        if (fs::remove(entry.path, gone))
            removed_++;
        total -= entry.bytes;
    }
}

} // namespace convsmith
