// Judges a target's schedules without the machine: for layers of each class the hot loop of the default plan
// and how near LLVM's models of CPUs see it to their multiply-add rate, as a table in Markdown:
//   convsmith_static --target arm_neon > bench/static_arm.md
// Loop and models: autotune/hot_loop.h, autotune/machine_model.h.
#include "autotune/machine_model.h"
#include "bench/static_layers.h"
#include "generators/error.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

namespace convsmith {
namespace {

std::vector<const autotune::MachineModel *> models_of(const Target &target) {
    std::vector<const autotune::MachineModel *> models;
    for (const autotune::MachineModel &model : autotune::machine_model_table()) {
        if (model.executes(target))
            models.push_back(&model);
    }
    if (models.empty())
        throw Error(ErrorCode::Unsupported, "no machine model for target " + target.name);
    return models;
}

struct Judged {
    Plan plan;
    autotune::Loop loop;
};

Judged judge(const StaticLayer &layer, const Target &target, const Params &params) {
    const ConvDesc desc = ConvDesc::parse(layer.key);
    PlanRequest request;
    request.accuracy = layer.accuracy;
    request.params = params;
    const Plan plan = make_plan(desc, target, request).plan;
    return {plan, autotune::hot_loop(autotune::assembly_of(desc, plan))};
}

void print_row(const StaticLayer &layer, const Judged &judged, const Target &target) {
    const autotune::Loop &loop = judged.loop;
    const int instructions = static_cast<int>(loop.instructions.size()), arithmetic = loop.arithmetic();
    const int other = instructions - arithmetic - loop.loads();
    fmt::print("| {} | `{}` | {} | {} | {} | {} | {} | {:.2f} |", layer.name, judged.plan.text(),
               loop.multiply_adds(), arithmetic - loop.multiply_adds(), loop.loads(), other,
               loop.stack_accesses(), static_cast<double>(instructions) / arithmetic);
    for (const autotune::MachineModel *model : models_of(target))
        fmt::print(" {:.0f} % |",
                   100 * arithmetic / model->multiply_adds / autotune::modelled_cycles(loop, *model));
    fmt::print("\n");
    std::fflush(stdout);
}

void print_table(const std::vector<StaticLayer> &rows, const Target &target, const Params &params) {
    fmt::print("| layer | plan | multiply-adds | other arithmetic | loads | else | spills | instructions per "
               "arithmetic one |");
    const std::vector<const autotune::MachineModel *> models = models_of(target);
    for (const autotune::MachineModel *model : models)
        fmt::print(" {} |", model->cpu);
    fmt::print("\n|---|---|");
    for (size_t i = 0; i < 6 + models.size(); i++)
        fmt::print("---:|");
    fmt::print("\n");
    for (const StaticLayer &layer : rows)
        print_row(layer, judge(layer, target, params), target);
}

void print_loops(const std::vector<StaticLayer> &rows, const Target &target, const Params &params) {
    for (const StaticLayer &layer : rows) {
        const Judged judged = judge(layer, target, params);
        fmt::print("{}\n{}\n{}", layer.key, judged.plan.text(), judged.loop.text());
    }
}

int run(int argc, char **argv) {
    CLI::App app("Judge a target's schedules by LLVM's machine models");
    std::string target_name = "arm_neon";
    std::vector<std::string> keys, numbers;
    bool shows_loops = false, is_fast = false;
    app.add_option("KEY", keys, "Descriptor keys instead of the table's layers");
    app.add_option("--target", target_name, "Target class or string")->capture_default_str();
    app.add_option("--param", numbers, "Number of the schedule, e.g. tile_p=4; repeatable")
        ->allow_extra_args(false);
    app.add_flag("--fast", is_fast, "Allow Winograd for keys");
    app.add_flag("--loops", shows_loops, "Print the loops instead of the table");
    CLI11_PARSE(app, argc, argv);
    Params params;
    for (const std::string &number : numbers) {
        const size_t equals = number.find('=');
        if (equals == std::string::npos)
            throw Error(ErrorCode::BadArgument, "--param: got '" + number + "', want NAME=N");
        params[number.substr(0, equals)] = std::stoi(number.substr(equals + 1));
    }
    const std::vector<StaticLayer> rows = static_layers(keys, is_fast ? Accuracy::Fast : Accuracy::Exact);
    const Target target = parse_target(target_name);
    shows_loops ? print_loops(rows, target, params) : print_table(rows, target, params);
    return 0;
}

} // namespace
} // namespace convsmith

int main(int argc, char **argv) {
    try {
        return convsmith::run(argc, argv);
    } catch (const std::exception &e) {
        std::fprintf(stderr, "convsmith_static: %s\n", e.what());
        return 1;
    }
}
