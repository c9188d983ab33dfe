// `convsmith build`: writes the static libraries, C header, CMake package and manifest of SPEC. The work is
// runtime/library.h; docs/aot.md tells users what to do with the result.
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/tune_layers.h"
#include "generators/error.h"
#include "runtime/library.h"
#include "runtime/records/lookup.h"

#include <fmt/format.h>

#include <memory>
#include <optional>

namespace convsmith::cli {

namespace {

struct BuildOptions {
    SpecOptions specs;
    PlanOptions plan;
    RecordOptions records;
    int threads = 1;
    std::string tune; ///< budget; empty: nothing is tuned
    std::vector<std::string> targets;
    std::string directory;
    std::string name;
    std::string weights = "passed";
    std::string json;
    bool no_baseline = false;
};

/// Tunes the layers for each target that runs here; kernels for the others are planned as they are.
void tune_first(const BuildOptions &options, const Network &network) {
    if (options.records.none)
        throw Error(ErrorCode::BadArgument, "--tune: got --no-db with it, want a database to tune into");
    const double budget = parse_duration("--tune", options.tune);
    const autotune::Database database(options.records.db.empty() ? autotune::default_database()
                                                                 : options.records.db);
    database.check_writable();
    std::vector<Target> targets;
    for (const Target &target : parse_targets(options.targets)) {
        if (runs_natively(target))
            targets.push_back(target);
        else
            fmt::print(stderr, "not tuned: target {} does not run on this machine\n", target.name);
    }
    const std::vector<Layer> layers = layers_to_time(network.layers);
    autotune::TuneOptions tuning;
    tuning.fixed = plan_request(options.plan);
    tuning.threads = plan_threads(options.threads);
    for (const Target &target : targets) {
        fmt::print("tuning {} layers for {} into {}\n", layers.size(), target.name, database.path());
        const TunedLayers tuned =
            tune_layers(layers, target, database, budget / static_cast<double>(targets.size()), tuning);
        if (!tuned.store_error.empty())
            throw Error(ErrorCode::Io,
                        "--tune: not built, as tuning could not be recorded: " + tuned.store_error);
    }
}

void run_build(const BuildOptions &options) {
    const Network network = load_merged(options.specs);
    if (!options.tune.empty())
        tune_first(options, network);
    LibraryOptions library;
    library.name = options.name;
    library.directory = options.directory;
    library.targets = parse_targets(options.targets);
    library.add_baseline = !options.no_baseline;
    library.weights = options.weights == "baked" ? WeightMode::Baked : WeightMode::Passed;
    library.request = plan_request(options.plan, options.records, options.threads);
    std::optional<Progress> progress; // made by the first step, which tells how many there are
    library.progress = [&](const LibraryProgress &step) {
        if (!progress)
            progress.emplace("compiling", step.total);
        progress->update(step.done, step.what);
    };
    const LibraryReport report = build_library(network.layers, library);
    progress.reset();

    for (const SkippedNode &node : network.skipped)
        fmt::print(stderr, "not built: {} ({}): {}\n", node.name, node.op, node.reason);
    fmt::print("{}: {} layers, {} kernels\n", options.name, report.layers, report.kernels);
    for (const std::string &file : report.files)
        fmt::print("  {}/{}\n", options.directory, file);
    write_json_file(options.json, {{"name", options.name},
                                   {"directory", options.directory},
                                   {"layers", report.layers},
                                   {"kernels", report.kernels},
                                   {"files", report.files}});
}

} // namespace

void add_build(CLI::App &app, Command &command) {
    CLI::App *build = app.add_subcommand("build", "Write a static library, C header and CMake package");
    const auto options = std::make_shared<BuildOptions>();
    add_spec_options(*build, options->specs);
    add_targets_option(*build, options->targets);
    add_plan_options(*build, options->plan);
    add_record_options(*build, options->records);
    build
        ->add_option(
            "--tune", options->tune,
            "First tune all layers for this machine into the database: a time such as 5m for all together")
        ->type_name("TIME");
    build
        ->add_option(
            "--threads", options->threads,
            "Threads that the program will give the kernels: tuning records are for a number of them; "
            "0 is one per core")
        ->type_name("N")
        ->check(CLI::Range(0, 1024))
        ->capture_default_str();
    build
        ->add_option("-o,--output", options->directory,
                     "Directory of the library; replaced if convsmith wrote it")
        ->type_name("DIR")
        ->required();
    build->add_option("--name", options->name, "Name of the library and prefix of its C names")
        ->type_name("NAME")
        ->required();
    build
        ->add_option(
            "--weights", options->weights,
            "passed: the program packs and passes them; baked: trained values become part of the library")
        ->check(CLI::IsMember({"passed", "baked"}))
        ->capture_default_str();
    build->add_flag("--no-baseline", options->no_baseline,
                    "Do not add the platform's plain class: the library then needs the plainest class named");
    add_json_option(*build, options->json);
    build->footer("Examples:\n"
                  "  convsmith build conv_ci64_i56x56_co64_k3_p1_bias_relu -o out --name demo\n"
                  "  convsmith build model.onnx --shape x=1,3,320,320 --weights baked \\\n"
                  "      --target x86_avx2,arm_neon -o out --name detector\n"
                  "  convsmith build net.json --tune 10m --db tuned.jsonl -o out --name net");
    build->callback([options, &command] {
        run_build(*options);
        command.exit_code = 0;
    });
}

} // namespace convsmith::cli
