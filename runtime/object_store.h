// Compiled code by key: from the disk cache or compiled now, linked into the process. Internal to runtime.
// Before it: lower.h, kernel_cache.h, orc_linker.h; after it: kernel.cpp (packing) and jit.cpp (kernels).
#pragma once

#include "runtime/kernel.h"
#include "runtime/kernel_cache.h"
#include "runtime/once_cache.h"
#include "runtime/orc_linker.h"

#include <atomic>
#include <memory>
#include <string>

namespace convsmith {

/// Thread-safe. Shared by a Jit and its kernels, so that a kernel can still pack weights when its Jit is
/// gone.
class ObjectStore {
public:
    /// Opens the disk cache. Throws Error(Io) if the user named its directory and it cannot be used.
    explicit ObjectStore(const JitOptions &options);

    /// Code of the kernel for `desc` and `plan`, linked anew at each call. Throws Error(Compile).
    std::shared_ptr<const LinkedKernel> conv_code(const ConvDesc &desc, const Plan &plan);

    /// Code that packs weights, linked once per type, packing and target.
    std::shared_ptr<const LinkedKernel> pack_code(DType type, const Packing &packing, const Target &target);

    /// Adds what this store knows to `stats`.
    void report(JitStats &stats) const;

private:
    struct Source;

    /// The object of `source` and whether it came from disk.
    std::string object(const Source &source, bool &is_from_disk);
    std::shared_ptr<const LinkedKernel> load(const Source &source, bool &is_from_disk);

    std::unique_ptr<KernelCache> disk_; ///< null: no disk cache
    std::string disk_note_;
    OnceCache<LinkedKernel> pack_codes_;
    std::atomic<int64_t> disk_hits_{0};
    std::atomic<int64_t> compiled_{0};
};

} // namespace convsmith
