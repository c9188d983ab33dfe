// Running another program (see process.h).
#include "runtime/process.h"

#include "generators/error.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace convsmith {

namespace {

std::string read_to_end(int pipe) {
    std::string text;
    char block[4096];
    for (;;) {
        const ssize_t got = read(pipe, block, sizeof block);
        if (got > 0)
            text.append(block, static_cast<size_t>(got));
        else if (got == 0 || errno != EINTR)
            return text;
    }
}

} // namespace

std::string ProcessResult::text() const {
    constexpr size_t kShown = 2000;
    std::string text = signal != 0 ? fmt::format("signal {} ({})", signal, strsignal(signal))
                                   : fmt::format("exit code {}", exit_code);
    if (!output.empty())
        text += ": " + output.substr(output.size() > kShown ? output.size() - kShown : 0);
    return text;
}

ProcessResult run_process(const std::vector<std::string> &command) {
    CONVSMITH_CHECK(!command.empty());
    std::vector<char *> argv;
    for (const std::string &part : command)
        argv.push_back(const_cast<char *>(part.c_str())); // posix_spawn does not write to it
    argv.push_back(nullptr);

    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        throw Error(ErrorCode::Io, fmt::format("running {}: {}", command[0], std::strerror(errno)));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    pid_t child = 0;
    const int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);

    ProcessResult result;
    if (error == 0)
        result.output = read_to_end(ends[0]);
    close(ends[0]);
    if (error != 0)
        throw Error(ErrorCode::Io, fmt::format("running {}: {}", command[0], std::strerror(error)));
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status))
        result.signal = WTERMSIG(status);
    else
        result.exit_code = WEXITSTATUS(status);
    return result;
}

bool has_program(const std::string &name) {
    const char *path = std::getenv("PATH");
    std::string rest = path == nullptr ? "" : path;
    while (!rest.empty()) {
        const size_t end = std::min(rest.find(':'), rest.size());
        if (access((rest.substr(0, end) + "/" + name).c_str(), X_OK) == 0)
            return true;
        rest.erase(0, end + 1);
    }
    return false;
}

} // namespace convsmith
