// NVIDIA's driver, or its stand-in, as this process calls it: loaded when first asked for. Internal to
// runtime. Before it: schedules/gpu_driver.h, which finds both; after it: device_call.h, pinned_memory.h.
#pragma once

#include <atomic>
#include <dlfcn.h>
#include <mutex>
#include <string>

namespace convsmith {

/// The one library that CUDA calls of this process go to.
class CudaLibrary {
public:
    static CudaLibrary &instance();

    /// From now on the library is cuda_emulator(). Throws Error(Unsupported) if there is none, or the driver
    /// has been loaded.
    void emulate();
    bool is_emulated();

    /// dlopen()'s handle; null if there is no library.
    void *load();

    /// A function of it; null if there is none.
    template<typename Function>
    Function find(const char *name) {
        void *const library = load();
        return library == nullptr ? nullptr : reinterpret_cast<Function>(dlsym(library, name));
    }

    /// The primary context of the first device, retained for good; null with CUDA's error in `code`.
    void *primary_context(int &code);

    /// CUDA's name of a status, such as CUDA_ERROR_ILLEGAL_ADDRESS; empty if it has none.
    std::string error_name(int code);

private:
    CudaLibrary() = default;

    std::recursive_mutex mutex_; ///< guards all below
    void *handle_ = nullptr;
    void *primary_context_ = nullptr;
    bool is_emulated_ = false;
};

/// A function of the library, looked up when it is first asked for and there.
template<typename Function>
class CudaFunction {
public:
    explicit constexpr CudaFunction(const char *name) : name_(name) {}

    /// Null if the library, or it, is not there.
    Function get() {
        Function found = found_;
        if (found == nullptr)
            found_ = found = CudaLibrary::instance().find<Function>(name_);
        return found;
    }

private:
    const char *name_;
    std::atomic<Function> found_ = nullptr;
};

/// Makes a context (CUcontext; null: the primary one) the thread's current one, as long as it lives.
class CudaContextScope {
public:
    explicit CudaContextScope(void *context);
    ~CudaContextScope();
    CudaContextScope(const CudaContextScope &) = delete;
    CudaContextScope &operator=(const CudaContextScope &) = delete;

    /// CUDA's error if it could not.
    int code() const { return code_; }

private:
    int code_ = 0;
};

} // namespace convsmith
