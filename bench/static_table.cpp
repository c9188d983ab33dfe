// Judges a target's schedules without the machine: for layers of each class the hot loop of the default plan
// and how near LLVM's models of CPUs see it to their multiply-add rate, as a table in Markdown:
//   convsmith_static --target arm_neon > bench/static_arm.md
// Loop and models: autotune/hot_loop.h, autotune/machine_model.h.
#include "autotune/machine_model.h"
#include "generators/error.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

namespace convsmith {
namespace {

struct Layer {
    const char *name, *key;
    Accuracy accuracy = Accuracy::Exact;
};

/// Shapes of ResNet, VGG, MobileNet, GoogLeNet, ResNeXt, U-Net, WaveNet, C3D.
const std::vector<Layer> &layers() {
    static const std::vector<Layer> table = {
        {"3x3, 56x56", "conv_ci64_i56x56_co64_k3_p1_bias_relu"},
        {"3x3, 28x28", "conv_ci128_i28x28_co128_k3_p1_bias_relu"},
        {"3x3, 14x14", "conv_ci256_i14x14_co256_k3_p1_bias_relu"},
        {"3x3, 7x7", "conv_ci512_i7x7_co512_k3_p1_bias_relu"},
        {"3x3 stride 2", "conv_ci128_i56x56_co128_k3_s2_p1_bias_relu"},
        {"3x3 Winograd, 56x56", "conv_ci64_i56x56_co64_k3_p1_bias_relu", Accuracy::Fast},
        {"3x3 Winograd, 14x14", "conv_ci256_i14x14_co256_k3_p1_bias_relu", Accuracy::Fast},
        {"1x1, 56x56", "conv_ci64_i56x56_co256_k1_bias_relu"},
        {"1x1, 14x14", "conv_ci256_i14x14_co1024_k1_bias_relu"},
        {"1x1, 7x7", "conv_ci512_i7x7_co2048_k1_bias"},
        {"1x1, 24 channels", "conv_ci144_i56x56_co24_k1_bias"},
        {"1x1 stride 2", "conv_ci256_i56x56_co512_k1_s2_bias"},
        {"first layer 7x7 stride 2", "conv_ci3_i224x224_co64_k7_s2_p3_bias_relu"},
        {"first layer 3x3 stride 2", "conv_ci3_i224x224_co32_k3_s2_p1_bias_relu6"},
        {"5x5", "conv_ci16_i28x28_co32_k5_p2_bias_relu"},
        {"depthwise 3x3, 112x112", "conv_ci32_i112x112_co32_k3_p1_g32_bias_relu6"},
        {"depthwise 3x3, 56x56", "conv_ci144_i56x56_co144_k3_p1_g144_bias_relu6"},
        {"depthwise 3x3, 14x14", "conv_ci576_i14x14_co576_k3_p1_g576_bias_relu6"},
        {"depthwise 3x3, 7x7", "conv_ci960_i7x7_co960_k3_p1_g960_bias_relu6"},
        {"depthwise 3x3 stride 2", "conv_ci96_i112x112_co96_k3_s2_p1_g96_bias_relu6"},
        {"depthwise 5x5", "conv_ci120_i28x28_co120_k5_p2_g120_bias_relu"},
        {"depthwise 3x3, channels first", "conv_ci144_i56x56_co144_k3_p1_g144_nchw_bias_relu6"},
        {"32 groups", "conv_ci128_i56x56_co128_k3_p1_g32_bias_relu"},
        {"4 groups", "conv_ci64_i28x28_co64_k3_p1_g4"},
        {"transposed 2x2", "deconv_ci256_i28x28_co128_k2_s2_bias"},
        {"transposed 3x3", "deconv_ci64_i56x56_co64_k3_s2_p1_o1_bias"},
        {"deformable", "deform_ci64_i38x63_co64_k3_p2_d2_og4_mask_relu"},
        {"1D", "conv_ci64_i1000_co64_k9_p4_bias"},
        {"3D", "conv_ci32_i8x28x28_co64_k3x3x3_p1_bias"},
        {"depthwise and 1x1 fused", "conv_ci64_i112x112_co64_k3_p1_g64_relu6_then_conv_co128_k1_bias"},
        {"fully connected", "conv_ci512_i1x1_co1000_k1_bias"},
    };
    return table;
}

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

Judged judge(const Layer &layer, const Target &target, const Params &params) {
    const ConvDesc desc = ConvDesc::parse(layer.key);
    PlanRequest request;
    request.accuracy = layer.accuracy;
    request.params = params;
    const Plan plan = make_plan(desc, target, request).plan;
    return {plan, autotune::hot_loop(autotune::assembly_of(desc, plan))};
}

void print_row(const Layer &layer, const Judged &judged, const Target &target) {
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

void print_table(const std::vector<Layer> &rows, const Target &target, const Params &params) {
    fmt::print("| layer | plan | multiply-adds | other arithmetic | loads | else | spills | instructions per "
               "arithmetic one |");
    const std::vector<const autotune::MachineModel *> models = models_of(target);
    for (const autotune::MachineModel *model : models)
        fmt::print(" {} |", model->cpu);
    fmt::print("\n|---|---|");
    for (size_t i = 0; i < 6 + models.size(); i++)
        fmt::print("---:|");
    fmt::print("\n");
    for (const Layer &layer : rows)
        print_row(layer, judge(layer, target, params), target);
}

void print_loops(const std::vector<Layer> &rows, const Target &target, const Params &params) {
    for (const Layer &layer : rows) {
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
    std::vector<Layer> rows;
    for (const std::string &key : keys)
        rows.push_back({key.c_str(), key.c_str(), is_fast ? Accuracy::Fast : Accuracy::Exact});
    if (rows.empty())
        rows = layers();
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
