// The disk cache of compiled objects, shared by every process that names the same directory. Internal to
// runtime. Before it: object_store.h, which makes keys and objects; after it: nothing, it only knows bytes.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

namespace convsmith {

/// Where cached objects go and how that was decided.
struct CacheDirectory {
    std::string path;        ///< empty: no disk cache
    bool is_explicit = true; ///< named by the user, so a directory that cannot be used is an error
    std::string source; ///< "option", "$CONVSMITH_CACHE_DIR", "$XDG_CACHE_HOME", "$HOME" or why there is none
};

/// Precedence: `option` > $CONVSMITH_CACHE_DIR > $XDG_CACHE_HOME/convsmith > $HOME/.cache/convsmith. "-"
/// means none.
CacheDirectory choose_cache_directory(const std::string &option);

/// Key -> bytes in a directory, one file per entry named by SHA-256 of the key. Entries appear whole or not
/// at all (written aside, synced, renamed). Safe for any number of threads and processes.
class KernelCache {
public:
    /// Creates the directory if needed. Throws Error(Io) if it cannot be created or written, and
    /// Error(BadArgument) if max_bytes is not positive.
    KernelCache(const std::string &directory, int64_t max_bytes);

    /// The bytes stored under `key`, marked as used now. Nothing if there is no entry, or if it is truncated,
    /// altered or holds another key: such an entry counts as rejected and is never returned.
    std::optional<std::string> find(const std::string &key);

    /// Stores `payload` under `key`, replacing any entry, then removes least recently used entries until the
    /// directory is within its bound. An entry larger than the bound is not kept. A failure (disk full, say)
    /// loses only the entry and counts as failed.
    void store(const std::string &key, const std::string &payload);

    /// The file that holds or would hold `key`.
    std::string path_of(const std::string &key) const;

    const std::string &directory() const { return directory_; }
    int64_t rejected() const { return rejected_; }           ///< damaged or foreign entries met
    int64_t removed() const { return removed_; }             ///< entries removed to stay within the bound
    int64_t failed_stores() const { return failed_stores_; } ///< entries that could not be written

private:
    bool write_entry(const std::string &key, const std::string &payload);
    void shrink_to_bound();

    std::string directory_;
    int64_t max_bytes_;
    std::atomic<int64_t> rejected_{0};
    std::atomic<int64_t> removed_{0};
    std::atomic<int64_t> failed_stores_{0};
};

} // namespace convsmith
