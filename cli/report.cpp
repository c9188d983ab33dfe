// `convsmith report`: a tuning database as one HTML page (bench/tuning_page.h).
#include "autotune/search_history.h"
#include "bench/tuning_page.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "generators/error.h"
#include "runtime/frontend/file_io.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>

namespace convsmith::cli {

namespace {

using namespace autotune;

struct ReportArguments {
    std::string db;
    SpecOptions specs;
    std::string output;
};

/// The layers of the specs only, by their names and in their order.
void select_layers(MachineHistory &machine, const std::vector<Layer> &layers) {
    std::map<std::string, size_t> places;
    std::map<std::string, std::string> names;
    for (const Layer &layer : layers) {
        const std::string key = layer.desc.key();
        places.emplace(key, places.size());
        std::string &name = names[key];
        name += (name.empty() ? "" : ", ") + (layer.name == key ? short_key(layer.desc) : layer.name);
    }
    std::vector<ProblemHistory> &problems = machine.problems;
    problems.erase(std::remove_if(problems.begin(), problems.end(),
                                  [&](const ProblemHistory &p) { return places.count(p.key) == 0; }),
                   problems.end());
    std::stable_sort(problems.begin(), problems.end(), [&](const ProblemHistory &a, const ProblemHistory &b) {
        return places.at(a.key) < places.at(b.key);
    });
    for (ProblemHistory &problem : problems)
        problem.label = names.at(problem.key);
}

void run_report(const ReportArguments &arguments) {
    const Contents contents = read_records({arguments.db}).front();
    if (contents.records().empty())
        throw Error(
            ErrorCode::BadArgument,
            contents.lines.empty()
                ? fmt::format("{}: no records in it; `convsmith tune --db {}` makes some", arguments.db,
                              arguments.db)
                : fmt::format("{}: none of its {} lines is a record", arguments.db, contents.lines.size()));
    SearchHistory history = history_of(contents);
    for (const std::string &text : history.unreadable)
        fmt::print(stderr, "warning: {}\n", text);
    std::string title = std::filesystem::path(arguments.db).filename().string();
    if (!arguments.specs.specs.empty()) {
        const Network network = load_merged(arguments.specs);
        title = network.name.empty() ? title : network.name;
        for (MachineHistory &machine : history.machines)
            select_layers(machine, network.layers);
    }
    auto &machines = history.machines;
    machines.erase(std::remove_if(machines.begin(), machines.end(),
                                  [](const MachineHistory &machine) { return machine.problems.empty(); }),
                   machines.end());
    if (machines.empty())
        throw Error(ErrorCode::BadArgument,
                    fmt::format("{}: no record of {}", arguments.db,
                                arguments.specs.specs.empty() ? "a problem that this convsmith knows"
                                                              : "these layers"));
    size_t problems = 0;
    for (const MachineHistory &machine : machines)
        problems += machine.problems.size();
    write_file_atomically(arguments.output, bench::tuning_page(history, title));
    fmt::print("{} records of {} problems in {}\n", contents.records().size(), problems, arguments.output);
}

} // namespace

void add_report(CLI::App &app, Command & /* command */) {
    CLI::App &report = *app.add_subcommand("report", "A tuning database as a page with charts and tables");
    const auto arguments = std::make_shared<ReportArguments>();
    report.add_option("DB", arguments->db, "Tuning database (docs/database.md)")->required()->type_name("");
    add_spec_options(report, arguments->specs, SpecNeed::Optional);
    report.add_option("-o,--output", arguments->output, "HTML file to write")->required()->type_name("FILE");
    report.footer("With SPEC: only these layers, by their names.\n\nExamples:\n"
                  "  convsmith report tuned.jsonl -o report.html\n"
                  "  convsmith report tuned.jsonl resnet50.json -o report.html");
    report.callback([arguments] { run_report(*arguments); });
}

} // namespace convsmith::cli
