// The disk cache alone (runtime/kernel_cache.h): entries come back whole or not at all, the directory stays
// within its bound, and several processes may use it at once. The cache behind the JIT is judged in
// jit_test.cpp.
#include "generators/error.h"
#include "runtime/kernel_cache.h"
#include "runtime/temp_dir.h"
#include "tests/scoped_environment.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <optional>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace convsmith {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kPlenty = 1 << 20;

std::string read_all(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_all(const std::string &path, const std::string &bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

int64_t bytes_in(const fs::path &directory) {
    int64_t total = 0;
    for (const auto &file : fs::directory_iterator(directory))
        total += static_cast<int64_t>(file.file_size());
    return total;
}

TEST(KernelCache, ReturnsWhatWasStored) {
    const TempDir dir;
    KernelCache cache(dir.string(), kPlenty);
    EXPECT_FALSE(cache.find("key"));
    cache.store("key", std::string("object\0code", 11));
    cache.store("other", "");
    EXPECT_EQ(cache.find("key"), std::string("object\0code", 11));
    EXPECT_EQ(cache.find("other"), "");
    EXPECT_EQ(KernelCache(dir.string(), kPlenty).find("key"), std::string("object\0code", 11));
    EXPECT_EQ(cache.rejected(), 0);
}

TEST(KernelCache, StoringAgainReplaces) {
    const TempDir dir;
    KernelCache cache(dir.string(), kPlenty);
    cache.store("key", "old");
    cache.store("key", "new");
    EXPECT_EQ(cache.find("key"), "new");
}

TEST(KernelCache, EveryFlippedBitIsRejected) {
    const TempDir dir;
    KernelCache cache(dir.string(), kPlenty);
    cache.store("key", "payload");
    const std::string path = cache.path_of("key");
    const std::string good = read_all(path);
    int64_t damaged = 0;
    for (size_t bit = 0; bit < 8 * good.size(); bit++) {
        std::string bad = good;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
        write_all(path, bad);
        EXPECT_FALSE(cache.find("key")) << "bit " << bit;
        EXPECT_EQ(cache.rejected(), ++damaged) << "bit " << bit;
    }
    cache.store("key", "payload");
    EXPECT_EQ(cache.find("key"), "payload") << "a rejected entry can be stored anew";
}

TEST(KernelCache, EveryTruncationAndTrailingBytesAreRejected) {
    const TempDir dir;
    KernelCache cache(dir.string(), kPlenty);
    cache.store("key", "payload");
    const std::string path = cache.path_of("key");
    const std::string good = read_all(path);
    for (size_t size = 0; size < good.size(); size++) {
        write_all(path, good.substr(0, size));
        EXPECT_FALSE(cache.find("key")) << size << " bytes";
    }
    write_all(path, good + "x");
    EXPECT_FALSE(cache.find("key"));
    EXPECT_EQ(cache.rejected(), static_cast<int64_t>(good.size()) + 1);
}

TEST(KernelCache, EntryOfAnotherKeyIsRejected) {
    const TempDir dir;
    KernelCache cache(dir.string(), kPlenty);
    cache.store("key a", "payload");
    fs::copy_file(cache.path_of("key a"), cache.path_of("key b"));
    EXPECT_FALSE(cache.find("key b"));
    EXPECT_EQ(cache.rejected(), 1);
    EXPECT_EQ(cache.find("key a"), "payload");
}

TEST(KernelCache, ForeignFilesAreNeitherReadNorRemoved) {
    const TempDir dir;
    const std::string foreign = (dir.path() / "notes.txt").string();
    write_all(foreign, std::string(5000, 'n'));
    KernelCache cache(dir.string(), 400);
    write_all(cache.path_of("key"), "not an entry");
    EXPECT_FALSE(cache.find("key"));
    EXPECT_EQ(cache.rejected(), 1);
    for (int i = 0; i < 10; i++)
        cache.store(std::to_string(i), std::string(100, 'p'));
    EXPECT_TRUE(fs::exists(foreign));
}

TEST(KernelCache, LeastRecentlyUsedEntriesAreRemovedBeyondTheBound) {
    const TempDir dir;
    const std::string payload(1000, 'p');
    KernelCache cache(dir.string(), 3500); // room for three entries of 64 + 1 + 1000 bytes
    const auto tick = [] { std::this_thread::sleep_for(std::chrono::milliseconds(20)); };
    for (const char *key : {"a", "b", "c"}) {
        cache.store(key, payload);
        tick();
    }
    EXPECT_TRUE(cache.find("a")); // now b is the oldest
    tick();
    cache.store("d", payload);
    EXPECT_EQ(cache.removed(), 1);
    EXPECT_TRUE(cache.find("a"));
    EXPECT_FALSE(cache.find("b"));
    EXPECT_TRUE(cache.find("c"));
    EXPECT_TRUE(cache.find("d"));
    EXPECT_LE(bytes_in(dir.path()), 3500);
}

TEST(KernelCache, EntryLargerThanTheBoundIsNotKeptAndRemovesNothing) {
    const TempDir dir;
    KernelCache cache(dir.string(), 1000);
    cache.store("small", "payload");
    cache.store("large", std::string(2000, 'p'));
    EXPECT_FALSE(cache.find("large"));
    EXPECT_EQ(cache.find("small"), "payload");
    EXPECT_EQ(cache.removed(), 0);
}

TEST(KernelCache, TemporaryFilesOfDeadWritersAreRemovedOthersKept) {
    const TempDir dir;
    const std::string dead = (dir.path() / "tmp-dead00").string(),
                      live = (dir.path() / "tmp-live00").string();
    write_all(dead, "half");
    write_all(live, "half");
    fs::last_write_time(dead, fs::file_time_type::clock::now() - std::chrono::hours(2));
    KernelCache(dir.string(), kPlenty).store("key", "payload");
    EXPECT_FALSE(fs::exists(dead));
    EXPECT_TRUE(fs::exists(live));
}

TEST(KernelCache, FailedWriteLeavesNothingAndIsCounted) {
    const TempDir dir;
    KernelCache cache((dir.path() / "cache").string(), kPlenty);
    fs::remove_all(dir.path() / "cache");
    cache.store("key", "payload");
    EXPECT_EQ(cache.failed_stores(), 1);
    EXPECT_FALSE(cache.find("key"));
    EXPECT_EQ(cache.rejected(), 0);
}

TEST(KernelCache, UnusableDirectoryIsAnErrorThatNamesIt) {
    const TempDir dir;
    const std::string file = (dir.path() / "file").string();
    write_all(file, "");
    for (const std::string &bad : {file, file + "/below"}) {
        try {
            KernelCache cache(bad, kPlenty);
            ADD_FAILURE() << bad << " was accepted";
        } catch (const Error &error) {
            EXPECT_EQ(error.code(), ErrorCode::Io);
            EXPECT_NE(std::string(error.what()).find("\"" + bad + "\""), std::string::npos) << error.what();
        }
    }
    EXPECT_THROW(KernelCache(dir.string(), 0), Error);
}

TEST(KernelCache, NewDirectoryIsPrivate) {
    const TempDir dir;
    const fs::path path = dir.path() / "a" / "b";
    const KernelCache cache(path.string(), kPlenty);
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
}

TEST(KernelCache, ProcessesThatStoreAndFindAtOnceNeverSeeDamage) {
    const TempDir dir;
    constexpr int kProcesses = 4, kKeys = 8, kRounds = 200;
    // The bound is below what the keys need, so that entries are also removed all the time.
    const auto work = [&](int process) {
        KernelCache cache(dir.string(), 30000);
        for (int round = 0; round < kRounds; round++) {
            const int k = (round * 5 + process) % kKeys;
            const std::string key = "key " + std::to_string(k), want(5000 + k, static_cast<char>('a' + k));
            const std::optional<std::string> found = cache.find(key);
            if (found && *found != want)
                return 1;
            cache.store(key, want);
        }
        return cache.rejected() == 0 && cache.failed_stores() == 0 ? 0 : 2;
    };
    std::vector<pid_t> children;
    for (int process = 0; process < kProcesses; process++) {
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0)
            _exit(work(process));
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFEXITED(status));
        EXPECT_EQ(WEXITSTATUS(status), 0) << "1: wrong bytes, 2: rejected entries or failed stores";
    }
    EXPECT_LE(bytes_in(dir.path()), 30000 + 6000) << "one entry may be added while another process counts";
}

TEST(CacheDirectory, OptionThenOwnVariableThenXdgThenHome) {
    const ScopedEnvironment own("CONVSMITH_CACHE_DIR", "/own"), xdg("XDG_CACHE_HOME", "/xdg"),
        home("HOME", "/home/u");
    EXPECT_EQ(choose_cache_directory("/opt").path, "/opt");
    EXPECT_TRUE(choose_cache_directory("/opt").is_explicit);
    EXPECT_EQ(choose_cache_directory("").path, "/own");
    EXPECT_TRUE(choose_cache_directory("").is_explicit);
    const ScopedEnvironment no_own("CONVSMITH_CACHE_DIR", nullptr);
    EXPECT_EQ(choose_cache_directory("").path, "/xdg/convsmith");
    EXPECT_FALSE(choose_cache_directory("").is_explicit);
    const ScopedEnvironment relative_xdg("XDG_CACHE_HOME", "relative");
    EXPECT_EQ(choose_cache_directory("").path, "/home/u/.cache/convsmith");
    EXPECT_FALSE(choose_cache_directory("").is_explicit);
    const ScopedEnvironment no_home("HOME", nullptr);
    EXPECT_EQ(choose_cache_directory("").path, "");
    EXPECT_NE(choose_cache_directory("").source.find("$HOME"), std::string::npos);
}

TEST(CacheDirectory, DashMeansNone) {
    EXPECT_EQ(choose_cache_directory("-").path, "");
    const ScopedEnvironment own("CONVSMITH_CACHE_DIR", "-");
    EXPECT_EQ(choose_cache_directory("").path, "");
}

} // namespace
} // namespace convsmith
