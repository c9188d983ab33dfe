// Tuning runs whose disk is full, whose database cannot be written or holds garbage, that are killed, and
// that share a file: each ends with the right best record, and the database loses nothing.
#include "runtime/frontend/file_io.h"
#include "tests/tuner_support.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace convsmith::autotune {
namespace {

namespace fs = std::filesystem;

class TunerFault : public TunerTest {
protected:
    TunerFault() {
        const std::vector<Plan> all = space().plans;
        options_.plans = {all[0], all[1], all[2]};
    }

    /// Runs `work` in a process of its own that cleans up in the test's directory.
    pid_t start(const std::function<bool()> &work) const {
        const pid_t child = fork();
        if (child == 0) {
            setenv("TMPDIR", dir_.string().c_str(), 1);
            _exit(work() ? 0 : 1);
        }
        return child;
    }

    static int exit_code_of(pid_t child) {
        int status = 0;
        EXPECT_EQ(waitpid(child, &status, 0), child);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

    /// How often every plan was measured, final choices apart.
    static std::multiset<std::string> measured(const Contents &contents) {
        std::multiset<std::string> plans;
        for (const Record *record : contents.records()) {
            if (!record->is_chosen)
                plans.insert(record->plan_text());
        }
        return plans;
    }

    void expect_best_is_of_the_last_choice(const Contents &contents) const {
        ASSERT_FALSE(chosen(contents).empty());
        EXPECT_EQ(best_plan(contents), chosen(contents).back()->plan_text());
    }
};

TEST_F(TunerFault, FullDeviceIsReportedAndTheRunGoesOn) {
    const TuneResult result = tune(desc_, host_target(), Database("/dev/full"), options_);
    EXPECT_NE(result.store_error.find("No space left"), std::string::npos) << result.store_error;
    EXPECT_EQ(result.record.status, Status::Ok);
    EXPECT_GT(result.record.ns.median, 0);
}

TEST_F(TunerFault, DiskThatFillsUpLeavesWholeRecordsAndTheNextRunGoesOn) {
    const pid_t child = start([&] {
        std::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit = {1300, 1300}; // less than two records; no candidate's code either
        setrlimit(RLIMIT_FSIZE, &limit);
        const TuneResult result = run();
        return result.store_error.find("File too large") != std::string::npos &&
               result.record.status == Status::Ok;
    });
    EXPECT_EQ(exit_code_of(child), 0);
    const Contents before = database_.read();
    EXPECT_TRUE(before.problems().empty());
    EXPECT_GE(before.records().size(), 1u);
    EXPECT_LT(before.records().size(), options_.plans.size());
    const TuneResult result = run();
    EXPECT_EQ(result.progress.known, static_cast<int64_t>(measured(before).size()));
    for (const Plan &plan : options_.plans)
        EXPECT_EQ(measured(database_.read()).count(plan.text()), 1u) << plan.text();
    expect_best_is_of_the_last_choice(database_.read());
}

TEST_F(TunerFault, ReadOnlyDatabaseIsUsedAndStaysAsItIs) {
    run();
    const std::string before = read_file(database_.path());
    chmod(database_.path().c_str(), 0444);
    chmod(dir_.string().c_str(), 0777);
    constexpr int kNobody = 65534, kSkip = 77;
    const pid_t child = start([&] {
        if (geteuid() == 0 && setuid(kNobody) != 0) // root may write everywhere
            _exit(kSkip);
        if (access(options_.worker[0].c_str(), X_OK) != 0)
            _exit(kSkip);
        const TuneResult result = run();
        return result.store_error.find("Permission denied") != std::string::npos &&
               result.record.status == Status::Ok &&
               result.progress.known == static_cast<int64_t>(options_.plans.size());
    });
    const int code = exit_code_of(child);
    if (code == kSkip)
        GTEST_SKIP() << "needs another user who may run the program";
    EXPECT_EQ(code, 0);
    EXPECT_EQ(read_file(database_.path()), before);
}

TEST_F(TunerFault, GarbageInTheDatabaseStaysAndCostsNothing) {
    run();
    std::string text = read_file(database_.path());
    const char garbage[] = "\xff\x00{{{ \"v\": 1\n[1, 2]\n{\"v\": 1, \"key\": 3}\n";
    text.insert(text.find('\n') + 1, garbage, sizeof garbage - 1);
    text += "{\"v\": 1, \"key\": \"conv"; // and a torn last line
    std::ofstream(database_.path(), std::ios::binary) << text;
    const size_t records = database_.read().records().size();
    const TuneResult result = run();
    EXPECT_EQ(result.progress.known, static_cast<int64_t>(options_.plans.size()));
    EXPECT_EQ(result.store_error, "");
    const Contents after = database_.read();
    EXPECT_EQ(after.records().size(), records + 1) << "the choice, confirmed";
    EXPECT_EQ(after.problems().size(), 4u);
    EXPECT_EQ(read_file(database_.path()).rfind(text, 0), 0u) << "nothing that was there has changed";
    expect_best_is_of_the_last_choice(after);
}

TEST_F(TunerFault, FiftyKillsLoseNothingAndLeaveNothingBehind) {
    constexpr int kKills = 50;
    for (int i = 0; i < kKills; i++) {
        const pid_t child = start([&] {
            run();
            return true;
        });
        usleep(1000 * (20 + 25 * (i % 10)));
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
    }
    const pid_t last = start([&] { return run().record.status == Status::Ok; });
    EXPECT_EQ(exit_code_of(last), 0);
    const Contents contents = database_.read();
    for (const Plan &plan : options_.plans)
        EXPECT_EQ(measured(contents).count(plan.text()), 1u) << plan.text();
    EXPECT_LE(contents.problems().size(), size_t{kKills});
    expect_best_is_of_the_last_choice(contents);
    for (const fs::directory_entry &entry : fs::directory_iterator(dir_.path()))
        EXPECT_EQ(entry.path(), database_.path()) << "left by a killed run";
}

TEST_F(TunerFault, FourRunsShareAFile) {
    constexpr int kRuns = 4;
    options_.compilers = 1;
    std::vector<pid_t> children;
    for (int i = 0; i < kRuns; i++)
        children.push_back(start([&] {
            options_.seed = static_cast<uint64_t>(i) + 1;
            return run().store_error.empty();
        }));
    for (const pid_t child : children)
        EXPECT_EQ(exit_code_of(child), 0);
    const Contents contents = database_.read();
    EXPECT_TRUE(contents.problems().empty());
    EXPECT_EQ(chosen(contents).size(), size_t{kRuns});
    std::set<uint64_t> seeds;
    for (const Record *record : contents.records()) {
        EXPECT_EQ(record->status, Status::Ok) << record->error;
        seeds.insert(record->seed);
    }
    EXPECT_EQ(seeds.size(), size_t{kRuns});
    EXPECT_NE(best_plan(contents), "");
}

} // namespace
} // namespace convsmith::autotune
