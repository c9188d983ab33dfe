// Calls of GPU kernels (see device.h, device_call.h): the Halide runtime copies and launches; here is which
// context, stream and library it takes, and which tensors are copied.
#include "runtime/device_call.h"

#include "generators/error.h"
#include "runtime/device.h"
#include "schedules/gpu_driver.h"

#include <HalideRuntimeCuda.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <dlfcn.h>
#include <mutex>

namespace convsmith {
namespace {

thread_local DeviceStream current_stream;

/// What CUDA calls of this process go to.
struct CudaLibrary {
    std::mutex mutex; ///< guards all below
    void *handle = nullptr;
    void *primary_context = nullptr;
    bool is_emulated = false;

    static CudaLibrary &instance() {
        static CudaLibrary library;
        return library;
    }

    /// With the mutex held.
    void *load() {
        if (handle == nullptr) {
            const std::string name = is_emulated ? cuda_emulator() : cuda_driver().library;
            handle = name.empty() ? nullptr : dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
        }
        return handle;
    }

    template<typename Function>
    Function find(const char *name) {
        return reinterpret_cast<Function>(dlsym(load(), name));
    }
};

/// The primary context of the first device, retained for good; null with CUDA's error code in `code`.
void *primary_context(int &code) {
    CudaLibrary &cuda = CudaLibrary::instance();
    const std::lock_guard<std::mutex> lock(cuda.mutex);
    code = 0;
    if (cuda.primary_context != nullptr)
        return cuda.primary_context;
    constexpr int kNotInitialized = 3, kFirstDevice = 0; // CUDA_ERROR_NOT_INITIALIZED
    const auto init = cuda.find<int (*)(unsigned)>("cuInit");
    const auto retain = cuda.find<int (*)(void **, int)>("cuDevicePrimaryCtxRetain");
    if (init == nullptr || retain == nullptr)
        code = kNotInitialized;
    if (code == 0)
        code = init(0);
    if (code == 0)
        code = retain(&cuda.primary_context, kFirstDevice);
    return cuda.primary_context;
}

int acquire_context(void *, void **context, bool) {
    int code = 0;
    *context = current_stream.context != nullptr ? current_stream.context : primary_context(code);
    return code;
}

int release_context(void *) {
    return 0;
}

int get_stream(void *, void *, void **stream) {
    *stream = current_stream.stream;
    return 0;
}

/// Functions of the process's Halide runtime, looked up once.
struct DeviceRuntime {
    template<typename Function>
    static Function *find(const char *name) {
        return reinterpret_cast<Function *>(runtime_function(name));
    }
    using OnBuffer = int(void *, halide_buffer_t *);
    using ToDevice = int(void *, halide_buffer_t *, const halide_device_interface_t *);
    using Wrap = int(void *, halide_buffer_t *, uint64_t, const halide_device_interface_t *);

    const halide_device_interface_t *cuda =
        find<const halide_device_interface_t *()>("halide_cuda_device_interface")();
    ToDevice *copy_to_device = find<ToDevice>("halide_copy_to_device");
    OnBuffer *copy_to_host = find<OnBuffer>("halide_copy_to_host");
    OnBuffer *free = find<OnBuffer>("halide_device_free");
    Wrap *wrap = find<Wrap>("halide_device_wrap_native");
    OnBuffer *detach = find<OnBuffer>("halide_device_detach_native");

    /// The runtime keeps freed memory for later calls, rounded up, in which the emulator would not see
    /// overruns.
    DeviceRuntime() {
        CudaLibrary &library = CudaLibrary::instance();
        const std::lock_guard<std::mutex> lock(library.mutex);
        find<int(void *, bool)>("halide_reuse_device_allocations")(nullptr, !library.is_emulated);
    }

    static const DeviceRuntime &instance() {
        static const DeviceRuntime runtime;
        return runtime;
    }
};

/// What the emulator says of the last fault; empty on a device.
std::string emulator_message() {
    CudaLibrary &cuda = CudaLibrary::instance();
    const std::lock_guard<std::mutex> lock(cuda.mutex);
    if (!cuda.is_emulated || cuda.handle == nullptr)
        return "";
    const auto message = cuda.find<const char *(*)()>("convsmith_cuda_emulator_message");
    const auto clear = cuda.find<void (*)()>("convsmith_cuda_emulator_clear");
    if (message == nullptr || clear == nullptr)
        return "";
    std::string text = message();
    clear();
    return text;
}

/// CUDA's name of a status that the Halide runtime passed on, such as CUDA_ERROR_ILLEGAL_ADDRESS; empty for
/// an error of Halide's own.
std::string cuda_error_name(int code) {
    CudaLibrary &cuda = CudaLibrary::instance();
    const std::lock_guard<std::mutex> lock(cuda.mutex);
    const auto name_of =
        cuda.handle == nullptr ? nullptr : cuda.find<int (*)(int, const char **)>("cuGetErrorName");
    const char *name = nullptr;
    return code > 0 && name_of != nullptr && name_of(code, &name) == 0 && name != nullptr ? name : "";
}

void check(int code, const char *what) {
    if (code == 0)
        return;
    std::string message = what;
    for (const std::string &part : {cuda_error_name(code), take_reported_error(), emulator_message()})
        message += part.empty() ? "" : ": " + part;
    throw Error(ErrorCode::Internal, message);
}

/// The buffers of one call, and the memory that they take on the device until it ends.
class CallBuffers {
public:
    explicit CallBuffers(const std::vector<DeviceArgument> &arguments) : arguments_(arguments) {
        buffers_.reserve(arguments.size());
        for (const DeviceArgument &argument : arguments_) {
            buffers_.push_back(*argument.buffer);
            halide_buffer_t &buffer = buffers_.back();
            pointers_.push_back(&buffer);
            if (argument.copy != nullptr)
                argument.copy->lend(buffer);
            else if (argument.is_on_device)
                wrap(buffer);
            else if (!argument.is_written)
                buffer.set_host_dirty();
        }
    }

    ~CallBuffers() {
        for (size_t i = 0; i < buffers_.size(); i++) {
            if (arguments_[i].copy == nullptr && buffers_[i].device != 0)
                (arguments_[i].is_on_device ? runtime_.detach : runtime_.free)(nullptr, &buffers_[i]);
        }
    }
    CallBuffers(const CallBuffers &) = delete;
    CallBuffers &operator=(const CallBuffers &) = delete;

    void **pointers() { return pointers_.data(); }

    /// Brings what was written to the host.
    void download() {
        for (size_t i = 0; i < buffers_.size(); i++) {
            if (arguments_[i].is_written && !arguments_[i].is_on_device)
                check(runtime_.copy_to_host(nullptr, &buffers_[i]), "copying a result");
        }
    }

private:
    void wrap(halide_buffer_t &buffer) const {
        const auto address = reinterpret_cast<uint64_t>(buffer.host);
        buffer.host = nullptr;
        check(runtime_.wrap(nullptr, &buffer, address, runtime_.cuda), "a tensor on the device");
        buffer.set_device_dirty(); // what it holds counts
    }

    const DeviceRuntime &runtime_ = DeviceRuntime::instance();
    const std::vector<DeviceArgument> &arguments_;
    std::vector<halide_buffer_t> buffers_;
    std::vector<void *> pointers_;
};

} // namespace

DeviceCopy::DeviceCopy(const halide_buffer_t &source) : buffer_(source) {
    std::copy(source.dim, source.dim + source.dimensions, dims_.begin());
    buffer_.dim = dims_.data();
    buffer_.set_host_dirty();
    const DeviceRuntime &runtime = DeviceRuntime::instance();
    check(runtime.copy_to_device(nullptr, &buffer_, runtime.cuda), "copying weights to the device");
}

DeviceCopy::~DeviceCopy() {
    DeviceRuntime::instance().free(nullptr, &buffer_);
}

void DeviceCopy::lend(halide_buffer_t &buffer) const {
    buffer.device = buffer_.device;
    buffer.device_interface = buffer_.device_interface;
    buffer.set_host_dirty(false);
}

void call_on_device(const LinkedKernel &code, const std::vector<DeviceArgument> &arguments) {
    CallBuffers buffers(arguments);
    check(code.try_call(buffers.pointers()), "running a kernel on the device");
    buffers.download();
}

std::vector<std::pair<const char *, void *>> device_overrides() {
    return {{"halide_cuda_acquire_context", reinterpret_cast<void *>(acquire_context)},
            {"halide_cuda_release_context", reinterpret_cast<void *>(release_context)},
            {"halide_cuda_get_stream", reinterpret_cast<void *>(get_stream)}};
}

void *load_device_library(const char *name) {
    const std::string wanted = name;
    if (wanted.rfind("libcuda", 0) == 0) {
        CudaLibrary &cuda = CudaLibrary::instance();
        const std::lock_guard<std::mutex> lock(cuda.mutex);
        return cuda.load();
    }
    return dlopen(name, RTLD_NOW | RTLD_LOCAL);
}

DeviceScope::DeviceScope(const DeviceStream &stream) : before_(current_stream) {
    current_stream = stream;
}

DeviceScope::~DeviceScope() {
    current_stream = before_;
}

void emulate_cuda() {
    CudaLibrary &cuda = CudaLibrary::instance();
    const std::lock_guard<std::mutex> lock(cuda.mutex);
    if (cuda_emulator().empty())
        throw Error(ErrorCode::Unsupported,
                    "no CUDA emulator: it is built with the tests; CONVSMITH_CUDA_EMULATOR may "
                    "name its libcuda.so.1");
    if (cuda.handle != nullptr && !cuda.is_emulated)
        throw Error(ErrorCode::Unsupported,
                    "CUDA kernels of this process run on " + cuda_driver().device + " already");
    cuda.is_emulated = true;
}

void require_runnable(const Target &target) {
    if (runs_natively(target))
        return;
    const auto refuse = [&](const std::string &why) {
        throw Error(ErrorCode::Unsupported,
                    fmt::format("target {} does not run on this machine: {}", target.halide, why));
    };
    if (!runs_natively(cpu_part(target)))
        refuse("the CPU lacks its instructions");
    if (gpu_api(target) == GpuApi::OpenCl)
        refuse("OpenCL kernels run in `convsmith check` only, in a program of their own");
    CudaLibrary &cuda = CudaLibrary::instance();
    const std::lock_guard<std::mutex> lock(cuda.mutex);
    if (!cuda.is_emulated)
        refuse(cuda_driver().missing);
}

} // namespace convsmith
