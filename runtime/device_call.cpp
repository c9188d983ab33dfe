// Calls of GPU kernels (see device.h, device_call.h): the Halide runtime copies and launches; here is which
// context, stream and library it takes, and which tensors are copied.
#include "runtime/device_call.h"

#include "generators/error.h"
#include "runtime/cuda_library.h"
#include "runtime/device.h"
#include "runtime/pinned_memory.h"
#include "schedules/gpu_driver.h"

#include <HalideRuntimeCuda.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <dlfcn.h>
#include <optional>

namespace convsmith {
namespace {

thread_local DeviceStream current_stream;

int acquire_context(void *, void **context, bool) {
    int code = 0;
    *context = current_stream.context != nullptr ? current_stream.context
                                                 : CudaLibrary::instance().primary_context(code);
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
    using OnDevice = int(void *, halide_buffer_t *, const halide_device_interface_t *);
    using Address = uintptr_t(void *, halide_buffer_t *);
    using Wrap = int(void *, halide_buffer_t *, uint64_t, const halide_device_interface_t *);

    const halide_device_interface_t *cuda =
        find<const halide_device_interface_t *()>("halide_cuda_device_interface")();
    OnDevice *malloc = find<OnDevice>("halide_device_malloc");
    Address *address = find<Address>("halide_cuda_get_device_ptr");
    OnBuffer *copy_to_host = find<OnBuffer>("halide_copy_to_host");
    OnBuffer *free = find<OnBuffer>("halide_device_free");
    Wrap *wrap = find<Wrap>("halide_device_wrap_native");
    OnBuffer *detach = find<OnBuffer>("halide_device_detach_native");

    /// The runtime keeps freed memory for later calls, rounded up, in which the emulator would not see
    /// overruns.
    DeviceRuntime() {
        find<int(void *, bool)>("halide_reuse_device_allocations")(nullptr,
                                                                   !CudaLibrary::instance().is_emulated());
    }

    static const DeviceRuntime &instance() {
        static const DeviceRuntime runtime;
        return runtime;
    }
};

/// What the emulator says of the last fault; empty on a device.
std::string emulator_message() {
    CudaLibrary &cuda = CudaLibrary::instance();
    const auto message = cuda.find<const char *(*)()>("convsmith_cuda_emulator_message");
    const auto clear = cuda.find<void (*)()>("convsmith_cuda_emulator_clear");
    if (message == nullptr || clear == nullptr)
        return "";
    std::string text = message();
    clear();
    return text;
}

void check(int code, const char *what) {
    if (code == 0)
        return;
    std::string message = what;
    for (const std::string &part : {code > 0 ? CudaLibrary::instance().error_name(code) : "",
                                    take_reported_error(), emulator_message()})
        message += part.empty() ? "" : ": " + part;
    throw Error(ErrorCode::Internal, message);
}

/// Bytes from the first element that a kernel sees to the end of the last.
size_t bytes_seen(const halide_buffer_t &buffer) {
    size_t elements = 1;
    for (int i = 0; i < buffer.dimensions; i++)
        elements += static_cast<size_t>(buffer.dim[i].extent - 1) * buffer.dim[i].stride;
    return elements * buffer.type.bytes();
}

uint64_t address(const halide_buffer_t &buffer) {
    return DeviceRuntime::instance().address(nullptr, const_cast<halide_buffer_t *>(&buffer));
}

/// Calls a function of the driver's in the context of the call. Throws Error with `what` and CUDA's name.
template<typename Function, typename... Arguments>
void call_driver(CudaFunction<Function> &function, const char *what, Arguments... arguments) {
    const CudaContextScope scope(current_stream.context);
    check(scope.code(), "making the context current");
    if (function.get() == nullptr)
        throw Error(ErrorCode::Unsupported, fmt::format("{}: CUDA's driver is too old", what));
    check(function.get()(arguments...), what);
}

// Copies in the order of the call's stream. Halide's own are on the default stream, for which streams need
// not wait.

/// From host memory, which the device reads until wait_for_stream().
void upload_on_stream(const halide_buffer_t &to, const void *from) {
    static CudaFunction<int (*)(uint64_t, const void *, size_t, void *)> copy("cuMemcpyHtoDAsync_v2");
    call_driver(copy, "copying to the device", address(to), from, bytes_seen(to), current_stream.stream);
}

/// To host memory, which holds it after wait_for_stream().
void download_on_stream(void *to, const halide_buffer_t &from) {
    static CudaFunction<int (*)(void *, uint64_t, size_t, void *)> copy("cuMemcpyDtoHAsync_v2");
    call_driver(copy, "copying a result", to, address(from), bytes_seen(from), current_stream.stream);
}

/// Until all that is queued on the stream is done.
void wait_for_stream() {
    static CudaFunction<int (*)(void *)> synchronize("cuStreamSynchronize");
    call_driver(synchronize, "running a kernel on the device", current_stream.stream);
}

/// The buffers of one call, and the memory that they take on the device until it ends.
class CallBuffers {
public:
    explicit CallBuffers(const std::vector<DeviceArgument> &arguments)
        : arguments_(arguments), staged_(arguments.size()) {
        buffers_.reserve(arguments.size());
        for (const DeviceArgument &argument : arguments_) {
            buffers_.push_back(*argument.buffer);
            pointers_.push_back(&buffers_.back());
        }
    }

    ~CallBuffers() {
        if (is_copying_) { // a failure: others get the memory that is copied from
            try {
                wait_for_stream();
            } catch (const Error &) { // what failed is thrown already
            }
        }
        for (size_t i = 0; i < buffers_.size(); i++) {
            if (arguments_[i].copy == nullptr && buffers_[i].device != 0)
                (arguments_[i].is_on_device ? runtime_.detach : runtime_.free)(nullptr, &buffers_[i]);
        }
    }
    CallBuffers(const CallBuffers &) = delete;
    CallBuffers &operator=(const CallBuffers &) = delete;

    void **pointers() { return pointers_.data(); }

    /// Queues the copies of what the kernel reads.
    void upload() {
        for (size_t i = 0; i < buffers_.size(); i++) {
            halide_buffer_t &buffer = buffers_[i];
            if (arguments_[i].copy != nullptr) {
                arguments_[i].copy->lend(buffer);
            } else if (arguments_[i].is_on_device) {
                wrap(buffer);
            } else {
                is_copying_ = true;
                if (arguments_[i].is_written)
                    continue;
                void *const memory = stage(i);
                std::memcpy(memory, buffer.host, bytes_seen(buffer));
                check(runtime_.malloc(nullptr, &buffer, runtime_.cuda), "memory of the device");
                upload_on_stream(buffer, memory);
            }
        }
    }

    /// Brings what was written to the host; if the host has any of the tensors, waits for the stream.
    void download() {
        for (size_t i = 0; i < buffers_.size(); i++) {
            if (is_result(i) && is_dense(buffers_[i]))
                download_on_stream(stage(i), buffers_[i]);
        }
        if (is_copying_)
            wait_for_stream();
        is_copying_ = false;
        for (size_t i = 0; i < buffers_.size(); i++) {
            if (is_result(i) && is_dense(buffers_[i]))
                std::memcpy(buffers_[i].host, staged_[i]->data(), bytes_seen(buffers_[i]));
            else if (is_result(i)) // between elements of others: row by row
                check(runtime_.copy_to_host(nullptr, &buffers_[i]), "copying a result");
        }
    }

private:
    bool is_result(size_t i) const { return arguments_[i].is_written && !arguments_[i].is_on_device; }

    static bool is_dense(const halide_buffer_t &buffer) {
        return bytes_seen(buffer) == buffer.number_of_elements() * buffer.type.bytes();
    }

    /// Memory that argument `i` passes through between host and device.
    void *stage(size_t i) {
        staged_[i].emplace(bytes_seen(buffers_[i]));
        return staged_[i]->data();
    }

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
    std::vector<std::optional<PinnedMemory>> staged_;
    bool is_copying_ = false; ///< the host has tensors of the call, and it was not waited for
};

} // namespace

DeviceCopy::DeviceCopy(const halide_buffer_t &source) : buffer_(source) {
    std::copy(source.dim, source.dim + source.dimensions, dims_.begin());
    buffer_.dim = dims_.data();
    const DeviceRuntime &runtime = DeviceRuntime::instance();
    check(runtime.malloc(nullptr, &buffer_, runtime.cuda), "memory of the device");
    try {
        upload_on_stream(buffer_, source.host);
        wait_for_stream(); // other streams may use it
    } catch (const Error &) {
        runtime.free(nullptr, &buffer_);
        throw;
    }
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
    buffers.upload();
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
    if (wanted.rfind("libcuda", 0) == 0)
        return CudaLibrary::instance().load();
    return dlopen(name, RTLD_NOW | RTLD_LOCAL);
}

DeviceScope::DeviceScope(const DeviceStream &stream) : before_(current_stream) {
    current_stream = stream;
}

DeviceScope::~DeviceScope() {
    current_stream = before_;
}

void emulate_cuda() {
    CudaLibrary::instance().emulate();
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
    if (!CudaLibrary::instance().is_emulated())
        refuse(cuda_driver().missing);
}

} // namespace convsmith
