// See gpu_driver.h. Calls the few functions of each API that say whether there is a device.
#include "schedules/gpu_driver.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <utility>

namespace convsmith {
namespace {

/// A library that stays loaded.
class Library {
public:
    explicit Library(const char *name) : handle_(dlopen(name, RTLD_NOW | RTLD_LOCAL)) {}

    bool is_loaded() const { return handle_ != nullptr; }

    template<typename Function>
    Function find(const char *name) const {
        return reinterpret_cast<Function>(dlsym(handle_, name));
    }

private:
    void *handle_;
};

GpuDriver find_cuda() {
    constexpr const char *kName = "libcuda.so.1";
    GpuDriver driver;
    const Library library(kName);
    if (!library.is_loaded()) {
        driver.missing = fmt::format("{}, NVIDIA's driver, is not installed", kName);
        return driver;
    }
    const auto init = library.find<int (*)(unsigned)>("cuInit");
    const auto count_devices = library.find<int (*)(int *)>("cuDeviceGetCount");
    const auto get_device = library.find<int (*)(int *, int)>("cuDeviceGet");
    const auto get_name = library.find<int (*)(char *, int, int)>("cuDeviceGetName");
    const auto get_attribute = library.find<int (*)(int *, int, int)>("cuDeviceGetAttribute");
    const auto error_name = library.find<int (*)(int, const char **)>("cuGetErrorName");
    if (init == nullptr || count_devices == nullptr || get_device == nullptr || get_name == nullptr ||
        get_attribute == nullptr || error_name == nullptr) {
        driver.missing = fmt::format("{} lacks functions of the CUDA driver", kName);
        return driver;
    }
    int count = 0, device = 0, code = init(0);
    if (code == 0)
        code = count_devices(&count);
    if (code == 0 && count > 0)
        code = get_device(&device, 0);
    std::array<char, 128> name = {};
    if (code == 0 && count > 0)
        code = get_name(name.data(), static_cast<int>(name.size()) - 1, device);
    constexpr int kMultiprocessors = 16, kMajor = 75, kMinor = 76; // CUdevice_attribute
    int multiprocessors = 0, major = 0, minor = 0;
    for (const auto &[attribute, value] :
         {std::pair(kMultiprocessors, &multiprocessors), {kMajor, &major}, {kMinor, &minor}}) {
        if (code == 0 && count > 0)
            code = get_attribute(value, attribute, device);
    }
    const char *text = nullptr;
    if (code != 0 && (error_name(code, &text) != 0 || text == nullptr))
        text = "an unknown error";
    if (code != 0 || count == 0)
        driver.missing = code != 0 ? fmt::format("{} says {}", kName, text) : "CUDA has no device";
    if (!driver.missing.empty())
        return driver;
    driver.library = kName;
    driver.device = name.data();
    driver.architecture = fmt::format("sm_{}{}", major, minor);
    driver.multiprocessors = multiprocessors;
    return driver;
}

/// Without loading what the loader loads, which may bring an LLVM of its own.
GpuDriver find_opencl() {
    constexpr const char *kName = "libOpenCL.so.1", *kVendors = "/etc/OpenCL/vendors";
    GpuDriver driver;
    std::error_code ignored;
    for (const auto &file : std::filesystem::directory_iterator(kVendors, ignored)) {
        if (file.path().extension() == ".icd")
            driver.device = file.path().stem().string();
    }
    if (!Library(kName).is_loaded())
        driver.missing = fmt::format("{}, the OpenCL loader, is not installed", kName);
    else if (driver.device.empty())
        driver.missing = fmt::format("{} names no OpenCL implementation", kVendors);
    else
        driver.library = kName;
    return driver;
}

} // namespace

const GpuDriver &cuda_driver() {
    static const GpuDriver driver = find_cuda();
    return driver;
}

const GpuDriver &opencl_driver() {
    static const GpuDriver driver = find_opencl();
    return driver;
}

std::string cuda_emulator() {
    const char *named = std::getenv("CONVSMITH_CUDA_EMULATOR");
    const std::filesystem::path library =
        named != nullptr && *named != '\0' ? named : CONVSMITH_CUDA_EMULATOR;
    std::error_code ignored;
    return std::filesystem::is_regular_file(library, ignored) ? library.string() : "";
}

} // namespace convsmith
