// Calls of GPU kernels: tensors to the device and back. Internal to runtime. Before it: orc_linker.h,
// device.h; after it: kernel.cpp.
#pragma once

#include "runtime/orc_linker.h"
#include "runtime/tensor.h"

#include <HalideRuntime.h>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace convsmith {

/// A tensor's copy in the device's memory, uploaded when it is made.
class DeviceCopy {
public:
    /// `source` is the kernel's buffer of the tensor; its dimensions are copied.
    explicit DeviceCopy(const halide_buffer_t &source);
    ~DeviceCopy();
    DeviceCopy(const DeviceCopy &) = delete;
    DeviceCopy &operator=(const DeviceCopy &) = delete;

    /// Lets the kernel's buffer of the same tensor have it.
    void lend(halide_buffer_t &buffer) const;

private:
    halide_buffer_t buffer_ = {};
    std::array<halide_dimension_t, kMaxTensorRank> dims_ = {};
};

/// What becomes of a buffer of a call.
struct DeviceArgument {
    const halide_buffer_t *buffer = nullptr; ///< `host` is the tensor, wherever it lies
    bool is_on_device = false;               ///< `host` is an address of the device's
    bool is_written = false;
    const DeviceCopy *copy = nullptr; ///< used instead of the host's memory
};

/// Calls `code` with the buffers, in order, on the device. Throws Error with the driver's words.
void call_on_device(const LinkedKernel &code, const std::vector<DeviceArgument> &arguments);

/// What the Halide runtime takes from us, by name, instead of its own.
std::vector<std::pair<const char *, void *>> device_overrides();

/// Loads the libraries that the Halide runtime asks for: its halide_load_library.
void *load_device_library(const char *name);

} // namespace convsmith
