// See device_timing.h.
#include "autotune/device_timing.h"

#include "runtime/cuda_device.h"

#include <functional>
#include <map>
#include <utility>

namespace convsmith::autotune {

namespace {

/// One for the process: it stays the thread's context.
const CudaDevice &device() {
    static const CudaDevice kDevice;
    return kDevice;
}

size_t bytes_of(const TensorView &view) {
    return static_cast<size_t>(view.elements()) * dtype_bytes(view.dtype);
}

} // namespace

struct DeviceCall::State {
    std::shared_ptr<const PackedFilter> filter; ///< which `run` reads
    NamedTensors host;
    std::map<std::string, DeviceMemory> on_device;
    std::function<void()> run;
};

DeviceCall::DeviceCall(const std::shared_ptr<const Kernel> &kernel, const NamedTensors &tensors,
                       std::shared_ptr<const PackedFilter> filter) {
    const auto state = std::make_shared<State>();
    state->filter = std::move(filter);
    state->host = tensors;
    NamedTensors there;
    for (const auto &[name, view] : tensors) {
        const DeviceMemory &memory =
            state->on_device.emplace(name, DeviceMemory(device(), view.data, bytes_of(view))).first->second;
        TensorView &on_device = there[name];
        on_device = view;
        on_device.data = memory.address();
        on_device.is_on_device = true;
    }
    state->run = kernel->bind(there, *state->filter);
    state_ = state;
}

Contestant DeviceCall::contestant(const std::string &name) const {
    const auto block = [state = state_](int64_t calls) {
        constexpr double kNsPerMs = 1e6;
        return kNsPerMs * device().milliseconds([&] {
            for (int64_t i = 0; i < calls; i++)
                state->run();
        });
    };
    return {name, [block] { block(1); }, block};
}

void DeviceCall::fetch(const std::string &name) const {
    device().synchronize();
    state_->on_device.at(name).download(state_->host.get(name).data);
}

} // namespace convsmith::autotune
