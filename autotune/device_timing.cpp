// See device_timing.h.
#include "autotune/device_timing.h"

#include "generators/error.h"
#include "runtime/cuda_device.h"

#include <functional>
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
    std::shared_ptr<const Kernel> kernel;
    std::shared_ptr<const PackedFilter> filter;
    NamedTensors host, on_device;
    std::function<void()> run;

    State() = default;
    State(const State &) = delete;
    State &operator=(const State &) = delete;
    ~State() {
        run = nullptr;
        for (const auto &[name, view] : on_device) {
            try {
                device().free(reinterpret_cast<uint64_t>(view.data));
            } catch (const Error &) { // a failed call has taken the context with it
            }
        }
    }
};

DeviceCall::DeviceCall(std::shared_ptr<const Kernel> kernel, const NamedTensors &tensors,
                       std::shared_ptr<const PackedFilter> filter) {
    const auto state = std::make_shared<State>();
    state->kernel = std::move(kernel);
    state->filter = std::move(filter);
    state->host = tensors;
    for (const auto &[name, view] : tensors) {
        TensorView there = view;
        there.data = reinterpret_cast<void *>(device().upload(view.data, bytes_of(view)));
        there.is_on_device = true;
        state->on_device[name] = there;
    }
    state->run = state->kernel->bind(state->on_device, *state->filter);
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
    const TensorView &to = state_->host.get(name);
    device().synchronize();
    device().download(to.data, reinterpret_cast<uint64_t>(state_->on_device.get(name).data), bytes_of(to));
}

} // namespace convsmith::autotune
