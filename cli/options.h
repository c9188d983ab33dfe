// Options that several subcommands share, so that one name means one thing everywhere: SPEC, --shape,
// --target,
// --schedule, --db, --threads, --json. A subcommand declares them with add_* and reads them in its callback;
// text is only checked there, so a mistake is an Error that main.cpp turns into one line and exit code 2.
#pragma once

#include "runtime/frontend/network.h"
#include "runtime/records/database.h"
#include "schedules/plan.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace convsmith::cli {

/// JSON whose members keep the order in which they were written.
using Json = nlohmann::ordered_json;

/// How ONNX models are to be read.
struct ModelOptions {
    std::vector<std::string> shapes; ///< "x=1,3,320,320", one per ONNX input
    bool composites = false;         ///< layers that one kernel can compute together are one layer
};

/// What SPEC... and the options for models hold.
struct SpecOptions {
    std::vector<std::string> specs;
    ModelOptions model;
};

/// Whether a subcommand can do without any SPEC.
enum class SpecNeed { Required, Optional };

/// Declares the positional SPEC... and the options for models.
void add_spec_options(CLI::App &app, SpecOptions &options, SpecNeed need = SpecNeed::Required);

/// Declares --shape and --composites alone, for subcommands whose model is another option.
void add_model_options(CLI::App &app, ModelOptions &options);

/// Every SPEC loaded, in order. Throws Error (load_spec, import_options).
std::vector<Network> load_specs(const SpecOptions &options);

/// One network holding all of them: layers and skipped nodes in order; named after the first one.
Network load_merged(const SpecOptions &options);

/// The options for the importer. Throws Error(BadArgument) quoting the shape that is wrong.
ImportOptions import_options(const ModelOptions &model);

/// Declares --target T, default "host"; parse it with parse_target (schedules/target.h).
void add_target_option(CLI::App &app, std::string &target);

/// Declares --target T[,T...]; empty if not given. Parse with parse_targets.
void add_targets_option(CLI::App &app, std::vector<std::string> &targets);

/// The targets named, duplicates dropped; {host} for an empty list. Throws Error(BadArgument).
std::vector<Target> parse_targets(const std::vector<std::string> &targets);

/// What --variant, --schedule and --param hold; empty where the planner decides.
struct PlanOptions {
    std::string variant;
    std::string schedule;
    std::vector<std::string> params; ///< "name=value"
    std::string accuracy;            ///< "exact" or "fast"
};

/// Declares --variant, --schedule, --param and --accuracy.
void add_plan_options(CLI::App &app, PlanOptions &options);

/// The request for make_plan. Throws Error(BadArgument) for a --param that is not name=integer.
PlanRequest plan_request(const PlanOptions &options);

/// What --db and --no-db hold: which tuning records plans are made with.
struct RecordOptions {
    std::string db;
    bool none = false;
};

/// Declares --db and --no-db.
void add_record_options(CLI::App &app, RecordOptions &options);

/// The number of threads that --threads means: 0 is one per core.
int plan_threads(int threads);

/// plan_request with the tuning records for kernels of `threads` threads (0: one per core). Throws Error(Io)
/// if the file that --db names cannot be read.
PlanRequest plan_request(const PlanOptions &options, const RecordOptions &records, int threads);

/// Declares --threads N (0 = one per core).
void add_threads_option(CLI::App &app, int &threads);

/// The records of each file. Lines that are none go to standard error: somebody may want to know. Throws
/// Error(Io) for a file that cannot be read.
std::vector<autotune::Contents> read_records(const std::vector<std::string> &files);

/// Declares --json FILE; empty if not given.
void add_json_option(CLI::App &app, std::string &path);

/// Writes `value` indented and with a final newline: all of it or, if it throws Error(Io), nothing. Does
/// nothing for an empty path.
void write_json_file(const std::string &path, const Json &value);

/// 1234567 -> "1.23 M" with the SI prefix that leaves 1 to 999 before the point.
std::string si(double value);

/// [1, 64, 56, 56] -> "1x64x56x56".
std::string dims_text(const std::vector<int64_t> &shape);

} // namespace convsmith::cli
