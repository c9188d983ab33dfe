// `convsmith build`: writes the static libraries, C header, CMake package and manifest of SPEC. The work is
// runtime/library.h; docs/aot.md tells users what to do with the result.
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "generators/error.h"
#include "runtime/library.h"

#include <fmt/format.h>

#include <memory>
#include <optional>

namespace convsmith::cli {

namespace {

struct BuildOptions {
    SpecOptions specs;
    PlanOptions plan;
    std::vector<std::string> targets;
    std::string directory;
    std::string name;
    std::string weights = "passed";
    std::string json;
    bool no_baseline = false;
};

void run_build(const BuildOptions &options) {
    const Network network = load_merged(options.specs);
    LibraryOptions library;
    library.name = options.name;
    library.directory = options.directory;
    library.targets = parse_targets(options.targets);
    library.add_baseline = !options.no_baseline;
    library.weights = options.weights == "baked" ? WeightMode::Baked : WeightMode::Passed;
    library.request = plan_request(options.plan);
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
                  "      --target x86_avx2,arm_neon -o out --name detector");
    build->callback([options, &command] {
        run_build(*options);
        command.exit_code = 0;
    });
}

} // namespace convsmith::cli
