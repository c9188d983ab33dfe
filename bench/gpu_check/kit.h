// Libraries of GPU kernels as `convsmith build` wrote them, linked as shared libraries and loaded: what a
// machine with a GPU and nothing else needs of convsmith. Before it: scripts/gpu_check.sh, which makes them;
// after it: main.cpp.
#pragma once

#include "generators/signature.h"
#include "runtime/call_check.h"
#include "runtime/cuda_device.h"
#include "runtime/oracle.h"

#include <HalideRuntime.h>
#include <string>
#include <vector>

namespace convsmith::gpu_check {

/// A compiled layer.
struct KitKernel {
    std::string name; ///< the first layer that has it
    ConvDesc desc;
    Packing packing;
    std::string plan;
    int (*code)(void **) = nullptr; ///< takes pointers to halide_buffer_t
    double relative_error() const;  ///< as Plan::relative_error
};

/// One library: <directory>/manifest.json and <directory>/lib<name>.so, whose kernels run in the device's
/// context on its default stream.
class Kit {
public:
    /// Throws Error(Io) if something is missing.
    Kit(const std::string &directory, const CudaDevice &device);

    const std::vector<KitKernel> &kernels() const { return kernels_; }

    /// Throws Error with the runtime's words.
    void call(const KitKernel &kernel, std::vector<halide_buffer_t> &buffers) const;

    /// Lets the buffer be what lies on the device at the address that is its `host`.
    void wrap(halide_buffer_t &buffer) const;

private:
    void *find(const std::string &symbol) const;

    std::string directory_;
    void *library_ = nullptr;
    std::vector<KitKernel> kernels_;
};

/// The tensors of a kernel's call on the device, filled with a problem's.
class DeviceCall {
public:
    DeviceCall(const CudaDevice &device, const Kit &kit, const KitKernel &kernel, const Problem &problem);
    DeviceCall(const DeviceCall &) = delete;
    DeviceCall &operator=(const DeviceCall &) = delete;

    /// Queues the kernel.
    void run();

    /// What the oracle says of the output, of at most so many values of it (0: all).
    Judgement judge(int64_t max_points) const;

private:
    struct Place {
        TensorSpec spec;
        DeviceMemory memory;
    };
    void add(const TensorCheck &check, const TensorSpec &spec, const Tensor &values);
    Tensor download(TensorRole role, const std::vector<int64_t> &shape) const;

    const CudaDevice &device_;
    const Kit &kit_;
    const KitKernel &kernel_;
    const Problem &problem_;
    std::vector<Place> places_;
    std::vector<halide_buffer_t> buffers_;
    CallCheck check_; ///< has the dimensions that buffers point to
};

} // namespace convsmith::gpu_check
