// Judges the CUDA schedules without a GPU, as a table in Markdown: what NVIDIA's assembler makes of every
// kernel for three architectures, the warps that fit, and the model that plans are chosen by:
//   convsmith_static_cuda > bench/static_cuda.md
// Kernels and assembler: autotune/gpu_code.h; model: schedules/gpu/roofline.h.
#include "autotune/gpu_code.h"
#include "bench/static_layers.h"
#include "generators/error.h"
#include "schedules/gpu/roofline.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace convsmith {
namespace {

const std::vector<std::string> kArchitectures = {"sm_80", "sm_86", "sm_90"};

/// "_kernel_output__7_s0_n___block_id_z" -> "output": Halide numbers what is called the same.
std::string short_name(const std::string &kernel) {
    const std::string prefix = "_kernel_";
    const size_t begin = kernel.rfind(prefix, 0) == 0 ? prefix.size() : 0;
    const std::string name = kernel.substr(begin, kernel.find("_s0", begin) - begin);
    return name.substr(0, name.find_last_not_of("_0123456789") + 1);
}

std::string sizes(const std::array<int64_t, 3> &extents) {
    std::string text = std::to_string(extents[0]);
    const size_t count = extents[2] > 1 ? 3 : extents[1] > 1 ? 2 : 1;
    for (size_t i = 1; i < count; i++)
        text += " x " + std::to_string(extents[i]);
    return text;
}

void print_layer(const StaticLayer &layer) {
    const ConvDesc desc = ConvDesc::parse(layer.key);
    PlanRequest request;
    request.accuracy = layer.accuracy;
    const Plan plan = make_plan(desc, parse_target("cuda"), request).plan;
    const autotune::GpuCode code = autotune::gpu_code(desc, plan);
    std::vector<std::vector<autotune::AssembledKernel>> assembled;
    for (const std::string &architecture : kArchitectures)
        assembled.push_back(autotune::assemble(code.ptx, architecture));
    std::string model = "-";
    if (const auto roofline = gpu::plan_roofline(desc, plan, gpu::planned_device()))
        model = fmt::format("{:.0f} %, {}", 100 * roofline->of_peak, roofline->bound);
    for (const autotune::GpuLaunch &launch : code.launches) {
        fmt::print("| {} | `{}` | {} | {} | {} | {} |", layer.name, plan.text(), short_name(launch.kernel),
                   sizes(launch.blocks), launch.block_threads(), launch.shared_bytes);
        for (size_t i = 0; i < kArchitectures.size(); i++) {
            const auto kernel = std::find_if(assembled[i].begin(), assembled[i].end(),
                                             [&](const auto &k) { return k.kernel == launch.kernel; });
            if (kernel == assembled[i].end())
                throw Error(ErrorCode::Internal, "the assembler did not name " + launch.kernel);
            fmt::print(" {}, {}, {:.0f} % |", kernel->registers, kernel->spill_bytes + kernel->stack_bytes,
                       100 * autotune::occupancy(launch, kernel->registers, kArchitectures[i]));
        }
        fmt::print(" {} |\n", launch.shared_bytes > 0 ? model : "-");
        std::fflush(stdout);
    }
}

int run(int argc, char **argv) {
    CLI::App app("Judge the CUDA schedules by NVIDIA's assembler and the planner's model");
    std::vector<std::string> keys;
    bool is_fast = false;
    app.add_option("KEY", keys, "Descriptor keys instead of the table's layers");
    app.add_flag("--fast", is_fast, "Allow Winograd for keys");
    CLI11_PARSE(app, argc, argv);
    if (autotune::ptxas().empty())
        throw Error(ErrorCode::Unsupported, "needs ptxas of the CUDA toolkit, on PATH or in its usual place");
    const std::vector<StaticLayer> rows = static_layers(keys, is_fast ? Accuracy::Fast : Accuracy::Exact);
    fmt::print("# CUDA kernels, judged without a GPU\n\n"
               "By `scripts/static_cuda.sh`. Nothing here was timed. For each architecture: registers of a "
               "thread, bytes "
               "of spills and stack,\nand the part of a multiprocessor's warps that fit. Model: the part of "
               "FP32 FMA "
               "peak of {} that the planner expects\n(`schedules/gpu/roofline.h`), of batch 1, and what "
               "bounds it; of "
               "kernels with the dense tile only.\n\n"
               "| layer | plan | kernel | blocks | threads | shared bytes | sm_80 | sm_86 | sm_90 | model |\n"
               "|---|---|---|---:|---:|---:|---:|---:|---:|---|\n",
               gpu::planned_device().name);
    for (const StaticLayer &layer : rows)
        print_layer(layer);
    return 0;
}

} // namespace
} // namespace convsmith

int main(int argc, char **argv) {
    try {
        return convsmith::run(argc, argv);
    } catch (const std::exception &e) {
        std::fprintf(stderr, "convsmith_static_cuda: %s\n", e.what());
        return 1;
    }
}
