// `convsmith db replay`: how the search strategies would have done on problems that were measured already
// (autotune/replay.h).
#include "autotune/replay.h"
#include "autotune/strategy.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "runtime/records/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace convsmith::cli {

namespace {

using namespace autotune;

struct ReplayArguments {
    std::vector<std::string> files;
    std::vector<std::string> strategies;
    int seeds = 5;
    int most = 1000;
    bool is_warm = false;
    std::string json;
};

/// Of one problem, the searches with several seeds.
struct Searches {
    size_t plans = 0;
    double own_ratio = 0;
    std::vector<double> measured, until_near, ratios;
    int missed = 0; ///< searches that found nothing near the best

    void add(const Replay &replay) {
        plans = replay.plans;
        own_ratio = replay.own_ratio;
        measured.push_back(static_cast<double>(replay.measured));
        ratios.push_back(replay.ratio);
        if (replay.until_near > 0)
            until_near.push_back(static_cast<double>(replay.until_near));
        else
            missed++;
    }
};

std::string until_text(const Searches &searches) {
    return searches.until_near.empty() ? "never" : fmt::format("{:.0f}", median(searches.until_near));
}

Json run_strategy(const std::vector<Contents> &layers, const ReplayArguments &arguments,
                  const std::string &strategy) {
    ReplayOptions options;
    options.strategy = strategy;
    options.most = static_cast<size_t>(arguments.most);
    options.is_warm = arguments.is_warm;
    std::map<std::string, Searches> problems;
    for (int seed = 1; seed <= arguments.seeds; seed++) {
        options.seed = static_cast<uint64_t>(seed);
        for (const Replay &one : replay(layers, options))
            problems[one.key].add(one);
    }
    Json json = Json::array();
    std::vector<double> measured, until_near;
    double worst = 1;
    int missed = 0;
    fmt::print("\n{}\n{:>6} {:>8} {:>9} {:>6} {:>7} {:>7}\n", strategy, "plans", "default", "measured",
               "until", "found", "worst");
    for (const auto &[key, searches] : problems) {
        const double its_worst = *std::max_element(searches.ratios.begin(), searches.ratios.end());
        fmt::print("{:6} {:8.3f} {:9.0f} {:>6} {:7.3f} {:7.3f}  {}\n", searches.plans, searches.own_ratio,
                   median(searches.measured), until_text(searches), median(searches.ratios), its_worst, key);
        measured.push_back(median(searches.measured));
        until_near.insert(until_near.end(), searches.until_near.begin(), searches.until_near.end());
        missed += searches.missed;
        worst = std::max(worst, its_worst);
        json.push_back({{"key", key},
                        {"plans", searches.plans},
                        {"default", searches.own_ratio},
                        {"measured", median(searches.measured)},
                        {"until_near", until_text(searches)},
                        {"found", median(searches.ratios)},
                        {"worst", its_worst}});
    }
    fmt::print("medians: {:.0f} measured, {:.0f} until within 5 %; {} of {} searches never; worst {:.3f}\n",
               median(measured), median(until_near), missed, problems.size() * arguments.seeds, worst);
    return json;
}

void run_replay(ReplayArguments arguments) {
    const std::vector<Contents> layers = read_records(arguments.files);
    if (arguments.strategies.empty()) {
        for (const StrategyInfo &row : strategy_table())
            arguments.strategies.push_back(row.name);
    }
    fmt::print(
        "times of the planner's own plan, and of the best found, / of the best of all; measurements until "
        "within 5 % of that\n");
    Json json = Json::object();
    for (const std::string &strategy : arguments.strategies)
        json[strategy] = run_strategy(layers, arguments, strategy);
    write_json_file(arguments.json, json);
}

} // namespace

void add_db_replay(CLI::App &db) {
    CLI::App &app =
        *db.add_subcommand("replay", "How strategies would have searched what was measured already");
    const auto arguments = std::make_shared<ReplayArguments>();
    app.add_option("FILE", arguments->files, "Databases to read")->required()->type_name("");
    app.add_option("--strategy", arguments->strategies, "Strategies (default: all)")->type_name("NAME ...");
    app.add_option("--seeds", arguments->seeds, "Searches of each problem")
        ->type_name("N")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--most", arguments->most, "Measurements after which a search is ended")
        ->type_name("N")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_flag("--warm", arguments->is_warm, "Searches know the records of the other problems");
    add_json_option(app, arguments->json);
    app.footer("Only plans with a record can be asked for: measure all of a problem's with `tune --strategy "
               "random`.\n\n"
               "Examples:\n  convsmith db replay measured.jsonl --strategy learned --seeds 10");
    app.callback([arguments] { run_replay(*arguments); });
}

} // namespace convsmith::cli
