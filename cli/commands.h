// The subcommands of `convsmith`: one file each (cli/<name>.cpp), registered in main.cpp. Every add_*
// function declares options and sets the callback; a callback throws Error or returns through
// `Command::exit_code`.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace convsmith::cli {

/// Shared by all subcommands.
struct Command {
    int exit_code = 0; ///< 0 ok, 1 failure; usage errors are 2 (main.cpp)
};

void add_list(CLI::App &app, Command &command);
void add_explain(CLI::App &app, Command &command);
void add_info(CLI::App &app, Command &command);
void add_build(CLI::App &app, Command &command);
void add_check(CLI::App &app, Command &command);
void add_bench(CLI::App &app, Command &command);
void add_db(CLI::App &app, Command &command);
void add_db_fit(CLI::App &db);    ///< `db fit`, a file of its own
void add_db_replay(CLI::App &db); ///< `db replay`, likewise
void add_import(CLI::App &app, Command &command);
void add_report(CLI::App &app, Command &command);
void add_tune(CLI::App &app, Command &command);
void add_worker(CLI::App &app, Command &command);

} // namespace convsmith::cli
