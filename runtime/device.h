// GPU kernels in the caller's process: on which context and stream calls run, and the memory they take.
// Public, free of Halide and CUDA. Before it: kernel.h, whose kernels run on the device of their plan's
// target; after it: programs that have tensors on a device.
#pragma once

#include "schedules/target.h"

#include <string>

namespace convsmith {

/// Where calls of GPU kernels run: a CUcontext and a CUstream of it. Null context: the primary context of the
/// first device, which the CUDA runtime and PyTorch use too. Null stream: the context's default stream.
struct DeviceStream {
    void *context = nullptr;
    void *stream = nullptr;
};

/// As long as it lives, calls of GPU kernels on this thread (Kernel::pack, run, what bind returned) use
/// `stream`; the last one made counts. A call whose tensors all lie on the device (TensorView::is_on_device)
/// returns when its kernels are queued on the stream; one that reads or writes the host's memory returns when
/// that is done.
class DeviceScope {
public:
    explicit DeviceScope(const DeviceStream &stream);
    ~DeviceScope();
    DeviceScope(const DeviceScope &) = delete;
    DeviceScope &operator=(const DeviceScope &) = delete;

private:
    DeviceStream before_;
};

/// From now on CUDA kernels of this process run on the CPU, in cuda_emulator() (schedules/gpu_driver.h),
/// whose faults (races, overruns, uninitialised reads) become errors of the call. For tests: it is slow.
/// Throws Error(Unsupported) if there is no emulator, or CUDA kernels have run on a device already.
void emulate_cuda();

/// Throws Error(Unsupported), saying what is missing, unless this process can run kernels of the target: the
/// CPU has its instructions, and of a CUDA target a driver has a device, or CUDA is emulated. OpenCL kernels
/// run in programs of their own only (make_opencl_runner).
void require_runnable(const Target &target);

} // namespace convsmith
