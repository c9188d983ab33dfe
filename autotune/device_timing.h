// A GPU's kernel timed on the device: all its tensors lie there, blocks of calls are queued and timed by the
// device's events, so that neither copies nor launches that hide behind kernels count. Before it:
// runtime/kernel.h, cuda_device.h; after it: KernelTimer (timer.h).
#pragma once

#include "autotune/measure.h"
#include "runtime/kernel.h"

#include <memory>
#include <string>

namespace convsmith::autotune {

/// The kernel as a contestant. `tensors` are the host's, copied now; what the kernel writes is not copied
/// back but by `fetch`. Throws Error(Unsupported) where there is no device, Error(Internal) with CUDA's name
/// of a failure.
class DeviceCall {
public:
    DeviceCall(const std::shared_ptr<const Kernel> &kernel, const NamedTensors &tensors,
               std::shared_ptr<const PackedFilter> filter);

    Contestant contestant(const std::string &name) const;

    /// Copies a tensor of the call from the device to the host's that was given.
    void fetch(const std::string &name) const;

private:
    struct State;
    std::shared_ptr<const State> state_; ///< shared with contestants
};

} // namespace convsmith::autotune
