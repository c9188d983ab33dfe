// `convsmith tune`: searches the fastest right plan of each layer, on this machine, on another one
// (autotune/place.h) or by a model of a CPU or GPU, and records what it finds (autotune/tuner.h,
// autotune/static_tuner.h, docs/database.md).
#include "autotune/static_cost.h"
#include "autotune/tuner.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/tune_layers.h"
#include "generators/error.h"
#include "runtime/content_hash.h"
#include "runtime/records/lookup.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
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
    std::string target = "host";
    std::string cost = "measured";
    std::string shard = "1/1";
    std::string runner = "native";
    std::string json;
    int threads = 1;
    uint64_t seed = 1;
};

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

/// Whether a problem belongs to the shard: by its key, so that every machine splits every list alike.
bool is_in_shard(const std::string &key, const Shard &shard) {
    constexpr size_t kDigits = 15; // that a 64-bit number holds
    const uint64_t hash = std::stoull(hex_of(digest_of({key})).substr(0, kDigits), nullptr, 16);
    return hash % static_cast<uint64_t>(shard.parts) == static_cast<uint64_t>(shard.part - 1);
}

/// The distinct problems of the specs that belong to the shard.
std::vector<Layer> layers_to_tune(const TuneArguments &arguments) {
    const Shard shard = parse_shard(arguments.shard);
    std::vector<Layer> layers = layers_to_time(load_merged(arguments.specs).layers);
    const auto is_elsewhere = [&](const Layer &layer) { return !is_in_shard(layer.desc.key(), shard); };
    layers.erase(std::remove_if(layers.begin(), layers.end(), is_elsewhere), layers.end());
    return layers;
}

/// Which cost --cost asks for: nothing for measured ones, else the model's machine, empty for the one of the
/// target's class.
std::optional<std::string> parse_cost(const std::string &text) {
    const std::string kStatic = "static";
    if (text == "measured")
        return std::nullopt;
    if (text == kStatic)
        return "";
    if (text.rfind(kStatic + ":", 0) == 0 && text.size() > kStatic.size() + 1)
        return text.substr(kStatic.size() + 1);
    throw Error(ErrorCode::BadArgument,
                "--cost: got '" + text +
                    "', want measured, static or static:MACHINE, such as static:cortex-a76");
}

/// The number of threads that --threads means on the place's machine.
int threads_at(const Place &place, const Target &target, int threads) {
    return threads == 0 && place.kind == Place::Kind::Ssh ? hardware_at(place, target).cores
                                                          : plan_threads(threads);
}

int run_tune(const TuneArguments &arguments) {
    const std::vector<Layer> selected = layers_to_tune(arguments);
    const Place place = parse_place(arguments.runner);
    const std::optional<std::string> model = parse_cost(arguments.cost);
    if (model && place.kind != Place::Kind::Native)
        throw Error(ErrorCode::BadArgument, "--runner " + place.text() +
                                                ": candidates that --cost static ranks are not run; want one "
                                                "of the two");
    const Target target = target_at(place, arguments.target);
    if (model)
        static_machine(target, *model);
    const Database database(arguments.db.empty() ? default_database() : arguments.db);
    TuneOptions options;
    options.fixed = plan_request(arguments.plan);
    options.strategy = arguments.strategy;
    options.place = place;
    options.threads = threads_at(place, target, arguments.threads);
    options.seed = arguments.seed;
    options.others = load_layers(arguments.db);
    strategy_info(options.strategy);
    const double budget = parse_duration("--budget", arguments.budget);
    fmt::print("{} layers, {:.0f} s, into {}\n", selected.size(), budget, database.path());
    const TunedLayers tuned = tune_layers(selected, target, database, budget, options, model);
    write_json_file(arguments.json, {{"database", database.path()}, {"layers", tuned.layers}});
    return tuned.fruitless == 0 && tuned.store_error.empty() ? 0 : 1;
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
    add_target_option(tune, arguments->target);
    tune.add_option(
            "--cost", arguments->cost,
            "measured: times of --runner; static[:MACHINE]: LLVM's model of a CPU, or a roofline of a GPU, "
            "that is not at hand ranks the candidates, no time is claimed")
        ->type_name("KIND")
        ->capture_default_str();
    tune.add_option("--shard", arguments->shard,
                    "Only part K of N of the problems, for N machines (db merge joins)")
        ->type_name("K/N")
        ->capture_default_str();
    tune.add_option("--seed", arguments->seed, "Seed of the search and of the data")->capture_default_str();
    tune.add_option("--db", arguments->db,
                    "Database (default: convsmith_tuning.jsonl here if there is one, else the user's)")
        ->type_name("FILE");
    tune.add_option("--runner", arguments->runner,
                    "Where candidates run: native; ssh:HOST (compiled here, a static program measures there; "
                    "options of ssh may precede HOST); emulated (judged only)")
        ->type_name("PLACE")
        ->capture_default_str();
    add_threads_option(tune, arguments->threads);
    add_json_option(tune, arguments->json);
    tune.footer(
        "Every candidate is compiled in a process of its own and compared with the oracle before it is "
        "timed; what\n"
        "the database holds already is not measured again, so a run that was ended goes on where it was.\n\n"
        "Examples:\n"
        "  convsmith tune conv_ci64_i56x56_co64_k3_p1 --budget 60s\n"
        "  convsmith tune resnet50.json --budget 10m --db tuned.jsonl --threads 2\n"
        "  convsmith tune resnet50.json --runner ssh:board --budget 30m\n"
        "  convsmith tune resnet50.json --target arm-64-linux --cost static:cortex-a76 --budget 5m\n"
        "  convsmith tune resnet50.json --target cuda --cost static:h100 --budget 5m");
    tune.callback([arguments, &command] { command.exit_code = run_tune(*arguments); });
}

} // namespace convsmith::cli
