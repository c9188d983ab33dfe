// Another machine, reached by ssh: static programs (static_program.h) are copied there and run there. It
// needs a shell and Linux, no compiler, Halide or shared libraries. Used by the runner `ssh:HOST` and by the
// tuner's remote timer (autotune/place.h).
#pragma once

#include "runtime/line_socket.h"
#include "runtime/runner.h"

#include <memory>
#include <string>
#include <vector>

namespace convsmith {

/// What a call over there may use; 0: no limit.
struct RemoteLimits {
    int seconds = 0;
    int64_t memory_bytes = 0;
};

/// `arguments` as for ssh, split at spaces: "HOST", "user@HOST" or "-p 2222 -i KEY HOST". Never asks for
/// passwords.
class SshMachine {
public:
    explicit SshMachine(const std::string &arguments);

    /// "ssh:HOST"
    const std::string &name() const { return name_; }

    /// The command that runs `script` there by its shell.
    std::vector<std::string> command(const std::string &script) const;

    /// Runs it; standard input and output are the files named, if any. Returns what it printed on standard
    /// output (if that is no file). Throws Error(Io) with what ssh or the script said if it is not there to
    /// be reached or the script fails.
    std::string run(const std::string &script, const std::string &input = "",
                    const std::string &output = "") const;

    /// Copies a program there; the shell's word for its directory, in which it is called "program". Throws as
    /// run.
    std::string copy_program(const std::string &program) const;

private:
    std::vector<std::string> arguments_;
    std::string name_;
};

/// The shell's text that runs a copied program with `arguments` and then removes its directory.
std::string remote_program_script(const std::string &directory, const std::string &arguments, int threads,
                                  const RemoteLimits &limits);

/// A program that answers lines, there. It ends with this object.
class RemoteSession {
public:
    /// `input` goes to the program's standard input before all questions. Throws Error(Io).
    RemoteSession(const SshMachine &machine, const std::string &script, const std::string &input);
    ~RemoteSession();
    RemoteSession(const RemoteSession &) = delete;
    RemoteSession &operator=(const RemoteSession &) = delete;

    /// The answer to a line. Throws Error(Io) if the connection is lost, Error(Unsupported) if the program
    /// has died.
    std::string ask(const std::string &line);

private:
    [[noreturn]] void fail();

    std::string name_;
    int child_ = 0;
    LineSocket socket_{-1};
    int errors_ = -1; ///< what ssh and the program say, in memory
};

/// Runs jobs there. Throws Error(Io) from run() if the machine cannot be reached or has no room for the
/// program: no job's fault.
std::unique_ptr<Runner> make_ssh_runner(const std::string &arguments, const RemoteLimits &limits);

} // namespace convsmith
