// Object code in this process: compiles Halide modules to objects in memory and links them with LLVM ORC.
// Internal to runtime; its .cpp is the only file that sees ORC. Before it: lower.h; after it: object_store.h.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace Halide {
class Module;
}

namespace convsmith {

struct Target;

/// The object code of `module` for CPUs of `target`'s class. Halide compiles one module at a time: concurrent
/// callers wait. Throws Error(Compile) with Halide's message.
std::string compile_object(const Halide::Module &module, const Target &target);

/// What the process's Halide runtime has beside the CPU's part; it looks for its driver when a kernel calls.
constexpr const char *kRuntimeFeatures = "-cuda";

/// The object code of the Halide runtime for a platform ("x86-64-linux"), which kernels are linked against.
std::string compile_runtime_object(const std::string &platform);

/// A kernel linked into this process. Its code is unloaded with the object; do not destroy it during a call.
class LinkedKernel {
public:
    /// The tensors of a call as an array of halide_buffer_t pointers; returns 0 or Halide's error code.
    using Entry = int (*)(void **);

    virtual ~LinkedKernel() = default;

    /// Calls the kernel. Throws Error(Internal) with Halide's message if the kernel reports an error.
    void call(void **buffers) const;

    /// The same, returning Halide's error code, 0 for none; take_reported_error() has its message.
    int try_call(void **buffers) const { return entry_(buffers); }

protected:
    Entry entry_ = nullptr;
};

/// The message that the Halide runtime last reported on this thread, once; empty if there was none.
std::string take_reported_error();

/// Links `object` and looks up `symbol`_argv. The process has one Halide runtime, linked first from the
/// object that `runtime_object` returns. Throws Error(Compile) if the object does not link.
std::shared_ptr<const LinkedKernel> link_kernel(const std::string &object, const std::string &symbol,
                                                const std::function<std::string()> &runtime_object);

/// A function of the process's Halide runtime, e.g. "halide_set_custom_malloc". Throws Error(Compile) if it
/// has none of that name, Error(Internal) before a kernel has been linked.
void *runtime_function(const std::string &name);

} // namespace convsmith
