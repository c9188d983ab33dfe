// Tuning for machines other than this process's: over ssh, against a server that the test starts on this
// machine with keys of its own, and under qemu.
#include "autotune/tuner.h"
#include "runtime/frontend/file_io.h"
#include "runtime/process.h"
#include "runtime/records/curate.h"
#include "runtime/records/lookup.h"
#include "runtime/ssh.h"
#include "runtime/temp_dir.h"
#include "tests/error_of.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <csignal>
#include <filesystem>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace convsmith::autotune {
namespace {

namespace fs = std::filesystem;

/// A port that nobody listens on just now.
int free_port() {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool is_bound = bind(fd, reinterpret_cast<sockaddr *>(&address), size) == 0 &&
                          getsockname(fd, reinterpret_cast<sockaddr *>(&address), &size) == 0;
    EXPECT_TRUE(is_bound);
    close(fd);
    return ntohs(address.sin_port);
}

/// A server of one's own. What programs leave over there would lie in `remote_temp`.
class SshTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (!has_program("ssh") || !fs::exists(kServer))
            GTEST_SKIP() << "no sshd here (Debian: openssh-server, openssh-client)";
        if (geteuid() == 0)
            fs::create_directories("/run/sshd"); // what Debian's service makes
        fs::create_directory(remote_temp_);
        for (const char *key : {"host_key", "key"})
            ASSERT_TRUE(run_process({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", dir_ / key}).ok());
        start(remote_temp_);
    }

    void TearDown() override { stop(); }

    /// Restarts it with another directory for temporary files.
    void start(const std::string &temp) {
        stop();
        const int port = free_port();
        write_file_atomically(
            dir_ / "sshd_config",
            fmt::format("Port {}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n"
                        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nSetEnv TMPDIR={}\n",
                        port, dir_ / "host_key", dir_ / "key.pub", temp));
        write_file_atomically(
            dir_ / "config",
            fmt::format("Host there\n  HostName 127.0.0.1\n  Port {}\n  User {}\n  IdentityFile {}\n"
                        "  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  StrictHostKeyChecking no\n",
                        port, getpwuid(geteuid())->pw_name, dir_ / "key", dir_ / "known_hosts"));
        server_ = fork();
        if (server_ == 0) {
            execl(kServer, kServer, "-D", "-f", (dir_ / "sshd_config").c_str(), "-E",
                  (dir_ / "sshd.log").c_str(), nullptr);
            _exit(127);
        }
        for (int i = 0; i < 100; i++) {
            if (run_process(SshMachine(host_).command("true")).ok())
                return;
            usleep(50 * 1000);
        }
        GTEST_SKIP() << "sshd does not start: " << read_file(dir_ / "sshd.log");
    }

    void stop() {
        if (server_ <= 0)
            return;
        kill(server_, SIGTERM);
        waitpid(server_, nullptr, 0);
        server_ = 0;
    }

    static constexpr const char *kServer = "/usr/sbin/sshd";
    TempDir dir_;
    std::string remote_temp_ = dir_ / "temp";
    std::string host_ = fmt::format("-F {} there", dir_ / "config");
    Place place_ = {Place::Kind::Ssh, host_};
    pid_t server_ = 0;
};

TuneOptions options_at(const Place &place) {
    TuneOptions options;
    options.fixed.schedule = "generic";
    options.fixed.variant = "direct";
    options.fixed.params = {{"co_block", 1}};
    options.budget_seconds = 600;
    options.limits.seconds = 120;
    options.place = place;
    options.worker = {CONVSMITH_BINARY_DIR "/bin/convsmith", "worker", "--runner", place.text()};
    return options;
}

TEST_F(SshTest, HardwareAndTargetAreTheOtherMachines) {
    std::string flags;
    EXPECT_EQ(remote_hardware(host_, flags), host_hardware());
    EXPECT_EQ(target_at(place_, "host"), host_target());
    EXPECT_TRUE(fs::is_empty(remote_temp_));
}

TEST_F(SshTest, TargetsThatItCannotRunAreRefused) {
    for (const char *name : {"x86_avx512", "arm_neon"}) {
        if (runs_natively(parse_target(name)))
            continue;
        const std::string error = error_of([&] { target_at(place_, name); }, ErrorCode::Unsupported);
        EXPECT_NE(error.find("lacks"), std::string::npos) << error;
        EXPECT_NE(error.find("there"), std::string::npos) << error;
    }
}

TEST_F(SshTest, CandidatesAreJudgedTimedAndRecordedThere) {
    const ConvDesc desc = ConvDesc::parse("conv_ci8_i6x6_co16_k3_p1");
    const Database database(dir_ / "db.jsonl");
    const TuneOptions options = options_at(place_);
    const TuneResult result = tune(desc, target_at(place_, "host"), database, options);
    EXPECT_GT(result.record.ns.median, 100);
    EXPECT_GT(result.record.probe_ns, 1000);
    EXPECT_GT(result.record.summary->roofs.peak_gflops, 0.1);
    const Contents contents = database.read();
    ASSERT_EQ(contents.records().size(), 2u); // the candidate and the choice
    for (const Record *record : contents.records()) {
        EXPECT_EQ(record->status, Status::Ok) << record->error;
        EXPECT_EQ(record->hardware, host_hardware());
    }
    EXPECT_TRUE(fs::is_empty(remote_temp_)) << "something was left over there";
}

TEST_F(SshTest, LostConnectionEndsTheRunAndCostsNoCandidate) {
    RemoteSession session(SshMachine(host_), "read line; kill -9 $PPID; sleep 5", "");
    EXPECT_NE(error_of([&] { session.ask("now"); }, ErrorCode::Io).find("connection is lost"),
              std::string::npos);
    const Target target = target_at(place_, "host");
    stop();
    const Database database(dir_ / "db.jsonl");
    const std::string error = error_of(
        [&] { tune(ConvDesc::parse("conv_ci8_i6x6_co16_k3_p1"), target, database, options_at(place_)); },
        ErrorCode::Io);
    EXPECT_NE(error.find("ssh:there"), std::string::npos) << error;
    EXPECT_NE(error.find("no connection"), std::string::npos) << error;
    EXPECT_TRUE(database.read().lines.empty());
}

TEST_F(SshTest, DyingProgramCostsItsCandidateOnly) {
    RemoteSession session(SshMachine(host_), "read line; sh -c 'kill -SEGV $$'; exit $?", "");
    const std::string error = error_of([&] { session.ask("now"); }, ErrorCode::Unsupported);
    EXPECT_NE(error.find("signal 11"), std::string::npos) << error;
}

TEST_F(SshTest, NoRoomForTheProgramIsSaid) {
    start(dir_ / "not_there");
    const std::string error = error_of([&] { SshMachine(host_).copy_program("/bin/sh"); }, ErrorCode::Io);
    EXPECT_NE(error.find("mktemp"), std::string::npos) << error;
    if (run_process({"mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", remote_temp_}).ok()) {
        start(remote_temp_);
        const std::string full = error_of([&] { SshMachine(host_).copy_program("/bin/sh"); }, ErrorCode::Io);
        EXPECT_NE(full.find("No space left"), std::string::npos) << full;
        EXPECT_TRUE(fs::is_empty(remote_temp_));
        stop();
        EXPECT_TRUE(run_process({"umount", remote_temp_}).ok());
    }
}

TEST(Emulated, CandidatesAreJudgedAndNeverSelected) {
    const Target target = parse_target("arm_neon");
    if (runner_for(target) != RunnerKind::QemuAarch64)
        GTEST_SKIP() << "no qemu-aarch64 and cross compiler, or an ARM machine";
    const ConvDesc desc = ConvDesc::parse("conv_ci8_i6x6_co16_k3_p1");
    TempDir dir;
    const Database database(dir / "db.jsonl");
    const Place place = parse_place("emulated");
    const TuneResult result = tune(desc, target, database, options_at(place));
    EXPECT_EQ(result.outcomes.at(Status::NotTimed), 1);
    EXPECT_EQ(result.record.ns.rounds, 0);
    const Contents contents = database.read();
    ASSERT_EQ(contents.records().size(), 1u);
    EXPECT_EQ(contents.records()[0]->status, Status::NotTimed);
    EXPECT_EQ(contents.records()[0]->cost(), 0);
    EXPECT_EQ(contents.lines[0].text.find("\"ns\""), std::string::npos);
    Query query;
    query.key = desc.key();
    query.target = target.halide;
    EXPECT_FALSE(look_up({contents}, query).found);
    EXPECT_TRUE(best_records(contents, 1).empty());
    EXPECT_EQ(tune(desc, target, database, options_at(place)).progress.tried, 0); // known
}

TEST(Place, TextIsReadBackAndMistakesAreNamed) {
    for (const char *text : {"native", "emulated", "ssh:-p 22 board"})
        EXPECT_EQ(parse_place(text).text(), text);
    EXPECT_NE(error_of([] { parse_place("ftp:board"); }).find("ftp:board"), std::string::npos);
    EXPECT_NE(error_of([] { parse_place("ssh:"); }).find("want a host"), std::string::npos);
}

} // namespace
} // namespace convsmith::autotune
