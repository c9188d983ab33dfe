// The driver's entries for modules, launches, streams and events (cuda_api.h). A launch has ended when
// cuLaunchKernel returns, with the kernel's fault if it has one.
#include "tests/emulated/ptx/driver.h"

#include "tests/emulated/ptx/device.h"

#include <algorithm>
#include <cstring>

using namespace convsmith::ptx;

namespace {

void load_module(Driver &driver, CUcontext context, CUmodule *module, const void *image) {
    check_pointer(module, "the module");
    check_pointer(image, "the module's image");
    auto loaded = std::make_unique<CUmod_st>();
    loaded->context = context;
    try {
        loaded->module = parse_module(static_cast<const char *>(image), driver.memory, loaded.get());
    } catch (const Fault &) {
        driver.memory.free_all_of(loaded.get());
        throw;
    }
    *module = driver.modules.add(std::move(loaded));
}

/// "kernel name: 2000 threads in a block, at most 1024".
[[noreturn]] void refuse(Status status, const Kernel &kernel, std::uint64_t got, const char *what,
                         std::uint64_t most) {
    throw Fault(status, "launch of kernel " + kernel.name + ": " + std::to_string(got) + " " + what +
                            ", at most " + std::to_string(most));
}

void check_extent(const Kernel &kernel, const Extent &got, const Extent &most, const char *what) {
    const std::pair<std::uint32_t, std::uint32_t> sides[] = {
        {got.x, most.x}, {got.y, most.y}, {got.z, most.z}};
    for (const auto &[side, limit] : sides) {
        if (side == 0)
            throw Fault(Status::InvalidValue,
                        "launch of kernel " + kernel.name + ": no " + what + ", " + got.text());
        if (side > limit)
            refuse(Status::InvalidValue, kernel, side, what, limit);
    }
}

void check_launch(const CUfunc_st &function, const Launch &launch) {
    const Kernel &kernel = *function.kernel;
    check_extent(kernel, launch.grid, {kMaxGridX, kMaxGridY, kMaxGridZ}, "blocks along one side of the grid");
    check_extent(kernel, launch.block, {kMaxBlockX, kMaxBlockY, kMaxBlockZ},
                 "threads along one side of a block");
    const std::uint64_t threads = launch.block.count();
    if (threads > kMaxThreads)
        refuse(Status::InvalidValue, kernel, threads, "threads in a block", kMaxThreads);
    if (threads > kernel.max_threads)
        refuse(Status::LaunchOutOfResources, kernel, threads, "threads in a block of a kernel that allows",
               kernel.max_threads);
    const std::uint64_t shared = std::uint64_t{kernel.shared_bytes} + launch.dynamic_shared_bytes;
    const std::uint64_t most_shared = std::uint64_t{kernel.shared_bytes} + function.max_dynamic_shared;
    if (shared > most_shared)
        refuse(Status::InvalidValue, kernel, shared, "bytes of shared memory", most_shared);
}

std::vector<std::byte> copy_parameters(const Kernel &kernel, void **parameters, void **extra) {
    if (extra)
        throw Fault(Status::NotSupported,
                    "launch of kernel " + kernel.name + " with parameters in a buffer (`extra`)");
    std::vector<std::byte> bytes(kernel.parameter_bytes);
    if (kernel.parameters.empty())
        return bytes;
    check_pointer(parameters, "the array of parameters");
    for (std::size_t i = 0; i < kernel.parameters.size(); i++) {
        check_pointer(parameters[i], kernel.parameters[i].name.c_str());
        std::memcpy(bytes.data() + kernel.parameters[i].offset, parameters[i], kernel.parameters[i].bytes);
    }
    return bytes;
}

/// Values of CUfunction_attribute.
constexpr int kMaxThreadsAttribute = 0;
constexpr int kStaticSharedAttribute = 1;
constexpr int kConstantAttribute = 2;
constexpr int kLocalAttribute = 3;
constexpr int kPtxVersionAttribute = 5;
constexpr int kBinaryVersionAttribute = 6;
constexpr int kMaxDynamicSharedAttribute = 8;
constexpr int kSharedCarveoutAttribute = 9;

} // namespace

// NOLINTBEGIN(readability-identifier-naming): CUDA's names

CUresult cuModuleLoadData(CUmodule *module, const void *image) {
    return answer_in_context(
        [&](Driver &driver, CUcontext context) { load_module(driver, context, module, image); });
}

/// Options of the device's compiler have no meaning here.
CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned, int *, void **) {
    return cuModuleLoadData(module, image);
}

/// A module knows its context. Halide's runtime has none current when it unloads modules at the process's
/// end.
CUresult cuModuleUnload(CUmodule module) {
    return answer_initialised([&](Driver &driver) {
        driver.modules.at(module, "module");
        driver.unload(module);
    });
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
    return answer_in_context([&](Driver &driver, CUcontext context) {
        check_pointer(function, "the function");
        check_pointer(name, "the function's name");
        driver.modules.at(module, "module");
        CUfunction &known = module->functions[name];
        for (const auto &kernel : module->module.kernels) {
            if (!known && kernel->name == name) {
                const std::uint32_t most_shared = kMaxShared - std::min(kMaxShared, kernel->shared_bytes);
                known = driver.functions.add(
                    std::make_unique<CUfunc_st>(CUfunc_st{kernel.get(), context, most_shared}));
            }
        }
        if (!known)
            throw Fault(Status::NotFound, "the module has no kernel `" + std::string(name) + "`");
        *function = known;
    });
}

CUresult cuModuleGetGlobal_v2(CUdeviceptr *address, std::size_t *bytes, CUmodule module, const char *name) {
    return answer_in_context([&](Driver &driver, CUcontext) {
        check_pointer(name, "the variable's name");
        driver.modules.at(module, "module");
        for (const Variable &variable : module->module.variables) {
            if (variable.name != name)
                continue;
            if (address)
                *address = variable.address;
            if (bytes)
                *bytes = variable.bytes;
            return;
        }
        throw Fault(Status::NotFound, "the module has no variable `" + std::string(name) + "`");
    });
}

CUresult cuFuncGetAttribute(int *value, int attribute, CUfunction function) {
    return answer_in_context([&](Driver &driver, CUcontext) {
        check_pointer(value, "the value");
        const Kernel &kernel = *driver.functions.at(function, "function").kernel;
        switch (attribute) {
        case kMaxThreadsAttribute:
            *value = static_cast<int>(kernel.max_threads);
            break;
        case kStaticSharedAttribute:
            *value = static_cast<int>(kernel.shared_bytes);
            break;
        case kLocalAttribute:
            *value = static_cast<int>(kernel.local_bytes);
            break;
        case kPtxVersionAttribute:
        case kBinaryVersionAttribute:
            *value = 10 * kComputeMajor + kComputeMinor;
            break;
        case kMaxDynamicSharedAttribute:
            *value = static_cast<int>(function->max_dynamic_shared);
            break;
        case kConstantAttribute:
            *value = 0;
            break;
        default: // such as the number of registers, which a compiler would choose
            throw Fault(Status::NotSupported,
                        "function attribute " + std::to_string(attribute) + " is not known");
        }
    });
}

CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value) {
    return answer_in_context([&](Driver &driver, CUcontext) {
        const Kernel &kernel = *driver.functions.at(function, "function").kernel;
        if (attribute == kSharedCarveoutAttribute)
            return; // a hint
        if (attribute != kMaxDynamicSharedAttribute)
            throw Fault(Status::InvalidValue,
                        "function attribute " + std::to_string(attribute) + " cannot be set");
        if (value < 0 || static_cast<std::uint64_t>(value) + kernel.shared_bytes > kMaxSharedOptIn)
            throw Fault(Status::InvalidValue,
                        "kernel " + kernel.name + ": " + std::to_string(value) +
                            " bytes of dynamic shared memory beside " + std::to_string(kernel.shared_bytes) +
                            " static ones, at most " + std::to_string(kMaxSharedOptIn) + " together");
        function->max_dynamic_shared = static_cast<std::uint32_t>(value);
    });
}

CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                        unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                        CUstream stream, void **parameters, void **extra) {
    return answer_in_context([&](Driver &driver, CUcontext context) {
        const CUfunc_st &callee = driver.functions.at(function, "function");
        if (callee.context != context)
            throw Fault(Status::InvalidContext,
                        "kernel " + callee.kernel->name + " belongs to another context");
        driver.check_stream(stream);
        Launch launch;
        launch.kernel = callee.kernel;
        launch.grid = {grid_x, grid_y, grid_z};
        launch.block = {block_x, block_y, block_z};
        launch.dynamic_shared_bytes = shared_bytes;
        check_launch(callee, launch);
        launch.parameters = copy_parameters(*callee.kernel, parameters, extra);
        driver.machine.run(launch);
    });
}

CUresult cuStreamCreate(CUstream *stream, unsigned) {
    return answer_in_context([&](Driver &driver, CUcontext context) {
        check_pointer(stream, "the stream");
        *stream = driver.streams.add(std::make_unique<CUstream_st>(CUstream_st{context}));
    });
}

CUresult cuStreamDestroy_v2(CUstream stream) {
    return answer_in_context([&](Driver &driver, CUcontext) {
        driver.streams.at(stream, "stream");
        driver.streams.erase(stream);
    });
}

CUresult cuStreamQuery(CUstream stream) {
    return answer_in_context([&](Driver &driver, CUcontext) { driver.check_stream(stream); });
}

CUresult cuStreamSynchronize(CUstream stream) {
    return answer_in_context([&](Driver &driver, CUcontext) { driver.check_stream(stream); });
}

CUresult cuEventCreate(CUevent *event, unsigned) {
    return answer_in_context([&](Driver &driver, CUcontext context) {
        check_pointer(event, "the event");
        auto created = std::make_unique<CUevent_st>();
        created->context = context;
        *event = driver.events.add(std::move(created));
    });
}

CUresult cuEventDestroy_v2(CUevent event) {
    return answer_in_context([&](Driver &driver, CUcontext) {
        driver.events.at(event, "event");
        driver.events.erase(event);
    });
}

CUresult cuEventRecord(CUevent event, CUstream stream) {
    return answer_in_context([&](Driver &driver, CUcontext) {
        driver.check_stream(stream);
        CUevent_st &recorded = driver.events.at(event, "event");
        recorded.is_recorded = true;
        recorded.time = std::chrono::steady_clock::now();
    });
}

CUresult cuEventQuery(CUevent event) {
    return answer_in_context([&](Driver &driver, CUcontext) { driver.events.at(event, "event"); });
}

CUresult cuEventSynchronize(CUevent event) {
    return cuEventQuery(event);
}

/// Time that the emulator took on the CPU, from which nothing follows for a device.
CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end) {
    return answer_in_context([&](Driver &driver, CUcontext) {
        check_pointer(milliseconds, "the time");
        const CUevent_st &first = driver.events.at(start, "event"), &last = driver.events.at(end, "event");
        if (!first.is_recorded || !last.is_recorded)
            throw Fault(Status::InvalidHandle, "an event that was not recorded");
        *milliseconds = std::chrono::duration<float, std::milli>(last.time - first.time).count();
    });
}

// NOLINTEND(readability-identifier-naming)
