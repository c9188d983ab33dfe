// The driver's state behind the interface: handles, device memory, the machine, the last message; and how an
// entry of the interface becomes a status. Before it: machine.h, cuda_api.h; after it: driver*.cpp, which
// define the entries.
#pragma once

#include "tests/emulated/ptx/cuda_api.h"
#include "tests/emulated/ptx/machine.h"

#include <array>
#include <chrono>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <vector>

// NOLINTBEGIN(readability-identifier-naming): CUDA's names
struct CUctx_st {};

struct CUfunc_st {
    const convsmith::ptx::Kernel *kernel;
    CUcontext context;
    std::uint32_t max_dynamic_shared; ///< bytes
};

struct CUmod_st {
    CUcontext context;
    convsmith::ptx::Module module;
    std::map<std::string, CUfunction> functions; ///< those asked for
};

struct CUstream_st {
    CUcontext context;
};

struct CUevent_st {
    CUcontext context;
    bool is_recorded = false;
    std::chrono::steady_clock::time_point time;
};
// NOLINTEND(readability-identifier-naming)

namespace convsmith::ptx {

/// The live objects of one kind; what is not among them is no handle.
template<typename Object>
class Handles {
public:
    Object *add(std::unique_ptr<Object> object) {
        Object *const handle = object.get();
        objects_[handle] = std::move(object);
        return handle;
    }
    bool has(Object *handle) const { return objects_.count(handle) != 0; }
    /// Throws InvalidHandle, naming `what`.
    Object &at(Object *handle, const char *what) const {
        if (!has(handle))
            throw Fault(Status::InvalidHandle, std::string("no ") + what + ", or it is destroyed");
        return *handle;
    }
    void erase(Object *handle) { objects_.erase(handle); }
    /// The handles of a context.
    std::vector<Object *> of(CUcontext context) const {
        std::vector<Object *> handles;
        for (const auto &[handle, object] : objects_) {
            if (object->context == context)
                handles.push_back(handle);
        }
        return handles;
    }

private:
    std::map<Object *, std::unique_ptr<Object>> objects_;
};

/// Page-locked memory of the host's.
struct HostBlock {
    std::unique_ptr<std::byte[]> memory;
    std::size_t bytes = 0;
};

class Driver {
public:
    /// Never destroyed: Halide's runtime calls while the process exits.
    static Driver &instance();

    /// The context of the calling thread. Throws InvalidContext if it has none, or a destroyed one.
    CUcontext current();
    /// Throws InvalidContext.
    void check_context(CUcontext context) const;
    /// Throws InvalidDevice.
    static void check_device(CUdevice device);
    /// Throws InvalidHandle. The default streams have no object.
    void check_stream(CUstream stream) const;
    void unload(CUmodule module);
    /// With all that belongs to it.
    void destroy(CUcontext context);

    std::mutex mutex;
    bool is_initialised = false;
    std::string message; ///< of the last fault

    Memory memory;
    Machine machine{memory};
    std::set<CUcontext> contexts;
    CUctx_st primary_context;
    int primary_uses = 0;
    Handles<CUmod_st> modules;
    Handles<CUfunc_st> functions;
    Handles<CUstream_st> streams;
    Handles<CUevent_st> events;
    std::map<void *, HostBlock> host_memory;
};

/// The contexts of a thread, the current one last. Has no destructor, which would run before Halide's runtime
/// calls for the last time.
class ContextStack {
public:
    /// That of the calling thread.
    static ContextStack &instance();

    /// nullptr: there is none.
    CUcontext current() const { return size_ == 0 ? nullptr : contexts_[size_ - 1]; }
    /// Throws OutOfMemory.
    void push(CUcontext context);
    void pop() { size_ -= size_ == 0 ? 0 : 1; }

private:
    std::array<CUcontext, 256> contexts_{};
    std::size_t size_ = 0;
};

/// Throws InvalidValue, naming `what`.
inline void check_pointer(const void *pointer, const char *what) {
    if (!pointer)
        throw Fault(Status::InvalidValue, std::string(what) + " is null");
}

/// Runs `action(driver)`, alone in the driver. Returns its fault's status and keeps its message, with the
/// entry's name.
template<typename Action>
CUresult answer(const Action &action, const char *entry = __builtin_FUNCTION()) {
    Driver &driver = Driver::instance();
    const std::lock_guard<std::mutex> lock(driver.mutex);
    const auto fail = [&](Status status, const std::string &message) {
        driver.message = std::string(entry) + ": " + message;
        return static_cast<CUresult>(status);
    };
    try {
        action(driver);
    } catch (const Fault &fault) {
        return fail(fault.status(), fault.what());
    } catch (const std::bad_alloc &) {
        return fail(Status::OutOfMemory, "the host has no memory left");
    } catch (const std::exception &error) {
        return fail(Status::Unknown, error.what());
    }
    return static_cast<CUresult>(Status::Success);
}

/// The same where cuInit must have been called.
template<typename Action>
CUresult answer_initialised(const Action &action, const char *entry = __builtin_FUNCTION()) {
    const auto checked = [&](Driver &driver) {
        if (!driver.is_initialised)
            throw Fault(Status::NotInitialized, "cuInit has not been called");
        action(driver);
    };
    return answer(checked, entry);
}

/// The same where the calling thread must have a current context, which `action` gets too.
template<typename Action>
CUresult answer_in_context(const Action &action, const char *entry = __builtin_FUNCTION()) {
    return answer_initialised([&](Driver &driver) { action(driver, driver.current()); }, entry);
}

} // namespace convsmith::ptx
