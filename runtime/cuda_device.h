// A CUDA device as a program without CUDA's headers or libraries calls it: memory, events, facts. Before it:
// cuda_library.h; after it: what times kernels (autotune/device_timing.h, bench/gpu_check).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace convsmith {

/// The first device and its primary context, which is current on the thread from then on.
class CudaDevice {
public:
    /// Throws Error(Unsupported) if there is no driver or no device, and CUDA is not emulated (device.h).
    CudaDevice();
    CudaDevice(const CudaDevice &) = delete;
    CudaDevice &operator=(const CudaDevice &) = delete;

    const std::string &name() const { return name_; }
    void *context() const { return context_; }
    /// The stand-in that executes PTX on the CPU: its times mean nothing.
    bool is_emulated() const;
    /// "9.0"
    std::string capability() const;
    /// FP32 multiply-adds a second times 2, at the highest clock. Source: CUDA programming guide, throughput
    /// of arithmetic instructions. 0 for a device that it does not list.
    double peak_flops() const;

    /// Throws Error with CUDA's name of the failure, as all that follows.
    void synchronize() const;

    /// Milliseconds of the device for `work`, which queues kernels on the default stream.
    template<typename Work>
    double milliseconds(const Work &work) const {
        record(start_);
        work();
        record(end_);
        return elapsed();
    }

private:
    friend class DeviceMemory;
    template<typename... Parameters, typename... Arguments>
    void call(const char *name, Arguments... arguments) const;
    void check(const char *what, int code) const;
    int attribute(int which) const;
    void record(void *event) const;
    double elapsed() const;

    void *context_ = nullptr;
    void *start_ = nullptr, *end_ = nullptr; ///< events
    int device_ = 0;
    std::string name_;
};

/// Memory of the device, with a copy of the host's when it is made. The device must outlive it.
class DeviceMemory {
public:
    DeviceMemory(const CudaDevice &device, const void *host, size_t bytes);
    ~DeviceMemory();
    DeviceMemory(DeviceMemory &&other) noexcept;
    DeviceMemory(const DeviceMemory &) = delete;
    DeviceMemory &operator=(const DeviceMemory &) = delete;

    /// As the tensors of calls take it (TensorView::is_on_device).
    void *address() const { return reinterpret_cast<void *>(address_); }
    void download(void *host) const;

private:
    const CudaDevice &device_;
    uint64_t address_ = 0;
    size_t bytes_;
};

} // namespace convsmith
