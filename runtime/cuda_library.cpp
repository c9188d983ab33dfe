// See cuda_library.h.
#include "runtime/cuda_library.h"

#include "generators/error.h"
#include "schedules/gpu_driver.h"

namespace convsmith {

constexpr int kNotInitialized = 3; // CUDA_ERROR_NOT_INITIALIZED

using Lock = std::lock_guard<std::recursive_mutex>;

CudaLibrary &CudaLibrary::instance() {
    static CudaLibrary library;
    return library;
}

void CudaLibrary::emulate() {
    const Lock lock(mutex_);
    if (cuda_emulator().empty())
        throw Error(ErrorCode::Unsupported,
                    "no CUDA emulator: it is built with the tests; CONVSMITH_CUDA_EMULATOR may "
                    "name its libcuda.so.1");
    if (handle_ != nullptr && !is_emulated_)
        throw Error(ErrorCode::Unsupported,
                    "CUDA kernels of this process run on " + cuda_driver().device + " already");
    is_emulated_ = true;
}

bool CudaLibrary::is_emulated() {
    const Lock lock(mutex_);
    return is_emulated_;
}

void *CudaLibrary::load() {
    const Lock lock(mutex_);
    if (handle_ == nullptr) {
        const std::string name = is_emulated_ ? cuda_emulator() : cuda_driver().library;
        handle_ = name.empty() ? nullptr : dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    }
    return handle_;
}

void *CudaLibrary::primary_context(int &code) {
    const Lock lock(mutex_);
    code = 0;
    if (primary_context_ != nullptr)
        return primary_context_;
    constexpr int kFirstDevice = 0;
    const auto init = find<int (*)(unsigned)>("cuInit");
    const auto retain = find<int (*)(void **, int)>("cuDevicePrimaryCtxRetain");
    code = init == nullptr || retain == nullptr ? kNotInitialized : init(0);
    if (code == 0)
        code = retain(&primary_context_, kFirstDevice);
    return primary_context_;
}

std::string CudaLibrary::error_name(int code) {
    const auto name_of = find<int (*)(int, const char **)>("cuGetErrorName");
    const char *name = nullptr;
    return name_of != nullptr && name_of(code, &name) == 0 && name != nullptr ? name : "";
}

CudaContextScope::CudaContextScope(void *context) {
    static CudaFunction<int (*)(void *)> push("cuCtxPushCurrent_v2");
    if (context == nullptr)
        context = CudaLibrary::instance().primary_context(code_);
    if (code_ == 0)
        code_ = push.get() == nullptr ? kNotInitialized : push.get()(context);
}

CudaContextScope::~CudaContextScope() {
    static CudaFunction<int (*)(void **)> pop("cuCtxPopCurrent_v2");
    void *context = nullptr;
    if (code_ == 0 && pop.get() != nullptr)
        pop.get()(&context);
}

} // namespace convsmith
