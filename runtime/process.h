// Running another program: the cross compiler and the emulator. Used by the emulating runners and by tests.
#pragma once

#include <string>
#include <vector>

namespace convsmith {

/// How a program ended.
struct ProcessResult {
    int exit_code = 0;  ///< meaningful if signal is 0
    int signal = 0;     ///< the signal that ended it
    std::string output; ///< standard output and standard error, in the order written
    bool ok() const { return exit_code == 0 && signal == 0; }

    /// "exit code 1" or "signal 11 (Segmentation fault)", then the output's end.
    std::string text() const;
};

/// Runs `command` (program and arguments; no shell) and waits. The program is found through PATH. Throws
/// Error(Io) if it cannot be started.
ProcessResult run_process(const std::vector<std::string> &command);

/// Whether PATH holds a program of that name.
bool has_program(const std::string &name);

} // namespace convsmith
