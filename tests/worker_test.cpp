// Candidates in worker processes: judged by the oracle, and whatever they do costs one answer. The planted
// candidates are those of planted_worker.cpp.
#include "autotune/candidate.h"
#include "runtime/temp_dir.h"
#include "tests/error_of.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace convsmith::autotune {
namespace {

constexpr const char *kKey = "conv_ci8_i6x6_co8_k3_p1";
constexpr WorkerLimits kPatient = {120, int64_t{2} << 30};

class WorkerTest : public ::testing::Test {
protected:
    Candidate candidate(const PlanRequest &request = {}) const {
        Candidate one;
        one.desc = ConvDesc::parse(kKey);
        one.plan = make_plan(one.desc, host_target(), request).plan;
        one.cache_dir = dir_.string();
        return one;
    }

    /// Another plan for the same problem.
    Candidate generic() const {
        PlanRequest request;
        request.schedule = "generic";
        return candidate(request);
    }

    /// The worker that does `mischief` in place of the default plan.
    std::vector<std::string> planted(const std::string &mischief) const {
        return {CONVSMITH_BINARY_DIR "/bin/planted_worker", candidate().plan.text() + "=" + mischief};
    }

    /// The planted candidate's outcome; the next candidate's must be Ok.
    Judged judge_planted(const std::string &mischief, const WorkerLimits &limits = kPatient) const {
        Worker worker(planted(mischief));
        Judged bad = judge_candidate(worker, candidate(), limits);
        const Judged good = judge_candidate(worker, generic(), kPatient);
        EXPECT_EQ(good.status, Status::Ok) << good.error;
        return bad;
    }

    TempDir dir_;
};

TEST_F(WorkerTest, RightCandidateIsJudgedOk) {
    Worker worker({CONVSMITH_BINARY_DIR "/bin/convsmith", "worker"});
    const Judged judged = judge_candidate(worker, candidate(), kPatient);
    EXPECT_EQ(judged.status, Status::Ok) << judged.error;
    EXPECT_GT(judged.compile_ms, 0);
    EXPECT_TRUE(worker.is_running());
}

TEST_F(WorkerTest, WrongResultIsRefusedByTheOracle) {
    const Judged judged = judge_planted("wrong");
    EXPECT_EQ(judged.status, Status::WrongResult);
    EXPECT_NE(judged.error.find("output[0][0][0][0]"), std::string::npos) << judged.error;
    EXPECT_GT(judged.max_error, 0.5);
}

TEST_F(WorkerTest, CrashCostsOneCandidateAndIsRecordedWithItsText) {
    const Judged judged = judge_planted("segfault");
    EXPECT_EQ(judged.status, Status::Crash);
    EXPECT_NE(judged.error.find("Segmentation fault"), std::string::npos) << judged.error;
    EXPECT_NE(judged.error.find("about to segfault"), std::string::npos) << judged.error;
}

TEST_F(WorkerTest, IllegalInstructionIsACrash) {
    const Judged judged = judge_planted("illegal");
    EXPECT_EQ(judged.status, Status::Crash);
    EXPECT_NE(judged.error.find("Illegal instruction"), std::string::npos) << judged.error;
}

TEST_F(WorkerTest, ExitIsACrash) {
    const Judged judged = judge_planted("exit");
    EXPECT_EQ(judged.status, Status::Crash);
    EXPECT_NE(judged.error.find("exit code 3"), std::string::npos) << judged.error;
}

TEST_F(WorkerTest, HangIsATimeout) {
    const Judged judged = judge_planted("hang", {10, kPatient.memory_bytes});
    EXPECT_EQ(judged.status, Status::Timeout);
    EXPECT_NE(judged.error.find("10 s"), std::string::npos) << judged.error;
}

TEST_F(WorkerTest, TimeWithoutACoreIsNoTimeout) {
    constexpr double kLimit = 4; // the candidate works a second for each of two sets of data, and is compiled
    std::vector<pid_t> hogs;
    for (long i = 0; i < 2 * sysconf(_SC_NPROCESSORS_ONLN); i++) {
        hogs.push_back(fork());
        if (hogs.back() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (volatile int64_t spin = 0;; spin = spin + 1) {
            }
        }
    }
    Worker worker(planted("work"));
    judge_candidate(worker, generic(), kPatient); // starting the program is not what is tried here
    const auto start = std::chrono::steady_clock::now();
    const Judged judged = judge_candidate(worker, candidate(), {kLimit, kPatient.memory_bytes});
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    for (const pid_t hog : hogs) {
        kill(hog, SIGKILL);
        waitpid(hog, nullptr, 0);
    }
    EXPECT_EQ(judged.status, Status::Ok) << judged.error;
    if (took.count() < kLimit)
        GTEST_SKIP() << "the scheduler gave the worker a core: took " << took.count() << " s";
}

TEST_F(WorkerTest, EndlessAllocationIsOutOfMemory) {
    const Judged judged = judge_planted("memory");
    EXPECT_EQ(judged.status, Status::OutOfMemory);
    EXPECT_NE(judged.error.find("2048 MiB"), std::string::npos) << judged.error;
}

TEST_F(WorkerTest, IllegalPlanIsACompileError) {
    Candidate illegal = candidate();
    illegal.plan.params["no_such"] = 1;
    Worker worker(planted("hang"));
    const Judged judged = judge_candidate(worker, illegal, kPatient);
    EXPECT_EQ(judged.status, Status::CompileError);
    EXPECT_NE(judged.error.find("no_such"), std::string::npos) << judged.error;
}

TEST_F(WorkerTest, MissingProgramIsAnError) {
    Worker worker({dir_ / "absent"});
    error_of([&] { worker.ask({{"do", "judge"}}, kPatient); }, ErrorCode::Io);
}

/// Processes whose command line holds `text`.
int processes_with(const std::string &text) {
    int found = 0;
    for (const auto &entry : std::filesystem::directory_iterator("/proc")) {
        std::ostringstream command;
        command << std::ifstream(entry.path() / "cmdline").rdbuf();
        found += command.str().find(text) != std::string::npos ? 1 : 0;
    }
    return found;
}

TEST_F(WorkerTest, KilledTunerLeavesNoWorkerBehind) {
    const std::string mark = "orphan" + std::to_string(getpid());
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t tuner = fork();
    if (tuner == 0) {
        std::vector<std::string> command = planted("hang");
        command.insert(command.begin() + 1, mark + "=hang");
        Worker worker(command);
        judge_candidate(worker, generic(), kPatient);
        static_cast<void>(::write(ends[1], "x", 1));
        judge_candidate(worker, candidate(), kPatient);
        _exit(0);
    }
    char byte = 0;
    ASSERT_EQ(read(ends[0], &byte, 1), 1);
    EXPECT_EQ(processes_with(mark), 1);
    kill(tuner, SIGKILL);
    int status = 0;
    waitpid(tuner, &status, 0);
    for (int i = 0; i < 1000 && processes_with(mark) > 0; i++)
        usleep(5000);
    EXPECT_EQ(processes_with(mark), 0);
    close(ends[0]);
    close(ends[1]);
}

} // namespace
} // namespace convsmith::autotune
