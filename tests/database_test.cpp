// The database file under everything that happens to files: several writers, killed writers, full disks,
// read-only files, lines that are no records. What records mean is in lookup_test.cpp.
#include "runtime/frontend/file_io.h"
#include "runtime/records/database.h"
#include "runtime/temp_dir.h"
#include "tests/error_of.h"
#include "tests/record_samples.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace convsmith::autotune {
namespace {

namespace fs = std::filesystem;

/// Runs `work` in a process of its own; its exit code is 0 if `work` returns, 1 if it throws.
pid_t start(const std::function<void()> &work) {
    const pid_t child = fork();
    if (child == 0) {
        try {
            work();
            _exit(0);
        } catch (...) {
            _exit(1);
        }
    }
    return child;
}

int exit_code_of(pid_t child) {
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void write(const std::string &path, const std::string &text) {
    std::ofstream(path, std::ios::binary) << text;
}

TEST(Record, LineRoundTrips) {
    Record record = sample_record(4);
    record.workspace_bytes = 4096;
    record.relative = 1.25;
    record.seed = ~uint64_t{0};
    const std::string line = to_line(record);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    const Record back = parse_record(line, "here");
    EXPECT_EQ(to_line(back), line);
    EXPECT_EQ(back.subject(), record.subject());
    EXPECT_EQ(back.seed, record.seed);
    EXPECT_EQ(back.ns.rounds, 9);
    EXPECT_DOUBLE_EQ(back.cost(), 0.2);
    EXPECT_DOUBLE_EQ(back.relative, 1.25);
    EXPECT_TRUE(is_current(back));
}

TEST(Record, FailuresHaveTheirTextAndNoTimes) {
    Record record = failed_record(Status::Crash);
    record.error = "signal 11\nlast words: \xff\x01";
    const Record back = parse_record(to_line(record), "here");
    EXPECT_EQ(back.status, Status::Crash);
    EXPECT_EQ(back.error.rfind("signal 11\nlast words: ", 0), 0u);
    EXPECT_EQ(back.cost(), 0);
    EXPECT_EQ(to_line(back).find("\"ns\""), std::string::npos);
}

TEST(Record, UnknownMembersAreKept) {
    Json json = Json::parse(to_line(sample_record()));
    json["temperature"] = {{"celsius", 61}};
    const Record record = parse_record(json.dump(), "here");
    EXPECT_EQ(Json::parse(to_line(record))["temperature"]["celsius"], 61);
}

TEST(Record, MalformedLinesNamePlaceAndMember) {
    const auto message_of = [](const std::function<void(Json &)> &spoil) {
        Json json = Json::parse(to_line(sample_record()));
        spoil(json);
        return error_of([&] { parse_record(json.dump(), "db.jsonl:7"); });
    };
    const auto expect_parts = [](const std::string &message, const std::vector<std::string> &parts) {
        for (const std::string &part : parts)
            EXPECT_NE(message.find(part), std::string::npos) << "no '" << part << "' in " << message;
    };
    expect_parts(message_of([](Json &j) { j.erase("key"); }), {"db.jsonl:7", "'key'", "missing"});
    expect_parts(message_of([](Json &j) { j["v"] = 2; }), {"'v'", "2"});
    expect_parts(message_of([](Json &j) { j["status"] = "fine"; }), {"'status'", "fine", "wrong_result"});
    expect_parts(message_of([](Json &j) { j["plan"]["params"]["rows"] = "x"; }), {"plan: params", "'rows'"});
    expect_parts(message_of([](Json &j) { j["ns"]["median"] = 0; }), {"'ns'", "positive"});
    expect_parts(message_of([](Json &j) { j["hardware"] = 3; }), {"'hardware'", "object"});
    expect_parts(error_of([] { parse_record("[1, 2", "db.jsonl:7"); }), {"db.jsonl:7", "JSON"});
}

TEST(Database, AppendedRecordsAreReadBackInOrder) {
    const TempDir dir;
    const Database database(dir / "new/folder/db.jsonl");
    EXPECT_TRUE(database.read().lines.empty());
    for (int rows = 1; rows <= 3; rows++)
        database.append(sample_record(rows));
    const Contents contents = database.read();
    ASSERT_EQ(contents.records().size(), 3u);
    EXPECT_TRUE(contents.problems().empty());
    for (int rows = 1; rows <= 3; rows++)
        EXPECT_EQ(contents.records()[rows - 1]->params.at("rows"), rows);
}

TEST(Database, GarbageIsReportedWithItsLineAndSurvivesARewrite) {
    const TempDir dir;
    const Database database(dir / "db.jsonl");
    const std::string first = to_line(sample_record(1)), last = to_line(sample_record(2));
    write(database.path(), first + "\n{\"half\": \n\nnot json\n" + last + "\n");
    const Contents contents = database.read();
    EXPECT_EQ(contents.records().size(), 2u);
    ASSERT_EQ(contents.problems().size(), 2u);
    EXPECT_NE(contents.problems()[0].find("db.jsonl:2"), std::string::npos);
    EXPECT_NE(contents.problems()[1].find("db.jsonl:4"), std::string::npos);
    database.rewrite([](std::vector<Line> &lines) { lines.erase(lines.begin()); });
    EXPECT_EQ(read_file(database.path()), "{\"half\": \nnot json\n" + last + "\n");
}

TEST(Database, RecordAfterATornLineStartsOnALineOfItsOwn) {
    const TempDir dir;
    const Database database(dir / "db.jsonl");
    const std::string whole = to_line(sample_record(1));
    write(database.path(), whole + "\n" + whole.substr(0, whole.size() / 2));
    ASSERT_EQ(database.read().problems().size(), 1u);
    EXPECT_NE(database.read().problems()[0].find("cut off"), std::string::npos);
    database.append(sample_record(2));
    const Contents contents = database.read();
    ASSERT_EQ(contents.records().size(), 2u);
    EXPECT_EQ(contents.records()[1]->params.at("rows"), 2);
    EXPECT_EQ(contents.lines[1].text, whole.substr(0, whole.size() / 2));
}

TEST(Database, LastLineWithoutItsEndIsARecordIfItIsWhole) {
    const TempDir dir;
    const Database database(dir / "db.jsonl");
    write(database.path(), to_line(sample_record(1)));
    EXPECT_EQ(database.read().records().size(), 1u);
    database.append(sample_record(2));
    EXPECT_EQ(database.read().records().size(), 2u);
}

TEST(Database, FourProcessesLoseAndMixNoLine) {
    constexpr int kProcesses = 4, kRecords = 50;
    const TempDir dir;
    const Database database(dir / "db.jsonl");
    std::vector<pid_t> children;
    for (int process = 0; process < kProcesses; process++)
        children.push_back(start([&] {
            for (int i = 0; i < kRecords; i++)
                database.append(sample_record(1000 * process + i));
        }));
    // A fifth one that replaces the file all the time.
    for (int i = 0; i < 20; i++)
        database.rewrite([](std::vector<Line> &lines) { std::reverse(lines.begin(), lines.end()); });
    for (const pid_t child : children)
        EXPECT_EQ(exit_code_of(child), 0);
    const Contents contents = database.read();
    EXPECT_TRUE(contents.problems().empty()) << contents.problems()[0];
    std::set<int> seen;
    for (const Record *record : contents.records())
        seen.insert(record->params.at("rows"));
    EXPECT_EQ(seen.size(), size_t{kProcesses} * kRecords);
    EXPECT_EQ(contents.records().size(), seen.size());
}

TEST(Database, KilledWritersLoseAtMostTheRecordInFlight) {
    constexpr int kKills = 50;
    const TempDir dir;
    const Database database(dir / "db.jsonl");
    int acknowledged = 0;
    for (int kill_number = 0; kill_number < kKills; kill_number++) {
        int ends[2];
        ASSERT_EQ(pipe(ends), 0);
        const pid_t child = start([&] {
            for (int i = 0;; i++) {
                database.append(sample_record(1000 * kill_number + i));
                if (::write(ends[1], "x", 1) != 1)
                    return;
            }
        });
        close(ends[1]);
        usleep(2000 * (kill_number % 10 + 1));
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        for (char byte = 0; read(ends[0], &byte, 1) == 1;)
            acknowledged++;
        close(ends[0]);
    }
    database.append(sample_record(1));
    const Contents contents = database.read();
    EXPECT_GE(contents.records().size(), size_t(acknowledged) + 1);
    EXPECT_LE(contents.records().size(), size_t(acknowledged) + 1 + kKills);
    EXPECT_LE(contents.problems().size(), size_t{kKills});
    EXPECT_GT(acknowledged, 0);
}

TEST(Database, FullDiskLeavesTheFileAsItWas) {
    const TempDir dir;
    const Database database(dir / "db.jsonl");
    database.append(sample_record(1));
    const std::string before = read_file(database.path());
    const pid_t child = start([&] {
        std::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit = {before.size() + 100, before.size() + 100}; // part of a record still fits
        setrlimit(RLIMIT_FSIZE, &limit);
        const std::string message = error_of([&] { database.append(sample_record(2)); }, ErrorCode::Io);
        if (message.find("cannot add a record") == std::string::npos)
            throw std::runtime_error(message);
        error_of([&] { database.rewrite([](auto &lines) { lines.push_back(lines[0]); }); }, ErrorCode::Io);
    });
    EXPECT_EQ(exit_code_of(child), 0);
    EXPECT_EQ(read_file(database.path()), before);
    EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);
    database.append(sample_record(2));
    EXPECT_EQ(database.read().records().size(), 2u);
    const Database full("/dev/full");
    EXPECT_TRUE(full.read().lines.empty());
    error_of([&] { full.append(sample_record()); }, ErrorCode::Io);
}

TEST(Database, ReadOnlyFileIsReadAndRefusesRecords) {
    const TempDir dir;
    const Database database(dir / "db.jsonl");
    database.append(sample_record(1));
    const std::string before = read_file(database.path());
    chmod(database.path().c_str(), 0444);
    chmod(dir.string().c_str(), 0555);
    const pid_t child = start([&] {
        if (geteuid() == 0 && setuid(65534) != 0) // root may write everywhere
            throw std::runtime_error("setuid");
        if (database.read().records().size() != 1)
            throw std::runtime_error("read");
        error_of([&] { database.check_writable(); }, ErrorCode::Io);
        error_of([&] { database.append(sample_record(2)); }, ErrorCode::Io);
        error_of([&] { database.rewrite([](auto &lines) { lines.clear(); }); }, ErrorCode::Io);
        if (testing::Test::HasFailure())
            throw std::runtime_error("an error is missing");
    });
    EXPECT_EQ(exit_code_of(child), 0);
    EXPECT_EQ(read_file(database.path()), before);
    chmod(dir.string().c_str(), 0755);
}

TEST(Database, RewriteThroughALinkKeepsTheLink) {
    const TempDir dir;
    Database(dir / "db.jsonl").append(sample_record(1));
    fs::create_symlink(dir / "db.jsonl", dir / "link.jsonl");
    Database(dir / "link.jsonl").rewrite([](auto &lines) { lines.clear(); });
    EXPECT_TRUE(fs::is_symlink(dir / "link.jsonl"));
    EXPECT_EQ(read_file(dir / "db.jsonl"), "");
}

} // namespace
} // namespace convsmith::autotune
