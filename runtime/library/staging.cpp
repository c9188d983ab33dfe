// Staged output directory (see staging.h).
#include "runtime/library/staging.h"

#include "generators/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace convsmith::library {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void io_error(const fs::path &path, const std::string &reason) {
    throw Error(ErrorCode::Io, fmt::format("output directory '{}': {}", path.string(), reason));
}

void check_not_in_the_way(const fs::path &directory, const std::string &entry,
                          const std::vector<std::string> &owned) {
    const auto check = [&](const fs::path &file) {
        const std::string relative = file.lexically_relative(directory).generic_string();
        if (std::find(owned.begin(), owned.end(), relative) == owned.end())
            io_error(directory,
                     fmt::format("'{}' is in the way and was not written by convsmith; choose another "
                                 "directory or remove it",
                                 relative));
    };
    const fs::path top = directory / entry;
    const fs::file_status status = fs::symlink_status(top);
    if (!fs::exists(status))
        return;
    if (!fs::is_directory(status)) {
        check(top);
        return;
    }
    for (const fs::directory_entry &file : fs::recursive_directory_iterator(top)) {
        if (!file.is_directory() || file.is_symlink())
            check(file.path());
    }
}

} // namespace

Staging::Staging(const std::string &directory, const std::vector<std::string> &entries,
                 const std::vector<std::string> &owned)
    : entries_(entries) {
    if (directory.empty())
        io_error(directory, "the name is empty");
    std::error_code error;
    directory_ = fs::absolute(directory, error).lexically_normal();
    if (fs::exists(directory_, error) && !fs::is_directory(directory_, error))
        io_error(directory_, "is a file, want a directory");
    try {
        for (const std::string &entry : entries_)
            check_not_in_the_way(directory_, entry, owned);
    } catch (const fs::filesystem_error &e) {
        io_error(directory_, e.code().message());
    }
    create_directories();
}

void Staging::create_directories() {
    const auto undo = [this] {
        std::error_code ignored;
        for (auto at = created_.rbegin(); at != created_.rend(); ++at)
            fs::remove(*at, ignored);
    };
    std::error_code error;
    std::vector<fs::path> missing;
    for (fs::path at = directory_; !at.empty() && !fs::exists(at, error); at = at.parent_path())
        missing.push_back(at);
    for (auto at = missing.rbegin(); at != missing.rend(); ++at) {
        if (fs::create_directory(*at, error))
            created_.push_back(*at);
        if (error) {
            undo();
            io_error(directory_, fmt::format("cannot be created: {}", error.message()));
        }
    }
    std::string name = (directory_ / ".convsmith-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
        const int code = errno;
        undo();
        io_error(directory_, fmt::format("cannot be written: {}", std::strerror(code)));
    }
    hidden_ = name;
    new_ = hidden_ / "new", old_ = hidden_ / "old", scratch_ = hidden_ / "scratch";
    for (const fs::path &path : {new_, old_, scratch_})
        fs::create_directory(path, error);
    if (error) {
        fs::remove_all(hidden_, error);
        undo();
        io_error(directory_, "cannot be written");
    }
}

Staging::~Staging() {
    std::error_code ignored;
    fs::remove_all(hidden_, ignored);
    for (auto at = created_.rbegin(); at != created_.rend(); ++at)
        fs::remove(*at, ignored); // fails, as it should, where a committed library lies
}

void Staging::commit() {
    std::vector<std::pair<fs::path, fs::path>> moves; // done so far: from, to
    std::error_code error;
    const auto move = [&](const fs::path &from, const fs::path &to) {
        if (error || !fs::exists(fs::symlink_status(from)))
            return;
        fs::rename(from, to, error);
        if (!error)
            moves.emplace_back(from, to);
    };
    for (const std::string &entry : entries_) {
        move(directory_ / entry, old_ / entry);
        move(new_ / entry, directory_ / entry);
    }
    if (!error)
        return;
    std::error_code ignored;
    for (auto at = moves.rbegin(); at != moves.rend(); ++at)
        fs::rename(at->second, at->first, ignored);
    io_error(directory_, fmt::format("cannot move the library into place: {}", error.message()));
}

} // namespace convsmith::library
