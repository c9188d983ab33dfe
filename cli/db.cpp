// `convsmith db`: what tuning databases hold, which record a look-up takes, and keeping files in order. The
// format is docs/database.md, the work autotune/database.h, curate.h and lookup.h.
#include "autotune/retime.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/tune_layers.h"
#include "generators/error.h"
#include "runtime/frontend/file_io.h"
#include "runtime/records/curate.h"
#include "runtime/records/lookup.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <set>

namespace convsmith::cli {

namespace {

using namespace autotune;

struct DbOptions {
    std::string db;
    SpecOptions specs;
    std::vector<std::string> files;
    std::string target;
    std::string status;
    std::string accuracy;
    std::string output;
    std::string json;
    int threads = 1;
    int keep = 1;
    PruneOptions prune;
    bool retime = false;
    std::string budget = "10m"; ///< of retiming
    int best = 4;               ///< plans of a problem that are timed again
};

/// The file that --db names, or the default one.
Database database_of(const DbOptions &options) {
    return Database(options.db.empty() ? default_database() : options.db);
}

/// Unreadable lines go to standard error: they are no records, but somebody may want to know.
Contents read_and_warn(const Database &database) {
    Contents contents = database.read();
    for (const std::string &problem : contents.problems())
        fmt::print(stderr, "warning: {}\n", problem);
    return contents;
}

std::string count_text(int64_t count, const std::string &what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string time_text(const Record &record) {
    return record.status == Status::Ok ? fmt::format("{:.1f} us", record.ns.median / 1e3) : "-";
}

void print_record(const Record &record) {
    fmt::print("{:<13} {:>12}  {} on {} ({}){}\n    {}\n    {}\n", status_name(record.status),
               time_text(record), count_text(record.threads, "thread"), record.hardware.cpu,
               record.hardware.microarchitecture, is_current(record) ? "" : ", stale", record.key,
               record.plan_text());
    if (!record.error.empty())
        fmt::print("    {}\n", record.error.substr(0, record.error.find('\n')));
}

Json records_json(const std::vector<const Record *> &records) {
    Json json = Json::array();
    for (const Record *record : records)
        json.push_back(Json::parse(to_line(*record)));
    return json;
}

void show_records(const std::vector<const Record *> &records, const std::string &json) {
    for (const Record *record : records)
        print_record(*record);
    fmt::print("{}\n", count_text(static_cast<int64_t>(records.size()), "record"));
    write_json_file(json, {{"records", records_json(records)}});
}

void show(const DbOptions &options) {
    std::set<std::string> keys;
    for (const Layer &layer : load_merged(options.specs).layers)
        keys.insert(layer.desc.key());
    std::optional<Status> status;
    if (!options.status.empty())
        status = parse_status(options.status);
    const Contents contents = read_and_warn(database_of(options));
    std::vector<const Record *> records;
    for (const Record *record : contents.records()) {
        if ((keys.empty() || keys.count(record->key) != 0) && (!status || record->status == *status))
            records.push_back(record);
    }
    show_records(records, options.json);
}

Json explain_lookup(const LookUp &lookup) {
    for (const std::string &reason : lookup.passed_over())
        fmt::print("    passed over: {}\n", reason);
    if (!lookup.found) {
        fmt::print("    no record: the default plan\n");
        return {{"found", false}, {"stale", lookup.stale}, {"wrong", lookup.wrong}};
    }
    const Record &record = *lookup.found->record;
    fmt::print("    {}  {}\n    {}\n", time_text(record), record.plan_text(), lookup.found->text());
    return {{"found", true},
            {"stale", lookup.stale},
            {"wrong", lookup.wrong},
            {"match", match_text(lookup.found->match)},
            {"layer", lookup.found->layer},
            {"record", Json::parse(to_line(record))}};
}

void best(const DbOptions &options) {
    if (options.specs.specs.empty())
        return show_records(best_records(read_and_warn(database_of(options)), 1), options.json);
    Query query;
    const Target target = parse_target(options.target);
    query.target = target.halide;
    query.hardware = hardware_for(target);
    query.threads = plan_threads(options.threads);
    if (!options.accuracy.empty())
        query.accuracy = parse_accuracy(options.accuracy);
    const Layers layers = load_layers(options.db);
    Json json = Json::array();
    for (const Layer &layer : load_merged(options.specs).layers) {
        query.key = layer.desc.key();
        fmt::print("{}\n", query.key);
        Json found = explain_lookup(look_up(layers, query));
        found["key"] = query.key;
        json.push_back(std::move(found));
    }
    write_json_file(options.json, {{"layers", json}});
}

void merge(const DbOptions &options) {
    int64_t added = 0;
    const Database database = database_of(options);
    const std::vector<Contents> sources = read_records(options.files);
    database.rewrite([&](std::vector<Line> &lines) {
        for (const Contents &source : sources)
            added += merge_lines(lines, source.lines);
    });
    fmt::print("{} added to {}\n", count_text(added, "line"), database.path());
}

/// Why no look-up ever takes the record; empty if one may.
std::string defect_of(const Record &record) {
    try {
        const ConvDesc desc = ConvDesc::parse(record.key);
        if (desc.key() != record.key)
            return "key is not canonical, want " + desc.key();
        if (is_current(record) && record.has_cost())
            make_plan(desc, parse_target(record.target), record.request());
        return "";
    } catch (const Error &error) {
        return error.what();
    }
}

int check(const DbOptions &options) {
    const Database database = database_of(options);
    const Contents contents = database.read();
    std::map<std::string, int64_t> counts;
    int64_t defects = 0, stale = 0;
    for (const Line &line : contents.lines) {
        const std::string defect = line.record ? defect_of(*line.record) : line.problem;
        if (!defect.empty())
            fmt::print("{}{}\n", line.record ? fmt::format("{}:{}: ", contents.name, line.number) : "",
                       defect);
        defects += defect.empty() ? 0 : 1;
        if (line.record) {
            counts[status_name(line.record->status)]++;
            stale += is_current(*line.record) ? 0 : 1;
        }
    }
    for (const auto &[status, count] : counts)
        fmt::print("{:<13} {}\n", status, count);
    fmt::print("{}: {}, {} stale, {} that no look-up takes\n", database.path(),
               count_text(static_cast<int64_t>(contents.records().size()), "record"), stale,
               count_text(defects, "line"));
    write_json_file(
        options.json,
        {{"records", contents.records().size()}, {"status", counts}, {"stale", stale}, {"defects", defects}});
    return defects == 0 ? 0 : 1;
}

/// Judges and times the plans of stale records again; the number of problems for which that failed.
int retime(const DbOptions &options) {
    const Database database = database_of(options);
    database.check_writable();
    const double budget = parse_duration("--budget", options.budget);
    const StaleRecords stale = stale_records(database.read(), options.best);
    if (stale.elsewhere > 0)
        fmt::print("{} of other machines: to be timed again there\n",
                   count_text(stale.elsewhere, "stale record"));
    const auto start = std::chrono::steady_clock::now();
    int failures = 0;
    for (size_t i = 0; i < stale.problems.size(); i++) {
        const StaleProblem &problem = stale.problems[i];
        for (const std::string &reason : problem.refused)
            fmt::print("{}\n    refused: {}\n", problem.desc.key(), reason);
        if (problem.left > 0)
            fmt::print("{}\n    {} left stale: slower than the {} best\n", problem.desc.key(),
                       count_text(problem.left, "record"), options.best);
        if (problem.plans.empty())
            continue;
        TuneOptions tuning;
        tuning.threads = problem.threads;
        tuning.plans = problem.plans;
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
        const double share =
            std::max(0.0, budget - spent.count()) / static_cast<double>(stale.problems.size() - i);
        Layer layer;
        layer.name = problem.desc.key();
        layer.desc = problem.desc;
        const TunedLayers tuned = tune_layers({layer}, problem.target, database, share, tuning);
        if (!tuned.store_error.empty())
            throw Error(ErrorCode::Io, "db check --retime: " + tuned.store_error);
        failures += tuned.fruitless;
    }
    return failures;
}

void prune(const DbOptions &options) {
    int64_t removed = 0;
    const Database database = database_of(options);
    database.rewrite([&](std::vector<Line> &lines) { removed = prune_lines(lines, options.prune); });
    fmt::print("{} removed from {}\n", count_text(removed, "record"), database.path());
}

void export_best(const DbOptions &options) {
    std::string text;
    const Contents contents = read_and_warn(database_of(options));
    const std::vector<const Record *> records = best_records(contents, options.keep);
    for (const Record *record : records)
        text += to_line(*record) + "\n";
    write_file_atomically(options.output, text);
    fmt::print("{} in {}\n", count_text(static_cast<int64_t>(records.size()), "record"), options.output);
}

using Options = std::shared_ptr<DbOptions>;

void add_db_option(CLI::App &app, const Options &options) {
    app.add_option("--db", options->db,
                   "Database (default: convsmith_tuning.jsonl here if there is one, else the user's)")
        ->type_name("FILE");
}

void add_show(CLI::App &db, const Options &options) {
    CLI::App &app = *db.add_subcommand("show", "Print records");
    add_spec_options(app, options->specs, SpecNeed::Optional);
    add_db_option(app, options);
    app.add_option("--status", options->status, "Only records of that status")->type_name("STATUS");
    add_json_option(app, options->json);
    app.footer("Examples:\n  convsmith db show --db tuned.jsonl --status wrong_result");
    app.callback([options] { show(*options); });
}

void add_best(CLI::App &db, const Options &options) {
    CLI::App &app = *db.add_subcommand("best", "The record that a look-up takes for each layer, and why");
    add_spec_options(app, options->specs, SpecNeed::Optional);
    add_db_option(app, options);
    add_target_option(app, options->target);
    add_threads_option(app, options->threads);
    app.add_option("--accuracy", options->accuracy, "exact or fast (default: fast)")->type_name("A");
    add_json_option(app, options->json);
    app.footer("Without SPEC: the fastest record of every problem and machine of one file.\n\nExamples:\n"
               "  convsmith db best resnet50.json --threads 2");
    app.callback([options] { best(*options); });
}

void add_merge(CLI::App &db, const Options &options) {
    CLI::App &app = *db.add_subcommand("merge", "Add the lines of other files that are not there yet");
    app.add_option("FILE", options->files, "Databases to read")->required()->type_name("");
    add_db_option(app, options);
    app.footer("Examples:\n  convsmith db merge shard1.jsonl shard2.jsonl --db all.jsonl");
    app.callback([options] { merge(*options); });
}

void add_check(CLI::App &db, const Options &options, Command &command) {
    CLI::App &app =
        *db.add_subcommand("check", "Find lines that nobody can use; exit code 1 if there are any");
    add_db_option(app, options);
    add_json_option(app, options->json);
    app.add_flag(
        "--retime", options->retime,
        "Judge and time again, on this machine, what records of other versions of Halide, LLVM or the "
        "algorithms say, so that it counts again");
    app.add_option("--budget", options->budget, "Time for --retime: 90s, 10m, 2h")
        ->type_name("TIME")
        ->capture_default_str();
    app.add_option("--best", options->best, "Plans of each problem that --retime takes, fastest first")
        ->type_name("N")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.footer("Examples:\n  convsmith db check --db tuned.jsonl\n"
               "  convsmith db check --db tuned.jsonl --retime --budget 10m");
    app.callback([options, &command] {
        const int untimed = options->retime ? retime(*options) : 0;
        command.exit_code = std::max(check(*options), untimed > 0 ? 1 : 0);
    });
}

void add_prune(CLI::App &db, const Options &options) {
    CLI::App &app = *db.add_subcommand("prune", "Remove records that a later measurement replaces");
    add_db_option(app, options);
    app.add_flag("--stale", options->prune.drops_stale,
                 "Also those of other versions of Halide, LLVM or the algorithms");
    app.add_option("--keep", options->prune.keep, "Also all but the N fastest of each problem and machine")
        ->type_name("N")
        ->check(CLI::PositiveNumber);
    app.footer("Wrong results and unreadable lines stay.\n\nExamples:\n  convsmith db prune --keep 10");
    app.callback([options] { prune(*options); });
}

void add_export(CLI::App &db, const Options &options) {
    CLI::App &app = *db.add_subcommand("export", "Write the fastest records of every problem and machine");
    add_db_option(app, options);
    app.add_option("-o,--output", options->output, "File to write")->required()->type_name("FILE");
    app.add_option("--keep", options->keep, "Records of each problem and machine")
        ->type_name("N")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.footer("Examples:\n  convsmith db export --db tuned.jsonl -o shipped.jsonl");
    app.callback([options] { export_best(*options); });
}

} // namespace

void add_db(CLI::App &app, Command &command) {
    CLI::App &db =
        *app.add_subcommand("db", "Tuning databases: show, best, merge, check, prune, export, fit, replay");
    const auto options = std::make_shared<DbOptions>();
    db.require_subcommand(1);
    add_show(db, options);
    add_best(db, options);
    add_merge(db, options);
    add_check(db, options, command);
    add_prune(db, options);
    add_export(db, options);
    add_db_fit(db);
    add_db_replay(db);
    db.footer("Examples:\n  convsmith db show --db tuned.jsonl\n  convsmith db best resnet50.json");
}

} // namespace convsmith::cli
