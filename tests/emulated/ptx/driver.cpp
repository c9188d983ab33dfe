// The driver's entries for the device, contexts and errors, and those of emulator.h (cuda_api.h, driver.h).
#include "tests/emulated/ptx/driver.h"

#include "tests/emulated/ptx/device.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace convsmith::ptx {

namespace {

constexpr const char *kDeviceName = "convsmith PTX emulator";

struct AttributeRow {
    int attribute; ///< CUdevice_attribute
    int value;
};

/// What the emulator does not have, such as engines for copies, is 0; sizes of caches and the like are those
/// of the first device of the compute capability.
constexpr std::array<AttributeRow, 36> kAttributes = {{
    {1, kMaxThreads},       // MAX_THREADS_PER_BLOCK
    {2, kMaxBlockX},        // MAX_BLOCK_DIM_X
    {3, kMaxBlockY},        // MAX_BLOCK_DIM_Y
    {4, kMaxBlockZ},        // MAX_BLOCK_DIM_Z
    {5, kMaxGridX},         // MAX_GRID_DIM_X
    {6, kMaxGridY},         // MAX_GRID_DIM_Y
    {7, kMaxGridZ},         // MAX_GRID_DIM_Z
    {8, kMaxShared},        // MAX_SHARED_MEMORY_PER_BLOCK
    {9, 65536},             // TOTAL_CONSTANT_MEMORY
    {10, kLanes},           // WARP_SIZE
    {11, 0x7fff'ffff},      // MAX_PITCH
    {12, 65536},            // MAX_REGISTERS_PER_BLOCK
    {13, 1'410'000},        // CLOCK_RATE, kHz
    {14, 512},              // TEXTURE_ALIGNMENT
    {15, 0},                // GPU_OVERLAP
    {16, 108},              // MULTIPROCESSOR_COUNT
    {17, 0},                // KERNEL_EXEC_TIMEOUT
    {18, 0},                // INTEGRATED
    {19, 0},                // CAN_MAP_HOST_MEMORY
    {20, 0},                // COMPUTE_MODE
    {31, 0},                // CONCURRENT_KERNELS
    {32, 0},                // ECC_ENABLED
    {33, 0},                // PCI_BUS_ID
    {34, 0},                // PCI_DEVICE_ID
    {36, 1'215'000},        // MEMORY_CLOCK_RATE, kHz
    {37, 5120},             // GLOBAL_MEMORY_BUS_WIDTH, bits
    {38, 40 * 1024 * 1024}, // L2_CACHE_SIZE
    {39, 2048},             // MAX_THREADS_PER_MULTIPROCESSOR
    {40, 0},                // ASYNC_ENGINE_COUNT
    {41, 0},                // UNIFIED_ADDRESSING
    {75, kComputeMajor},    // COMPUTE_CAPABILITY_MAJOR
    {76, kComputeMinor},    // COMPUTE_CAPABILITY_MINOR
    {81, 164 * 1024},       // MAX_SHARED_MEMORY_PER_MULTIPROCESSOR
    {82, 65536},            // MAX_REGISTERS_PER_MULTIPROCESSOR
    {97, kMaxSharedOptIn},  // MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
    {106, 32},              // MAX_BLOCKS_PER_MULTIPROCESSOR
}};

} // namespace

Driver &Driver::instance() {
    static Driver *const driver = new Driver;
    return *driver;
}

ContextStack &ContextStack::instance() {
    thread_local ContextStack stack;
    return stack;
}

void ContextStack::push(CUcontext context) {
    if (size_ == contexts_.size())
        throw Fault(Status::OutOfMemory, "the calling thread's stack of contexts is full");
    contexts_[size_++] = context;
}

CUcontext Driver::current() {
    const CUcontext context = ContextStack::instance().current();
    if (!context)
        throw Fault(Status::InvalidContext, "the calling thread has no current context");
    check_context(context);
    return context;
}

void Driver::check_context(CUcontext context) const {
    if (contexts.count(context) == 0)
        throw Fault(Status::InvalidContext, "no context, or it is destroyed");
}

void Driver::check_device(CUdevice device) {
    if (device != 0)
        throw Fault(Status::InvalidDevice,
                    "there is no device " + std::to_string(device) + ", only device 0");
}

void Driver::check_stream(CUstream stream) const {
    constexpr std::uintptr_t last_default = 2; // null, CU_STREAM_LEGACY, CU_STREAM_PER_THREAD
    if (reinterpret_cast<std::uintptr_t>(stream) > last_default)
        streams.at(stream, "stream");
}

void Driver::unload(CUmodule module) {
    for (const auto &[name, function] : module->functions)
        functions.erase(function);
    memory.free_all_of(module);
    modules.erase(module);
}

void Driver::destroy(CUcontext context) {
    for (CUmodule module : modules.of(context))
        unload(module);
    for (CUstream stream : streams.of(context))
        streams.erase(stream);
    for (CUevent event : events.of(context))
        events.erase(event);
    memory.free_all_of(context);
    contexts.erase(context);
    if (ContextStack::instance().current() == context)
        ContextStack::instance().pop();
    if (context != &primary_context)
        delete context;
}

} // namespace convsmith::ptx

using namespace convsmith::ptx;

const char *convsmith_cuda_emulator_message() {
    Driver &driver = Driver::instance();
    const std::lock_guard<std::mutex> lock(driver.mutex);
    thread_local std::array<char, 4096> message; // without a destructor, like ContextStack
    message[driver.message.copy(message.data(), message.size() - 1)] = '\0';
    return message.data();
}

void convsmith_cuda_emulator_counts(ConvsmithCudaCounts *counts) {
    Driver &driver = Driver::instance();
    const std::lock_guard<std::mutex> lock(driver.mutex);
    *counts = driver.machine.counts;
}

void convsmith_cuda_emulator_clear() {
    Driver &driver = Driver::instance();
    const std::lock_guard<std::mutex> lock(driver.mutex);
    driver.message.clear();
    driver.machine.counts = {};
}

// NOLINTBEGIN(readability-identifier-naming): CUDA's names

CUresult cuInit(unsigned flags) {
    return answer([&](Driver &driver) {
        if (flags != 0)
            throw Fault(Status::InvalidValue, "the flags of cuInit must be 0");
        driver.is_initialised = true;
    });
}

CUresult cuDriverGetVersion(int *version) {
    return answer([&](Driver &) {
        check_pointer(version, "the version");
        *version = kDriverVersion;
    });
}

CUresult cuGetErrorName(CUresult error, const char **name) {
    if (!name)
        return static_cast<CUresult>(Status::InvalidValue);
    *name = status_name(error);
    return static_cast<CUresult>(*name ? Status::Success : Status::InvalidValue);
}

CUresult cuGetErrorString(CUresult error, const char **text) {
    if (!text)
        return static_cast<CUresult>(Status::InvalidValue);
    *text = status_text(error);
    return static_cast<CUresult>(*text ? Status::Success : Status::InvalidValue);
}

/// Unlike CUDA's, needs no current context: Halide's runtime has none when it stops the profiler at the
/// process's end, where a message would take the place of one that matters.
CUresult cuProfilerStop() {
    return answer_initialised([](Driver &) {});
}

CUresult cuDeviceGetCount(int *count) {
    return answer_initialised([&](Driver &) {
        check_pointer(count, "the count");
        *count = 1;
    });
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
    return answer_initialised([&](Driver &driver) {
        check_pointer(device, "the device");
        driver.check_device(ordinal);
        *device = 0;
    });
}

CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
    return answer_initialised([&](Driver &driver) {
        check_pointer(name, "the name");
        driver.check_device(device);
        if (length <= 0)
            throw Fault(Status::InvalidValue, "a name of no characters");
        const std::size_t kept = std::min(std::strlen(kDeviceName), static_cast<std::size_t>(length) - 1);
        std::memcpy(name, kDeviceName, kept);
        name[kept] = '\0';
    });
}

CUresult cuDeviceTotalMem_v2(std::size_t *bytes, CUdevice device) {
    return answer_initialised([&](Driver &driver) {
        check_pointer(bytes, "the size");
        driver.check_device(device);
        *bytes = Memory::kBytes;
    });
}

CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device) {
    return answer_initialised([&](Driver &driver) {
        check_pointer(value, "the value");
        driver.check_device(device);
        const auto *const row = std::find_if(kAttributes.begin(), kAttributes.end(),
                                             [&](const AttributeRow &r) { return r.attribute == attribute; });
        if (row == kAttributes.end())
            throw Fault(Status::InvalidValue,
                        "device attribute " + std::to_string(attribute) + " is not known");
        *value = row->value;
    });
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
    return answer_initialised([&](Driver &driver) {
        check_pointer(context, "the context");
        driver.check_device(device);
        driver.primary_uses++;
        driver.contexts.insert(&driver.primary_context);
        *context = &driver.primary_context;
    });
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    return answer_initialised([&](Driver &driver) {
        driver.check_device(device);
        if (driver.primary_uses == 0)
            throw Fault(Status::InvalidContext, "the primary context is not in use");
        if (--driver.primary_uses == 0)
            driver.destroy(&driver.primary_context);
    });
}

CUresult cuCtxCreate_v2(CUcontext *context, unsigned, CUdevice device) {
    return answer_initialised([&](Driver &driver) {
        check_pointer(context, "the context");
        driver.check_device(device);
        *context = new CUctx_st;
        driver.contexts.insert(*context);
        ContextStack::instance().push(*context);
    });
}

CUresult cuCtxDestroy_v2(CUcontext context) {
    return answer_initialised([&](Driver &driver) {
        driver.check_context(context);
        if (context == &driver.primary_context)
            throw Fault(Status::InvalidContext, "the primary context is released, not destroyed");
        driver.destroy(context);
    });
}

CUresult cuCtxPushCurrent_v2(CUcontext context) {
    return answer_initialised([&](Driver &driver) {
        driver.check_context(context);
        ContextStack::instance().push(context);
    });
}

CUresult cuCtxPopCurrent_v2(CUcontext *context) {
    return answer_initialised([&](Driver &driver) {
        const CUcontext current = driver.current();
        ContextStack::instance().pop();
        if (context)
            *context = current;
    });
}

CUresult cuCtxGetCurrent(CUcontext *context) {
    return answer_initialised([&](Driver &) {
        check_pointer(context, "the context");
        *context = ContextStack::instance().current();
    });
}

CUresult cuCtxSetCurrent(CUcontext context) {
    return answer_initialised([&](Driver &driver) {
        if (context)
            driver.check_context(context);
        ContextStack::instance().pop();
        if (context)
            ContextStack::instance().push(context);
    });
}

CUresult cuCtxGetDevice(CUdevice *device) {
    return answer_in_context([&](Driver &, CUcontext) {
        check_pointer(device, "the device");
        *device = 0;
    });
}

CUresult cuCtxGetApiVersion(CUcontext context, unsigned *version) {
    return answer_initialised([&](Driver &driver) {
        check_pointer(version, "the version");
        if (context)
            driver.check_context(context);
        else
            driver.current();
        *version = static_cast<unsigned>(kDriverVersion);
    });
}

/// Launches and copies are done when they return.
CUresult cuCtxSynchronize() {
    return answer_in_context([](Driver &, CUcontext) {});
}

// NOLINTEND(readability-identifier-naming)
