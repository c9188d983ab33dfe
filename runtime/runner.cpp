// Choice of the runner that fits a target.
#include "runtime/runner.h"
#include "runtime/device.h"

namespace convsmith {

std::unique_ptr<Runner> make_runner(const Target &target, const JitOptions &options) {
    switch (runner_for(target)) {
    case RunnerKind::Native:
        return make_native_runner(options);
    case RunnerKind::QemuAarch64:
        return make_qemu_aarch64_runner();
    case RunnerKind::BochsAvx512:
        return make_avx512_runner();
    case RunnerKind::CudaEmulator:
        return make_cuda_emulator_runner(options);
    case RunnerKind::OpenClProgram:
        return make_opencl_runner(target);
    case RunnerKind::None:
        break;
    }
    if (gpu_api(target) == GpuApi::OpenCl)
        return make_opencl_runner(target); // says what is missing
    if (is_gpu(target))
        require_runnable(target); // says what is missing
    if (target.platform().rfind("arm-64", 0) == 0) {
        throw Error(ErrorCode::Unsupported, "target " + target.halide +
                                                ": this machine cannot run it; install qemu-user-static and "
                                                "g++-aarch64-linux-gnu to emulate it");
    }
    if (avx512_emulator_runs(target))
        return make_avx512_runner(); // says what is missing
    throw Error(ErrorCode::Unsupported,
                "target " + target.halide +
                    ": this machine lacks its instructions and there is no emulator for it");
}

} // namespace convsmith
