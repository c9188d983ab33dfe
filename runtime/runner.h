// Runner: where compiled code executes. check, tuner and tests take any runner; which one fits a target is
// decided by runner_for (schedules/target.h).
#pragma once

#include "runtime/kernel.h"
#include "runtime/oracle.h"
#include "schedules/plan.h"

#include <memory>
#include <string>
#include <vector>

namespace convsmith {

/// One kernel call: `problem` holds desc and inputs, `kernel_desc` the descriptor to compile (the same, or
/// with open extents that the problem's sizes fill).
struct RunJob {
    ConvDesc kernel_desc;
    PlanChoice choice;
    const Problem *problem = nullptr;
};

/// What kept a job from giving outputs.
enum class RunFailure {
    None,
    Compile,
    Crash, ///< the call's process died
    Timeout,
    Error, ///< the kernel, or a check of the runner's, said so
};

/// Outputs of a job, or why there are none. What the kernel leaves alone has all bits set.
struct RunResult {
    Tensor output;
    Tensor indices;    ///< only of a descriptor with indices
    std::string error; ///< empty if the kernel ran
    RunFailure failure = RunFailure::None;

    void fail(RunFailure kind, std::string text) {
        failure = kind;
        error = std::move(text);
    }
};

class Runner {
public:
    virtual ~Runner() = default;
    virtual std::string name() const = 0;

    /// Compiles and runs every job; a job that fails does not stop the others. Results are in job order.
    virtual std::vector<RunResult> run(const std::vector<RunJob> &jobs) = 0;

    /// False for emulators: their times must not be called times.
    virtual bool is_timing_real() const = 0;
};

/// JIT in this process with the kernel cache of `options`. Inputs and outputs lie against guard pages, so an
/// access outside a tensor is a crash; each job runs twice, against the page after its tensors and against
/// the one before.
std::unique_ptr<Runner> make_native_runner(const JitOptions &options = JitOptions());

/// The native runner with CUDA kernels on the emulator (emulate_cuda, runtime/device.h), which makes races,
/// overruns and uninitialised reads errors.
std::unique_ptr<Runner> make_cuda_emulator_runner(const JitOptions &options = JitOptions());

/// Cross-compiles a static program with every job's kernel and runs it under qemu-user.
std::unique_ptr<Runner> make_qemu_aarch64_runner();

/// Runs a static program with every job's kernel on an emulated machine with AVX-512 (avx512_emulator()). The
/// machine is booted once for a call of run(), which takes some 10 s.
std::unique_ptr<Runner> make_avx512_runner();

/// Runs a program with every job's kernel, which calls OpenCL: GPU kernels without a GPU where the
/// implementation is for CPUs, so that times mean nothing. `under` is put before the program's command, as
/// that of a simulator.
std::unique_ptr<Runner> make_opencl_runner(const Target &target, const std::vector<std::string> &under = {});

/// The runner for `target`; `options` are for a native one. Throws Error(Unsupported) that says what to
/// install if none fits.
std::unique_ptr<Runner> make_runner(const Target &target, const JitOptions &options = JitOptions());

} // namespace convsmith
