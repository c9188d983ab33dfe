// The asking side of worker processes (see worker.h).
#include "autotune/worker.h"

#include "generators/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace convsmith::autotune {

namespace {

/// Between two looks at a busy worker's memory. It can grow by some 100 MiB meanwhile.
constexpr int kPollMs = 20;
constexpr int kDyingMs = 2000;

int64_t resident_bytes(int process) {
    int64_t pages = 0, resident = 0;
    std::ifstream(fmt::format("/proc/{}/statm", process)) >> pages >> resident;
    return resident * sysconf(_SC_PAGESIZE);
}

/// How long the main thread of a process was ready and had to wait for a core; 0 where the system does not
/// say.
double seconds_waited(int process) {
    int64_t ran_ns = 0, waited_ns = 0;
    std::ifstream(fmt::format("/proc/{}/schedstat", process)) >> ran_ns >> waited_ns;
    return static_cast<double>(waited_ns) * 1e-9;
}

/// The end of what a process printed.
std::string tail_of(int file) {
    constexpr off_t kShown = 2000;
    const off_t size = lseek(file, 0, SEEK_END);
    const off_t from = std::max<off_t>(0, size - kShown);
    std::string text(static_cast<size_t>(std::max<off_t>(0, size - from)), '\0');
    const ssize_t got = pread(file, text.data(), text.size(), from);
    text.resize(got > 0 ? static_cast<size_t>(got) : 0);
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return text;
}

/// LLVM and the C++ library say so before they abort.
bool speaks_of_memory(const std::string &text) {
    return text.find("bad_alloc") != std::string::npos || text.find("out of memory") != std::string::npos;
}

/// Waits for a process to end by itself, kills it if it takes longer, and returns its wait status.
int wait_for_end(pid_t child, int patience_ms) {
    int ended = 0;
    for (int waited = 0; waited < patience_ms; waited++) {
        if (waitpid(child, &ended, WNOHANG) == child)
            return ended;
        usleep(1000);
    }
    kill(child, SIGKILL);
    while (waitpid(child, &ended, 0) < 0 && errno == EINTR) {
    }
    return ended;
}

std::string end_text(int ended) {
    return WIFSIGNALED(ended) ? fmt::format("signal {} ({})", WTERMSIG(ended), strsignal(WTERMSIG(ended)))
                              : fmt::format("exit code {}", WEXITSTATUS(ended));
}

} // namespace

Worker::Worker(std::vector<std::string> command) : command_(std::move(command)) {
    CONVSMITH_CHECK(!command_.empty());
    command_.push_back(std::to_string(getpid()));
}

Worker::~Worker() {
    if (is_running())
        end(Status::Ok, "");
}

void Worker::start() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw Error(ErrorCode::Io, fmt::format("starting a worker: {}", std::strerror(errno)));
    const int output = memfd_create("worker output", MFD_CLOEXEC);
    std::vector<char *> argv;
    for (const std::string &part : command_)
        argv.push_back(const_cast<char *>(part.c_str())); // posix_spawn does not write to it
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    pid_t child = 0;
    const int error = posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
        close(output);
        throw Error(ErrorCode::Io, fmt::format("starting {}: {}", command_[0], std::strerror(error)));
    }
    child_ = child;
    socket_ = ends[0];
    output_ = output;
    received_.clear();
}

void Worker::post(const Json &request, const WorkerLimits &limits) {
    if (!is_running())
        start();
    limits_ = limits;
    posted_ = Clock::now();
    waited_before_ = seconds_waited(child_);
    send_line(request.dump() + "\n"); // if the process is gone, the first poll says so
}

Reply Worker::ask(const Json &request, const WorkerLimits &limits) {
    post(request, limits);
    for (;;) {
        if (std::optional<Reply> reply = poll(kPollMs))
            return std::move(*reply);
    }
}

std::optional<Reply> Worker::poll(int wait_ms) {
    CONVSMITH_CHECK(is_running());
    if (!receive(wait_ms))
        return end(Status::Crash, "");
    if (std::optional<Reply> reply = take_answer())
        return reply;
    if (const std::string why = overdue(); !why.empty())
        return end(Status::Timeout, why);
    if (resident_bytes(child_) > limits_.memory_bytes)
        return end(Status::OutOfMemory, fmt::format("took more than {} MiB", limits_.memory_bytes >> 20));
    return std::nullopt;
}

std::string Worker::overdue() const {
    constexpr double kPatience = 10; // times the limit
    const double elapsed = std::chrono::duration<double>(Clock::now() - posted_).count();
    if (elapsed < limits_.seconds)
        return "";
    const double waited = seconds_waited(child_) - waited_before_;
    if (elapsed - waited < limits_.seconds && elapsed < kPatience * limits_.seconds)
        return "";
    return fmt::format("no answer within {:g} s ({:.1f} s of them waiting for a core)", limits_.seconds,
                       waited);
}

bool Worker::send_line(const std::string &line) const {
    for (size_t sent = 0; sent < line.size();) {
        const ssize_t got = send(socket_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
        if (got < 0 && errno != EINTR)
            return false;
        sent += got > 0 ? static_cast<size_t>(got) : 0;
    }
    return true;
}

bool Worker::receive(int wait_ms) {
    pollfd socket = {socket_, POLLIN, 0};
    if (::poll(&socket, 1, wait_ms) <= 0)
        return true;
    char block[4096];
    const ssize_t got = recv(socket_, block, sizeof block, 0);
    if (got > 0)
        received_.append(block, static_cast<size_t>(got));
    return got > 0 || (got < 0 && errno == EINTR);
}

std::optional<Reply> Worker::take_answer() {
    const size_t line_end = received_.find('\n');
    if (line_end == std::string::npos)
        return std::nullopt;
    Reply reply;
    reply.answer = Json::parse(received_.substr(0, line_end), nullptr, /* allow_exceptions */ false);
    received_.erase(0, line_end + 1);
    return reply.answer.is_object() ? reply : end(Status::Crash, "its answer is no JSON object");
}

Reply Worker::end(Status status, const std::string &why) {
    close(socket_);
    // A process that closed its end is dying by itself: how it dies tells more than our signal.
    const bool is_dying = status == Status::Crash && why.empty();
    const int ended = wait_for_end(child_, is_dying ? kDyingMs : 0);
    const std::string printed = tail_of(output_);
    close(output_);
    child_ = 0;
    Reply reply;
    reply.status = status;
    reply.error = !why.empty() ? why : end_text(ended);
    if (!printed.empty())
        reply.error += ": " + printed;
    const bool was_killed = is_dying && WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL; // by the system
    if (status == Status::Crash && (was_killed || speaks_of_memory(printed)))
        reply.status = Status::OutOfMemory;
    return reply;
}

} // namespace convsmith::autotune
