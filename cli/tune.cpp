// `convsmith tune`: searches the fastest right plan of each layer on this machine and records what it finds
// (autotune/tuner.h, docs/database.md).
#include "autotune/lookup.h"
#include "autotune/tuner.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "generators/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>

namespace convsmith::cli {

namespace {

using namespace autotune;

struct TuneArguments {
    SpecOptions specs;
    PlanOptions plan;
    std::string db;
    std::string budget = "60s";
    std::string strategy = TuneOptions().strategy;
    std::string shard = "1/1";
    std::string json;
    int threads = 1;
    uint64_t seed = 1;
};

/// "90s", "10m", "2h" or a number of seconds.
double parse_duration(const std::string &text) {
    char *rest = nullptr;
    const double number = std::strtod(text.c_str(), &rest);
    const std::string unit = rest;
    const double seconds = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
    if (rest == text.c_str() || !(number > 0) || seconds == 0)
        throw Error(
            ErrorCode::BadArgument,
            fmt::format("--budget: got '{}', want a positive number and s, m or h, such as 10m", text));
    return number * seconds;
}

/// Part `part` of `parts`.
struct Shard {
    int part = 1, parts = 1;
};

Shard parse_shard(const std::string &text) {
    Shard shard;
    int end = 0;
    const int got = std::sscanf(text.c_str(), "%d/%d%n", &shard.part, &shard.parts, &end);
    if (got != 2 || static_cast<size_t>(end) != text.size() || shard.part < 1 || shard.part > shard.parts)
        throw Error(ErrorCode::BadArgument,
                    fmt::format("--shard: got '{}', want K/N with 1 <= K <= N, such as 1/4", text));
    return shard;
}

/// Whether a problem belongs to the shard: by its key, so that every machine splits every list alike
/// (FNV-1a).
bool is_in_shard(const std::string &key, const Shard &shard) {
    uint64_t hash = 14695981039346656037u;
    for (const char c : key)
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return hash % static_cast<uint64_t>(shard.parts) == static_cast<uint64_t>(shard.part - 1);
}

/// The distinct problems of the specs that belong to the shard.
std::vector<Layer> layers_to_tune(const TuneArguments &arguments) {
    const Shard shard = parse_shard(arguments.shard);
    std::set<std::string> keys;
    std::vector<Layer> layers;
    for (Layer &layer : load_merged(arguments.specs).layers) {
        if (keys.insert(layer.desc.key()).second && is_in_shard(layer.desc.key(), shard))
            layers.push_back(std::move(layer));
    }
    return layers;
}

std::string progress_text(const std::string &layer, const TuneProgress &at, double budget) {
    return fmt::format("{}: {} tried, {} failed, best {:.2f}x, {:.0f} s left", layer, at.tried, at.failed,
                       1 / at.best_ratio, std::max(0.0, budget - at.seconds));
}

void print_result(const Layer &layer, const TuneResult &result) {
    const TuneProgress &at = result.progress;
    fmt::print(
        "{}\n    {:.2f}x the default plan: {:.1f} us, {}\n    {} tried of {} candidates, {} known before",
        layer.name, 1 / result.ratio, result.record.ns.median / 1e3, result.best.text(), at.tried, at.total,
        at.known);
    for (const auto &[status, count] : result.outcomes) {
        if (status != Status::Ok)
            fmt::print(", {} {}", count, status_name(status));
    }
    fmt::print("; {} rejected before compiling; {:.0f} s\n", total(result.rejected), at.seconds);
    std::fflush(stdout);
}

Json result_json(const Layer &layer, const TuneResult &result) {
    Json outcomes = Json::object();
    for (const auto &[status, count] : result.outcomes)
        outcomes[status_name(status)] = count;
    const bool is_timed = result.record.ns.rounds > 0;
    return {{"name", layer.name},
            {"key", layer.desc.key()},
            {"default", result.default_plan.text()},
            {"best", result.best.text()},
            {"speedup", 1 / result.ratio},
            {"record", is_timed ? Json::parse(to_line(result.record)) : Json()},
            {"candidates", result.progress.total},
            {"tried", result.progress.tried},
            {"known", result.progress.known},
            {"outcomes", outcomes},
            {"rejected", result.rejected},
            {"seconds", result.progress.seconds}};
}

int run_tune(const TuneArguments &arguments) {
    const std::vector<Layer> selected = layers_to_tune(arguments);
    const Target target = parse_target("host");
    const Database database(arguments.db.empty() ? default_database() : arguments.db);
    TuneOptions options;
    options.budget_seconds =
        parse_duration(arguments.budget) / static_cast<double>(std::max<size_t>(1, selected.size()));
    options.fixed = plan_request(arguments.plan);
    options.strategy = arguments.strategy;
    options.worker = {std::filesystem::read_symlink("/proc/self/exe").string(), "worker"};
    options.threads = arguments.threads;
    options.seed = arguments.seed;
    strategy_info(options.strategy);
    fmt::print("{} layers, {:.0f} s each, into {}\n", selected.size(), options.budget_seconds,
               database.path());

    Json layers = Json::array();
    std::string store_error;
    int untimed = 0;
    for (const Layer &layer : selected) {
        Progress bar("tuning", static_cast<int64_t>(selected.size()));
        options.on_progress = [&](const TuneProgress &at) {
            bar.update(static_cast<int64_t>(layers.size()),
                       progress_text(layer.name, at, options.budget_seconds));
        };
        const TuneResult result = tune(layer.desc, target, database, options);
        bar.clear();
        if (!result.store_error.empty() && store_error.empty())
            fmt::print(stderr, "warning: not recorded: {}\n", result.store_error);
        store_error = result.store_error;
        untimed += result.record.ns.rounds > 0 ? 0 : 1;
        print_result(layer, result);
        layers.push_back(result_json(layer, result));
    }
    write_json_file(arguments.json, {{"database", database.path()}, {"layers", layers}});
    return untimed == 0 && store_error.empty() ? 0 : 1;
}

} // namespace

void add_tune(CLI::App &app, Command &command) {
    CLI::App &tune =
        *app.add_subcommand("tune", "Search the fastest right plan of each layer on this machine");
    const auto arguments = std::make_shared<TuneArguments>();
    add_spec_options(tune, arguments->specs);
    add_plan_options(tune, arguments->plan);
    tune.add_option("--budget", arguments->budget, "Time for all layers together: 90s, 10m, 2h")
        ->type_name("TIME")
        ->capture_default_str();
    std::string strategies;
    for (const StrategyInfo &row : strategy_table())
        strategies += fmt::format("{}{}: {}", strategies.empty() ? "" : "; ", row.name, row.doc);
    tune.add_option("--strategy", arguments->strategy, strategies)->type_name("NAME")->capture_default_str();
    tune.add_option("--shard", arguments->shard,
                    "Only part K of N of the problems, for N machines (db merge joins)")
        ->type_name("K/N")
        ->capture_default_str();
    tune.add_option("--seed", arguments->seed, "Seed of the search and of the data")->capture_default_str();
    tune.add_option("--db", arguments->db,
                    "Database (default: convsmith_tuning.jsonl here if there is one, else the user's)")
        ->type_name("FILE");
    add_threads_option(tune, arguments->threads);
    add_json_option(tune, arguments->json);
    tune.footer(
        "Every candidate is compiled in a process of its own and compared with the oracle before it is "
        "timed; what\n"
        "the database holds already is not measured again, so a run that was ended goes on where it was.\n\n"
        "Examples:\n"
        "  convsmith tune conv_ci64_i56x56_co64_k3_p1 --budget 60s\n"
        "  convsmith tune resnet50.json --budget 10m --db tuned.jsonl --threads 2");
    tune.callback([arguments, &command] { command.exit_code = run_tune(*arguments); });
}

} // namespace convsmith::cli
