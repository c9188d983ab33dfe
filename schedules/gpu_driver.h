// The libraries that drive GPUs, found when they are asked for: nothing here needs one at build time or when
// a program starts. Before it: the machine; after it: target.h, which says what runs here, and
// runtime/device.h, which calls them.
#pragma once

#include <string>

namespace convsmith {

/// A driver on this machine.
struct GpuDriver {
    std::string library;      ///< for dlopen(); empty if there is none
    std::string device;       ///< name of the first device; of OpenCL that of an implementation
    std::string architecture; ///< of a CUDA device, as assemblers name it: "sm_90"
    int multiprocessors = 0;  ///< of a CUDA device
    std::string missing;      ///< why there is none: no library, no device, the driver's error

    bool is_there() const { return missing.empty(); }
};

/// NVIDIA's driver (libcuda.so.1). Looked for once.
const GpuDriver &cuda_driver();

/// The OpenCL loader (libOpenCL.so.1) and an implementation for it; one for CPUs counts. Looked for once.
const GpuDriver &opencl_driver();

/// A stand-in for NVIDIA's driver that executes PTX on the CPU and checks it: $CONVSMITH_CUDA_EMULATOR, else
/// the one that was built beside convsmith (tests/emulated/ptx). Empty if there is none.
std::string cuda_emulator();

} // namespace convsmith
