// See cuda_device.h.
#include "runtime/cuda_device.h"

#include "generators/error.h"
#include "runtime/cuda_library.h"
#include "schedules/gpu_driver.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace convsmith {

namespace {

// CUdevice_attribute
constexpr int kClockKilohertz = 13, kMultiprocessors = 16, kMajor = 75, kMinor = 76;

/// FP32 lanes of a multiprocessor, by compute capability.
int lanes(int major, int minor) {
    switch (major) {
    case 5:
    case 9:
    case 10:
    case 12:
        return 128;
    case 6:
        return minor == 0 ? 64 : 128;
    case 7:
        return 64;
    case 8:
        return minor == 0 ? 64 : 128;
    default:
        return 0;
    }
}

} // namespace

template<typename... Parameters, typename... Arguments>
void CudaDevice::call(const char *name, Arguments... arguments) const {
    const auto function = CudaLibrary::instance().find<int (*)(Parameters...)>(name);
    if (function == nullptr)
        throw Error(ErrorCode::Unsupported, fmt::format("CUDA's driver lacks {}", name));
    check(name, function(arguments...));
}

void CudaDevice::check(const char *what, int code) const {
    if (code == 0)
        return;
    const std::string name = CudaLibrary::instance().error_name(code);
    throw Error(ErrorCode::Internal, fmt::format("{}: {}", what, name.empty() ? std::to_string(code) : name));
}

CudaDevice::CudaDevice() {
    if (!cuda_driver().is_there() && !CudaLibrary::instance().is_emulated())
        throw Error(ErrorCode::Unsupported, "no CUDA device here: " + cuda_driver().missing);
    int code = 0;
    context_ = CudaLibrary::instance().primary_context(code);
    check("the primary context", code);
    call<int *, int>("cuDeviceGet", &device_, 0);
    std::array<char, 256> name = {};
    call<char *, int, int>("cuDeviceGetName", name.data(), static_cast<int>(name.size()), device_);
    name_ = name.data();
    call<void *>("cuCtxPushCurrent_v2", context_);
    for (void **event : {&start_, &end_})
        call<void **, unsigned>("cuEventCreate", event, 0U);
}

bool CudaDevice::is_emulated() const {
    return CudaLibrary::instance().find<void (*)()>("convsmith_cuda_emulator_counts") != nullptr;
}

int CudaDevice::attribute(int which) const {
    int value = 0;
    call<int *, int, int>("cuDeviceGetAttribute", &value, which, device_);
    return value;
}

std::string CudaDevice::capability() const {
    return fmt::format("{}.{}", attribute(kMajor), attribute(kMinor));
}

double CudaDevice::peak_flops() const {
    return 2.0 * lanes(attribute(kMajor), attribute(kMinor)) * attribute(kMultiprocessors) * 1e3 *
           attribute(kClockKilohertz);
}

void CudaDevice::synchronize() const {
    call<>("cuCtxSynchronize");
}

void CudaDevice::record(void *event) const {
    call<void *, void *>("cuEventRecord", event, nullptr);
}

double CudaDevice::elapsed() const {
    float milliseconds = 0;
    call<void *>("cuEventSynchronize", end_);
    call<float *, void *, void *>("cuEventElapsedTime", &milliseconds, start_, end_);
    return milliseconds;
}

DeviceMemory::DeviceMemory(const CudaDevice &device, const void *host, size_t bytes)
    : device_(device), bytes_(bytes) {
    device.call<uint64_t *, size_t>("cuMemAlloc_v2", &address_, bytes);
    device.call<uint64_t, const void *, size_t>("cuMemcpyHtoD_v2", address_, host, bytes);
}

DeviceMemory::~DeviceMemory() {
    if (address_ == 0)
        return;
    try {
        device_.call<uint64_t>("cuMemFree_v2", address_);
    } catch (const Error &) { // after a fault of a kernel nothing can be freed
    }
}

DeviceMemory::DeviceMemory(DeviceMemory &&other) noexcept
    : device_(other.device_), address_(std::exchange(other.address_, 0)), bytes_(other.bytes_) {}

void DeviceMemory::download(void *host) const {
    device_.call<void *, uint64_t, size_t>("cuMemcpyDtoH_v2", host, address_, bytes_);
}

} // namespace convsmith
