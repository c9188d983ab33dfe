// See ssh.h.
#include "runtime/ssh.h"

#include "generators/error.h"
#include "runtime/frontend/file_io.h"
#include "runtime/process.h"
#include "runtime/static_program.h"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <optional>
#include <spawn.h>
#include <sstream>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace convsmith {

namespace {

/// ssh's own exit code when there is no connection, or none any more.
constexpr int kNoConnection = 255;

std::string text_of(int file) {
    std::string text(4096, '\0');
    const ssize_t got = pread(file, text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<size_t>(got) : 0);
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return text;
}

class SshRunner : public Runner {
public:
    SshRunner(const std::string &arguments, const RemoteLimits &limits)
        : machine_(arguments), limits_(limits) {}

    std::string name() const override { return machine_.name(); }
    bool is_timing_real() const override { return true; }

    std::vector<RunResult> run(const std::vector<RunJob> &jobs) override {
        std::vector<RunResult> results(jobs.size());
        for (size_t next = 0; next < jobs.size();) {
            if (!maker_)
                maker_.emplace(program_target(jobs[next].choice.plan.target));
            const ProgramBatch batch = maker_->compile(jobs, next, results);
            if (batch.jobs.empty())
                continue;
            const std::string directory = machine_.copy_program(maker_->link(batch));
            write_file_atomically(maker_->file("jobs"), batch.input());
            // One thread, as a check under an emulator: what threads do is tested where kernels are made.
            machine_.run(remote_program_script(directory, "- -", 1, limits_), maker_->file("jobs"),
                         maker_->file("outputs"));
            std::ifstream file(maker_->file("outputs"), std::ios::binary);
            for (const size_t job : batch.jobs) {
                if (!read_result(file, jobs[job], "on " + name(), results[job]))
                    results[job].fail(RunFailure::Crash, "on " + name() + ": no outputs came back");
            }
        }
        return results;
    }

private:
    SshMachine machine_;
    RemoteLimits limits_;
    std::optional<ProgramMaker> maker_;
};

} // namespace

SshMachine::SshMachine(const std::string &arguments) {
    std::istringstream words(arguments);
    for (std::string word; words >> word;)
        arguments_.push_back(word);
    if (arguments_.empty() || arguments_.back()[0] == '-')
        throw Error(
            ErrorCode::BadArgument,
            fmt::format("runner ssh: got '{}', want a host, after options of ssh if need be", arguments));
    name_ = "ssh:" + arguments_.back();
    if (!has_program("ssh"))
        throw Error(ErrorCode::Unsupported, name_ + ": no program ssh on PATH (Debian: openssh-client)");
}

std::vector<std::string> SshMachine::command(const std::string &script) const {
    // A connection that says nothing for 15 s is lost.
    std::vector<std::string> command = {"ssh",
                                        "-T",
                                        "-oBatchMode=yes",
                                        "-oConnectTimeout=10",
                                        "-oServerAliveInterval=5",
                                        "-oServerAliveCountMax=3",
                                        "-oLogLevel=ERROR"};
    command.insert(command.end(), arguments_.begin(), arguments_.end());
    command.push_back(script);
    return command;
}

std::string SshMachine::run(const std::string &script, const std::string &input,
                            const std::string &output) const {
    // The shell here only connects the files; what it executes is not its to parse.
    std::vector<std::string> line = {"sh",
                                     "-c",
                                     "in=$1 out=$2; shift 2; exec \"$@\" <\"$in\" >\"$out\"",
                                     "sh",
                                     input.empty() ? "/dev/null" : input,
                                     output};
    const TempDir scratch;
    const std::string caught = scratch / "output";
    if (output.empty())
        line.back() = caught;
    const std::vector<std::string> ssh = command(script);
    line.insert(line.end(), ssh.begin(), ssh.end());
    const ProcessResult result = run_process(line);
    if (!result.ok())
        throw Error(ErrorCode::Io,
                    fmt::format("{}: {}: {}", name_,
                                result.exit_code == kNoConnection ? "no connection" : "failed over there",
                                result.text()));
    return output.empty() ? read_file(caught) : "";
}

std::string SshMachine::copy_program(const std::string &program) const {
    std::string directory = run("d=$(mktemp -d \"${TMPDIR:-/tmp}/convsmith-XXXXXX\") && "
                                "{ cat >\"$d/program\" && chmod 700 \"$d/program\" && echo \"$d\" || "
                                "{ rm -rf \"$d\"; exit 75; }; }",
                                program);
    while (!directory.empty() && directory.back() == '\n')
        directory.pop_back();
    if (directory.find_first_of("'\n") != std::string::npos || directory.empty())
        throw Error(ErrorCode::Io, fmt::format("{}: mktemp said '{}', want a directory", name_, directory));
    return directory;
}

std::string remote_program_script(const std::string &directory, const std::string &arguments, int threads,
                                  const RemoteLimits &limits) {
    return fmt::format(
        "d='{}'; trap 'rm -rf \"$d\"' EXIT; CONVSMITH_THREADS={} CONVSMITH_SECONDS={} CONVSMITH_MIB={} "
        "\"$d/program\" {}",
        directory, threads, limits.seconds, limits.memory_bytes >> 20, arguments);
}

RemoteSession::RemoteSession(const SshMachine &machine, const std::string &script, const std::string &input)
    : name_(machine.name()) {
    const std::vector<std::string> command = machine.command(script);
    std::vector<char *> argv;
    for (const std::string &part : command)
        argv.push_back(const_cast<char *>(part.c_str())); // posix_spawn does not write to it
    argv.push_back(nullptr);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw Error(ErrorCode::Io, fmt::format("{}: starting ssh: {}", name_, std::strerror(errno)));
    errors_ = memfd_create("ssh errors", MFD_CLOEXEC);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors_, STDERR_FILENO);
    const int error = posix_spawnp(&child_, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    socket_ = LineSocket(ends[0]);
    if (error != 0) {
        close(socket_.fd());
        close(errors_);
        throw Error(ErrorCode::Io, fmt::format("{}: starting ssh: {}", name_, std::strerror(error)));
    }
    static_cast<void>(socket_.send(input)); // if that fails, the first question says why
}

RemoteSession::~RemoteSession() {
    close(socket_.fd());
    close(errors_);
    if (child_ > 0) {
        // At the end of its input the program ends, its directory is removed, and ssh ends.
        constexpr int kPatience = 10000; // ms, of a busy machine
        for (int waited = 0; waited < kPatience; waited++) {
            if (waitpid(child_, nullptr, WNOHANG) == child_)
                return;
            usleep(1000);
        }
        kill(child_, SIGKILL);
        waitpid(child_, nullptr, 0);
    }
}

void RemoteSession::fail() {
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = 0;
    const std::string said = text_of(errors_);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : kNoConnection;
    if (code == kNoConnection)
        throw Error(ErrorCode::Io, fmt::format("{}: the connection is lost: {}", name_, said));
    throw Error(ErrorCode::Unsupported, code > 128
                                            ? fmt::format("on {}: ended by signal {} ({}) {}", name_,
                                                          code - 128, strsignal(code - 128), said)
                                            : fmt::format("on {}: exit code {}: {}", name_, code, said));
}

std::string RemoteSession::ask(const std::string &line) {
    if (child_ == 0)
        throw Error(ErrorCode::Unsupported, fmt::format("on {}: the program has died before", name_));
    std::optional<std::string> answer;
    if (socket_.send(line + "\n"))
        answer = socket_.next();
    if (!answer)
        fail();
    return *answer;
}

std::unique_ptr<Runner> make_ssh_runner(const std::string &arguments, const RemoteLimits &limits) {
    return std::make_unique<SshRunner>(arguments, limits);
}

} // namespace convsmith
