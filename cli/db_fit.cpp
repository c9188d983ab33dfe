// `convsmith db fit`: how well arithmetic alone orders what was measured, and the weights that would order it
// best (autotune/fit.h), as rows for autotune/effects.inc.
#include "autotune/effects.h"
#include "autotune/fit.h"
#include "cli/commands.h"
#include "cli/options.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

namespace convsmith::cli {

namespace {

using namespace autotune;

struct FitArguments {
    std::vector<std::string> files;
    std::string json;
};

void run_fit(const FitArguments &arguments) {
    const Fit fit = fit_effects(read_records(arguments.files));
    Json effects = Json::object(), problems = Json::array();
    fmt::print("{:<16} {:>7} {:>7}\n", "effect", "now", "fitted");
    for (size_t e = 0; e < fit.weights.size(); e++) {
        const EffectInfo &row = effect_table()[e];
        fmt::print("{:<16} {:7.3f} {:7.3f}  {}\n", row.name, row.weight, fit.weights[e], row.doc);
        effects[row.name] = {{"now", row.weight}, {"fitted", fit.weights[e]}};
    }
    fmt::print(
        "\nrank correlation of estimate and time; time of the best of the 30 plans estimated fastest / of "
        "the best\n{:>6} {:>7} {:>7} {:>7} {:>7}\n",
        "plans", "now", "fitted", "now", "fitted");
    for (const FitProblem &p : fit.problems) {
        fmt::print("{:6} {:7.2f} {:7.2f} {:7.3f} {:7.3f}  {}\n", p.plans, p.rank_before, p.rank_after,
                   p.best_of_30_before, p.best_of_30_after, p.key);
        problems.push_back({{"key", p.key},
                            {"plans", p.plans},
                            {"rank_correlation", {{"now", p.rank_before}, {"fitted", p.rank_after}}},
                            {"best_of_30", {{"now", p.best_of_30_before}, {"fitted", p.best_of_30_after}}}});
    }
    write_json_file(arguments.json, {{"effects", effects}, {"problems", problems}});
}

} // namespace

void add_db_fit(CLI::App &db) {
    CLI::App &app = *db.add_subcommand("fit", "Fit the weights of the analytic ranking to measured times");
    const auto arguments = std::make_shared<FitArguments>();
    app.add_option("FILE", arguments->files, "Databases to read")->required()->type_name("");
    add_json_option(app, arguments->json);
    app.footer(
        "Plans in any order show more than the best ones: measure them with `tune --strategy random`.\n\n"
        "Examples:\n  convsmith db fit sampled.jsonl");
    app.callback([arguments] { run_fit(*arguments); });
}

} // namespace convsmith::cli
