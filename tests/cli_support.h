// Calls of the `convsmith` program in a directory of their own: for cli_*_test.cpp.
#pragma once

#include "runtime/temp_dir.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <vector>

namespace convsmith {

namespace fs = std::filesystem;

inline std::string read(const fs::path &path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

/// What one call of the program did.
struct Outcome {
    int exit_code = -1;
    std::string out;
    std::string err;
};

class CliTest : public ::testing::Test {
protected:
    /// Runs `convsmith ARGUMENTS` in the test's directory; the arguments go through the shell, as do settings
    /// of the environment.
    Outcome run(const std::string &arguments, const std::string &environment = "") const {
        const std::string command =
            fmt::format("cd '{}/work' && {} '{}/bin/convsmith' > ../out 2> ../err < /dev/null {}",
                        dir_.string(), environment, CONVSMITH_BINARY_DIR, arguments);
        const int status = std::system(command.c_str());
        return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read(dir_.path() / "out"),
                read(dir_.path() / "err")};
    }

    void SetUp() override { fs::create_directory(work()); }

    fs::path work() const { return dir_.path() / "work"; }

    std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const fs::directory_entry &entry : fs::recursive_directory_iterator(work())) {
            names.push_back(entry.path().lexically_relative(work()));
        }
        std::sort(names.begin(), names.end());
        return names;
    }

    /// The call fails with `exit_code`, prints nothing but one line on standard error that has every part,
    /// and leaves no file that was not there.
    void expect_failure(const std::string &arguments, int exit_code,
                        const std::vector<std::string> &parts) const {
        SCOPED_TRACE(arguments);
        const std::vector<std::string> before = files();
        const Outcome outcome = run(arguments);
        EXPECT_EQ(outcome.exit_code, exit_code);
        EXPECT_EQ(outcome.err.rfind("convsmith: ", 0), 0u) << outcome.err;
        EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
        for (const std::string &part : parts) {
            EXPECT_NE(outcome.err.find(part), std::string::npos) << "no '" << part << "' in " << outcome.err;
        }
        EXPECT_EQ(files(), before);
    }

    TempDir dir_;
};

} // namespace convsmith
