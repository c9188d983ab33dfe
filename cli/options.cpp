// Declaration and parsing of the options that subcommands share.
#include "cli/options.h"

#include "generators/error.h"
#include "runtime/frontend/file_io.h"
#include "runtime/records/recorded_plans.h"
#include "runtime/thread_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

namespace convsmith::cli {

namespace {

std::optional<int64_t> parse_integer(std::string_view text) {
    int64_t value = 0;
    const char *end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || rest != end) {
        return std::nullopt;
    }
    return value;
}

/// "name=rest" split at the last '=' (ONNX names may hold one); nothing if either side is empty.
std::optional<std::pair<std::string, std::string>> split_assignment(const std::string &text) {
    const size_t at = text.rfind('=');
    if (at == std::string::npos || at == 0 || at + 1 == text.size()) {
        return std::nullopt;
    }
    return std::pair(text.substr(0, at), text.substr(at + 1));
}

std::vector<int64_t> parse_extents(const std::string &option, const std::string &list) {
    std::vector<int64_t> extents;
    size_t begin = 0;
    while (begin <= list.size()) {
        const size_t end = std::min(list.find(',', begin), list.size());
        const std::string token = list.substr(begin, end - begin);
        const std::optional<int64_t> extent = parse_integer(token);
        if (!extent || *extent <= 0 || *extent > INT32_MAX) {
            throw Error(ErrorCode::BadArgument,
                        fmt::format("--shape {}: extent is '{}', want a positive integer", option, token));
        }
        extents.push_back(*extent);
        begin = end + 1;
    }
    return extents;
}

} // namespace

void add_model_options(CLI::App &app, ModelOptions &options) {
    app.add_option("--shape", options.shapes,
                   "Full shape of an ONNX input with open dimensions, e.g. x=1,3,320,320")
        ->type_name("NAME=N,C,...")
        ->allow_extra_args(false);
    app.add_flag(
        "--composites", options.composites,
        "Join depthwise-pointwise pairs, and squeeze-and-excitation of an ONNX model, into one layer each");
}

void add_spec_options(CLI::App &app, SpecOptions &options, SpecNeed need) {
    CLI::Option *specs =
        app.add_option("SPEC", options.specs,
                       "Descriptor key (conv_ci64_i56x56_co64_k3_p1), layer list (.json) or model (.onnx)")
            ->type_name("");
    if (need == SpecNeed::Required) {
        specs->required();
    }
    add_model_options(app, options.model);
}

ImportOptions import_options(const ModelOptions &model) {
    ImportOptions options;
    options.composites = model.composites;
    for (const std::string &text : model.shapes) {
        const auto parts = split_assignment(text);
        if (!parts) {
            throw Error(ErrorCode::BadArgument,
                        fmt::format("--shape: got '{}', want NAME=N,C,... such as x=1,3,320,320", text));
        }
        if (!options.shapes.emplace(parts->first, parse_extents(text, parts->second)).second) {
            throw Error(ErrorCode::BadArgument,
                        fmt::format("--shape: input '{}' is given twice", parts->first));
        }
    }
    return options;
}

std::vector<Network> load_specs(const SpecOptions &options) {
    const ImportOptions importing = import_options(options.model);
    std::vector<Network> networks;
    networks.reserve(options.specs.size());
    for (const std::string &spec : options.specs) {
        networks.push_back(load_spec(spec, importing));
    }
    return networks;
}

Network load_merged(const SpecOptions &options) {
    Network merged;
    for (Network &network : load_specs(options)) {
        if (merged.name.empty()) {
            merged.name = network.name;
        }
        std::move(network.layers.begin(), network.layers.end(), std::back_inserter(merged.layers));
        std::move(network.skipped.begin(), network.skipped.end(), std::back_inserter(merged.skipped));
    }
    return merged;
}

void add_target_option(CLI::App &app, std::string &target) {
    target = "host";
    app.add_option("--target", target,
                   "host, a class of `convsmith list targets`, or a Halide target string (default: host)")
        ->type_name("T");
}

void add_targets_option(CLI::App &app, std::vector<std::string> &targets) {
    app.add_option(
           "--target", targets,
           "Targets: host, classes of `convsmith list targets`, Halide target strings (default: host)")
        ->type_name("T[,T...]")
        ->delimiter(',')
        ->allow_extra_args(false);
}

std::vector<Target> parse_targets(const std::vector<std::string> &targets) {
    if (targets.empty()) {
        return {parse_target("host")};
    }
    std::vector<Target> parsed;
    for (const std::string &text : targets) {
        const Target target = parse_target(text);
        if (std::find(parsed.begin(), parsed.end(), target) == parsed.end()) {
            parsed.push_back(target);
        }
    }
    return parsed;
}

void add_plan_options(CLI::App &app, PlanOptions &options) {
    app.add_option("--variant", options.variant, "Algorithm to use instead of the planner's choice")
        ->type_name("NAME");
    app.add_option("--schedule", options.schedule, "Schedule of `convsmith list schedules` to use")
        ->type_name("NAME");
    app.add_option("--param", options.params, "Number of the schedule to use, e.g. tile_p=4; repeatable")
        ->type_name("NAME=N")
        ->allow_extra_args(false);
    app.add_option(
           "--accuracy", options.accuracy,
           "exact: rounds as a sum does; fast: also Winograd, f32 only, where it is faster (default: fast)")
        ->type_name("A");
}

PlanRequest plan_request(const PlanOptions &options) {
    PlanRequest request;
    request.variant = options.variant;
    request.schedule = options.schedule;
    if (!options.accuracy.empty()) {
        request.accuracy = parse_accuracy(options.accuracy);
    }
    for (const std::string &text : options.params) {
        const auto parts = split_assignment(text);
        const std::optional<int64_t> value = parts ? parse_integer(parts->second) : std::nullopt;
        if (!value || *value < INT32_MIN || *value > INT32_MAX) {
            throw Error(ErrorCode::BadArgument,
                        fmt::format("--param: got '{}', want NAME=N such as tile_p=4", text));
        }
        request.params[parts->first] = static_cast<int>(*value);
    }
    return request;
}

void add_record_options(CLI::App &app, RecordOptions &options) {
    CLI::Option *db = app.add_option("--db", options.db,
                                     "Tuning records to plan with, before the user's and the shipped ones "
                                     "(default: convsmith_tuning.jsonl here, if there is one)")
                          ->type_name("FILE");
    app.add_flag("--no-db", options.none, "Plan without tuning records")->excludes(db);
}

PlanRequest plan_request(const PlanOptions &options, const RecordOptions &records, int threads) {
    PlanRequest request = plan_request(options);
    request.tuned = autotune::load_recorded_plans(records.none ? "-" : records.db);
    request.threads = plan_threads(threads);
    return request;
}

int plan_threads(int threads) {
    return threads > 0 ? threads : available_cores();
}

std::vector<autotune::Contents> read_records(const std::vector<std::string> &files) {
    std::vector<autotune::Contents> layers;
    for (const std::string &file : files) {
        layers.push_back(autotune::parse_contents(file, read_file(file)));
        for (const std::string &problem : layers.back().problems())
            fmt::print(stderr, "warning: {}\n", problem);
    }
    return layers;
}

void add_threads_option(CLI::App &app, int &threads) {
    app.add_option("--threads", threads, "Threads; 0 is one per core")
        ->type_name("N")
        ->check(CLI::Range(0, 1024));
}

void add_json_option(CLI::App &app, std::string &path) {
    app.add_option("--json", path, "Also write the result to FILE as JSON")->type_name("FILE");
}

void write_json_file(const std::string &path, const Json &value) {
    if (!path.empty()) {
        write_file_atomically(path, value.dump(1) + "\n");
    }
}

std::string si(double value) {
    static constexpr const char *kPrefixes[] = {"", " k", " M", " G", " T", " P"};
    size_t prefix = 0;
    while (std::fabs(value) >= 999.5 && prefix + 1 < std::size(kPrefixes)) {
        value /= 1000;
        ++prefix;
    }
    return fmt::format("{:.3g}{}", value, kPrefixes[prefix]);
}

std::string dims_text(const std::vector<int64_t> &shape) {
    return fmt::format("{}", fmt::join(shape, "x"));
}

} // namespace convsmith::cli
