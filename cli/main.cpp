// The `convsmith` program: subcommands (commands.h), and the one place where failures become a line on
// standard error and an exit code: 0 ok, 1 failure, 2 usage.
#include "cli/commands.h"
#include "generators/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>

namespace {

constexpr int kFailure = 1;
constexpr int kUsage = 2;

constexpr const char *kFooter = R"(SPEC is a descriptor key, a layer list (.json) or an ONNX model (.onnx).

Examples:
  convsmith explain conv_ci64_i56x56_co64_k3_p1
  convsmith info vgg16.json
  convsmith check resnet50.json
  convsmith build model.onnx --shape x=1,3,320,320 --target x86_avx2,arm_neon -o out --name model
  convsmith SUBCOMMAND --help)";

/// Prints `message` as one line.
int fail(int exit_code, std::string message) {
    std::replace(message.begin(), message.end(), '\n', ' ');
    fmt::print(stderr, "convsmith: {}\n", message);
    return exit_code;
}

std::string unknown_subcommand(const CLI::App &app, const std::string &got) {
    std::string known;
    for (const CLI::App *subcommand :
         app.get_subcommands([](const CLI::App *one) { return !one->get_group().empty(); }))
        known += (known.empty() ? "" : ", ") + subcommand->get_name();
    return fmt::format("'{}' is no subcommand, want one of {}", got, known);
}

int run(int argc, char **argv) {
    CLI::App app("convsmith compiles convolutions: exact layers to kernels, ahead of time or in process.",
                 "convsmith");
    convsmith::cli::Command command;
    app.set_version_flag("--version", std::string("convsmith ") + CONVSMITH_VERSION);
    app.footer(kFooter);
    app.require_subcommand(1);
    convsmith::cli::add_list(app, command);
    convsmith::cli::add_explain(app, command);
    convsmith::cli::add_info(app, command);
    convsmith::cli::add_build(app, command);
    convsmith::cli::add_check(app, command);
    convsmith::cli::add_bench(app, command);
    convsmith::cli::add_tune(app, command);
    convsmith::cli::add_db(app, command);
    convsmith::cli::add_report(app, command);
    convsmith::cli::add_import(app, command);
    convsmith::cli::add_worker(app, command);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success &request) {
        return app.exit(request); // --help, --version
    } catch (const CLI::ParseError &error) {
        if (app.get_subcommands().empty() && argc > 1 && argv[1][0] != '-')
            return fail(kUsage, unknown_subcommand(app, argv[1]));
        return fail(kUsage, std::string(error.what()) + " (see convsmith --help)");
    }
    return command.exit_code;
}

} // namespace

int main(int argc, char **argv) {
    std::signal(SIGPIPE, SIG_DFL); // `convsmith ... | head` ends quietly
    try {
        const int exit_code = run(argc, argv);
        if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
            return fail(kFailure, "cannot write to standard output");
        }
        return exit_code;
    } catch (const convsmith::Error &error) {
        return fail(error.code() == convsmith::ErrorCode::BadArgument ? kUsage : kFailure, error.what());
    } catch (const std::exception &error) {
        return fail(kFailure, std::string("internal error: ") + error.what());
    }
}
