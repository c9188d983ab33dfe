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

    /// Memory of the device, with `bytes` of the host's. Throws Error with CUDA's name of the failure.
    uint64_t upload(const void *host, size_t bytes) const;
    void download(void *host, uint64_t address, size_t bytes) const;
    void free(uint64_t address) const;
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

} // namespace convsmith
