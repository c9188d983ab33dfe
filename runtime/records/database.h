// The database file: one record a line (record.h), appended under a lock by any number of processes. What is
// on disk survives a killed writer, a full disk and lines that nobody can read. Before it: the tuner; after
// it: lookup.h and `convsmith db`.
#pragma once

#include "runtime/records/record.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace convsmith::autotune {

/// A line of a file: a record, or why it is none.
struct Line {
    int64_t number = 0; ///< from 1
    std::string text;   ///< verbatim, without its end
    std::optional<Record> record;
    std::string problem; ///< empty if there is a record
};

/// What a file holds, in its order.
struct Contents {
    std::string name; ///< path of the file, or what stands for one
    std::vector<Line> lines;

    std::vector<const Record *> records() const;
    /// One for every line that is no record: "db.jsonl:7: no record: not a JSON object".
    std::vector<std::string> problems() const;
};

/// Splits and parses. Empty lines are left out.
Contents parse_contents(const std::string &name, const std::string &text);

/// A file of records. Every member function opens it anew and holds its lock (flock) while it works, so that
/// processes and threads can share it. All throw Error(Io) naming the file if the system refuses.
class Database {
public:
    /// The file need not exist. A symbolic link is followed.
    explicit Database(const std::string &path);

    const std::string &path() const { return path_; }

    /// Empty if there is no file.
    Contents read() const;

    /// Adds a line and waits until it is on disk. Creates file and folders. If it throws, the file is as
    /// before. Where an interrupted writer left part of a line, the record goes on the next.
    void append(const Record &record) const;

    /// Throws what append would throw for lack of permission. Creates the file.
    void check_writable() const;

    /// Reads, lets `edit` change the lines, and replaces the file if they have changed: readers see all of
    /// the old file or all of the new one. Lines are written as Line::text.
    void rewrite(const std::function<void(std::vector<Line> &lines)> &edit) const;

private:
    std::string path_;
};

} // namespace convsmith::autotune
