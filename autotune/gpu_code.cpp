// See gpu_code.h. Launches are read from the lowered pipeline: calls of the Halide runtime with constant
// sizes.
#include "autotune/gpu_code.h"

#include "generators/error.h"
#include "generators/halide_compat.h"
#include "runtime/frontend/file_io.h"
#include "runtime/process.h"
#include "runtime/temp_dir.h"
#include "schedules/gpu/roofline.h"
#include "schedules/lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <regex>

namespace convsmith::autotune {
namespace {

/// Collects the calls of halide_cuda_run: (state, kernel, blocks x, y, z, threads x, y, z, shared bytes,
/// ...).
class LaunchReader : public Halide::Internal::IRVisitor {
public:
    std::vector<GpuLaunch> launches;

protected:
    using IRVisitor::visit;
    void visit(const Halide::Internal::Call *call) override {
        if (call->name == "halide_cuda_run")
            launches.push_back(read(call->args));
        IRVisitor::visit(call);
    }

private:
    static GpuLaunch read(const std::vector<Halide::Expr> &args) {
        GpuLaunch launch;
        size_t at = 0;
        while (at < args.size() && args[at].as<Halide::Internal::StringImm>() == nullptr)
            at++;
        CONVSMITH_CHECK(at + 7 < args.size());
        launch.kernel = args[at++].as<Halide::Internal::StringImm>()->value;
        for (int64_t &extent : launch.blocks)
            extent = constant(args[at++]);
        for (int64_t &extent : launch.threads)
            extent = constant(args[at++]);
        launch.shared_bytes = constant(args[at]);
        return launch;
    }

    static int64_t constant(const Halide::Expr &size) {
        const Halide::Expr simple = Halide::Internal::simplify(size);
        const int64_t *value = Halide::Internal::as_const_int(simple);
        if (value == nullptr)
            throw Error(ErrorCode::Unsupported, "a launch whose size is not constant");
        return *value;
    }
};

int64_t rounded_up(int64_t value, int64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

} // namespace

GpuCode gpu_code(const ConvDesc &desc, const Plan &plan) {
    if (gpu_api(plan.target) != GpuApi::Cuda)
        throw Error(ErrorCode::BadArgument, "target " + plan.target.halide + ": its kernels have no PTX");
    const Halide::Module module = lower_module(desc, plan, "kernel");
    GpuCode code;
    LaunchReader reader;
    for (const auto &function : module.functions())
        function.body.accept(&reader);
    code.launches = reader.launches;
    for (const auto &buffer : module.buffers()) {
        const auto *text = reinterpret_cast<const char *>(buffer.data());
        const std::string bytes(text, text + buffer.size_in_bytes());
        if (bytes.find(".version") != std::string::npos)
            code.ptx = bytes.c_str(); // ends with a zero
    }
    CONVSMITH_CHECK(!code.ptx.empty() && !code.launches.empty());
    return code;
}

std::string ptxas() {
    if (has_program("ptxas"))
        return "ptxas";
    const std::string installed = "/usr/local/cuda/bin/ptxas";
    std::error_code ignored;
    return std::filesystem::is_regular_file(installed, ignored) ? installed : "";
}

std::vector<AssembledKernel> assemble(const std::string &ptx, const std::string &architecture) {
    const TempDir directory;
    const std::string source = directory / "kernel.ptx";
    write_file_atomically(source, ptx);
    const ProcessResult result =
        run_process({ptxas(), "-v", "-arch=" + architecture, source, "-o", directory / "kernel.cubin"});
    if (!result.ok())
        throw Error(ErrorCode::Compile, "ptxas: " + result.text());
    std::vector<AssembledKernel> kernels;
    const std::regex begins("Function properties for (\\w+)");
    const std::regex memory("(\\d+) bytes stack frame, (\\d+) bytes spill stores, (\\d+) bytes spill loads");
    const std::regex registers("Used (\\d+) registers");
    std::smatch match;
    std::istringstream lines(result.output);
    for (std::string line; std::getline(lines, line);) {
        if (std::regex_search(line, match, begins))
            kernels.push_back({match[1]});
        if (kernels.empty())
            continue;
        if (std::regex_search(line, match, memory)) {
            kernels.back().stack_bytes = std::stoi(match[1]);
            kernels.back().spill_bytes = std::stoi(match[2]) + std::stoi(match[3]);
        }
        if (std::regex_search(line, match, registers))
            kernels.back().registers = std::stoi(match[1]);
    }
    if (kernels.empty())
        throw Error(ErrorCode::Compile, "ptxas names no kernel: " + result.text());
    return kernels;
}

double occupancy(const GpuLaunch &launch, int registers, const std::string &architecture) {
    constexpr int kWarp = 32, kRegisterUnit = 256, kSharedUnit = 1024, kReservedShared = 1024;
    const gpu::Multiprocessor &mp = gpu::multiprocessor(architecture);
    const int64_t warps = rounded_up(launch.block_threads(), kWarp) / kWarp;
    const int64_t of_registers = rounded_up(int64_t{registers} * kWarp, kRegisterUnit) * warps;
    const int64_t shared = rounded_up(launch.shared_bytes, kSharedUnit) + kReservedShared;
    const int64_t blocks =
        std::min({int64_t{mp.blocks}, mp.warps / warps, mp.registers / std::max<int64_t>(1, of_registers),
                  mp.shared_bytes / shared});
    return static_cast<double>(blocks * warps) / mp.warps;
}

} // namespace convsmith::autotune
