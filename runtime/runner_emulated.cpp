// The emulating runners: a static program with every job's kernel (static_program.h) runs where there is a
// CPU for it: arm-64-linux under qemu-user, AVX-512 on a machine that Bochs emulates; or where it can load
// what would clash with this process: OpenCL's implementations. Chosen by make_runner (runner.cpp).
#include "generators/error.h"
#include "runtime/frontend/file_io.h"
#include "runtime/process.h"
#include "runtime/runner.h"
#include "runtime/static_program.h"
#include "schedules/gpu_driver.h"

#include <fmt/format.h>

#include <fstream>

namespace convsmith {

namespace {

/// What differs between emulators.
struct Machine {
    const char *name;
    ProgramTarget target;
    /// The command that runs a program with two file arguments.
    std::vector<std::string> emulator;
};

class EmulatingRunner : public Runner {
public:
    explicit EmulatingRunner(Machine machine) : machine_(std::move(machine)), maker_(machine_.target) {}
    std::string name() const override { return machine_.name; }
    bool is_timing_real() const override { return false; }
    std::vector<RunResult> run(const std::vector<RunJob> &jobs) override;

private:
    Machine machine_;
    ProgramMaker maker_;
};

std::vector<RunResult> EmulatingRunner::run(const std::vector<RunJob> &jobs) {
    std::vector<RunResult> results(jobs.size());
    for (size_t next = 0; next < jobs.size();) {
        const ProgramBatch batch = maker_.compile(jobs, next, results);
        if (batch.jobs.empty())
            continue;
        const std::string outputs = maker_.file("outputs");
        std::vector<std::string> command = machine_.emulator;
        command.insert(command.end(), {maker_.link(batch), maker_.file("jobs"), outputs});
        write_file_atomically(maker_.file("jobs"), batch.input());
        const ProcessResult process = run_process(command);
        std::ifstream file(outputs, std::ios::binary);
        const std::string where = fmt::format("under {}", machine_.name);
        for (const size_t job : batch.jobs) {
            if (!read_result(file, jobs[job], where, results[job]))
                results[job].fail(RunFailure::Crash, where + ": " + process.text());
        }
    }
    return results;
}

} // namespace

std::unique_ptr<Runner> make_qemu_aarch64_runner() {
    const Machine machine = {
        "qemu-aarch64", {"arm-64-linux", "aarch64-linux-gnu-gcc", {"-static"}}, {"qemu-aarch64"}};
    for (const auto &[program, package] :
         {std::pair(machine.target.compiler, "gcc-aarch64-linux-gnu"), {machine.emulator[0], "qemu-user"}}) {
        if (!has_program(program))
            throw Error(
                ErrorCode::Unsupported,
                fmt::format("running arm-64-linux code here needs {}, which is not on PATH; install the "
                            "packages gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user (missing: "
                            "{})",
                            program, package));
    }
    return std::make_unique<EmulatingRunner>(machine);
}

std::unique_ptr<Runner> make_avx512_runner() {
    const std::string boot = avx512_emulator();
    if (boot.empty())
        throw Error(ErrorCode::Unsupported,
                    "running AVX-512 code here needs the emulated machine that tests/emulated/setup.sh of "
                    "convsmith's sources installs (Bochs, from Debian's packages)");
    if (!has_program("gcc"))
        throw Error(ErrorCode::Unsupported, "running AVX-512 code here needs gcc, which is not on PATH");
    return std::make_unique<EmulatingRunner>(
        Machine{"bochs-avx512", {"x86-64-linux", "gcc", {"-static"}}, {boot}});
}

std::unique_ptr<Runner> make_opencl_runner(const Target &target, const std::vector<std::string> &under) {
    const GpuDriver &driver = opencl_driver();
    if (!driver.is_there())
        throw Error(ErrorCode::Unsupported, "running OpenCL kernels here: " + driver.missing);
    if (!has_program("gcc"))
        throw Error(ErrorCode::Unsupported, "running OpenCL kernels here needs gcc, which is not on PATH");
    // Linked with the loader, which Halide's runtime would look for by the name of the development package.
    const ProgramTarget program = {
        target.platform() + "-opencl", "gcc", {"-Wl,--no-as-needed", "-l:" + driver.library}};
    return std::make_unique<EmulatingRunner>(Machine{"OpenCL", program, under});
}

} // namespace convsmith
