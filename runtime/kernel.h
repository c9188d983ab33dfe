// Kernels in the caller's process: compile (or fetch from cache), pack weights once, call many times.
// Public, free of Halide and LLVM. Behind it: planner -> lower -> object -> LLVM ORC (jit.cpp,
// kernel_cache.cpp).
#pragma once

#include "runtime/tensor.h"
#include "schedules/plan.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace convsmith {

class DeviceCopy; // of a tensor, in a GPU's memory

/// Memory order of weights given to Kernel::pack.
enum class FilterLayout {
    Oihw, ///< [co][ci / groups][k...], deconv [ci][co / groups][k...]: PyTorch, ONNX
    Hwio, ///< [k...][ci / groups][co], deconv [k...][co / groups][ci]: TensorFlow
    Ohwi, ///< [co][k...][ci / groups]: TensorFlow Lite
};

/// Weights packed for one kernel; usable with any kernel of the same plan packing, types and filter shapes.
/// Empty for an op without a filter. Those of a GPU's kernel lie on the device too.
class PackedFilter {
public:
    PackedFilter() = default;
    explicit PackedFilter(Packing packing) : packing_(packing) {}

    void add(const std::string &name, Tensor packed, std::shared_ptr<const DeviceCopy> on_device = nullptr) {
        parts_.push_back({name, std::move(packed), std::move(on_device)});
    }

    /// The packed filter called `name`; an empty tensor if there is none.
    const Tensor &tensor(std::string_view name = "filter") const;
    /// Its copy on the device; null if there is none.
    const DeviceCopy *device_copy(std::string_view name) const;
    const Packing &packing() const { return packing_; }

private:
    struct Part {
        std::string name;
        Tensor tensor;
        std::shared_ptr<const DeviceCopy> on_device;
    };
    const Part *find(std::string_view name) const;

    std::vector<Part> parts_;
    Packing packing_;
};

/// A compiled kernel. Immutable and re-entrant: any number of threads may call one kernel at once.
class Kernel {
public:
    virtual ~Kernel() = default;

    virtual const ConvDesc &desc() const = 0;
    virtual const PlanChoice &choice() const = 0;

    /// Weights in the order the kernel reads, made once per set of weights by a generated kernel. `filter` is
    /// 4-dimensional for 2D, etc. Throws Error(BadArgument) naming axis, got and want, or that the op has no
    /// filter.
    PackedFilter pack(const TensorView &filter, FilterLayout layout = FilterLayout::Oihw) const {
        return pack(NamedTensors{{"filter", filter}}, layout);
    }

    /// The same for a composite: its filters by the names of tensor_specs, "filter", "filter2", ...
    virtual PackedFilter pack(const NamedTensors &filters,
                              FilterLayout layout = FilterLayout::Oihw) const = 0;

    /// Computes the descriptor. `tensors` holds every tensor of tensor_specs(desc()) but the filter, by name:
    /// "input", "output", and what op and epilogue read or write beside them: "bias", "residual", "scale",
    /// "gate", "slope", "offset", "mask", "indices". Shapes are those of input_shape, output_shape, ...:
    /// [n][h][w][c] or [n][c][h][w] by the descriptor's layout. What is written must not overlap anything
    /// else. Checks every tensor first: Error(BadArgument) names tensor, axis, got, want. A kernel of a GPU's
    /// target copies tensors of the host to the device and back; see device.h for those that are there.
    virtual void run(const NamedTensors &tensors, const PackedFilter &filter = PackedFilter()) const = 0;

    /// For many calls with the same tensors: checks as run does, now; what is returned computes, as often as
    /// it is called, and looks at nothing again. It keeps the kernel's code; the tensors' and the filter's
    /// memory must stay where it is. One thread at a time may call it.
    virtual std::function<void()> bind(const NamedTensors &tensors,
                                       const PackedFilter &filter = PackedFilter()) const = 0;
};

/// Limits and places of the kernel cache, and what plans are made with.
struct JitOptions {
    /// Directory of the on-disk cache, shared between processes. Empty: $CONVSMITH_CACHE_DIR, else
    /// $XDG_CACHE_HOME/convsmith, else ~/.cache/convsmith. "-": no disk cache.
    std::string cache_dir;
    int64_t max_disk_bytes = 512ll << 20; ///< least recently used entries are removed beyond this
    int max_kernels = 256;                ///< loaded kernels kept in memory, least recently used dropped
    /// Tuning records to plan with, besides the user's and the shipped ones (docs/database.md): a file.
    /// Empty: convsmith_tuning.jsonl in the current directory, if there is one. "-": none at all.
    std::string records;
};

/// What happened so far. Hits and compilations count convolution kernels; the numbers on disk entries also
/// the small objects beside them (weight packing, the Halide runtime).
struct JitStats {
    int64_t memory_hits = 0;
    int64_t disk_hits = 0;
    int64_t compiled = 0;
    int64_t rejected_entries = 0; ///< damaged or foreign disk entries, rebuilt
    int64_t evicted = 0;          ///< kernels dropped from memory
    int64_t removed_entries = 0;  ///< disk entries removed to stay within max_disk_bytes
    int64_t failed_stores = 0;    ///< disk entries that could not be written
    std::string disk_cache;       ///< the directory in use, or "off: " and the reason
};

/// Compiles for this machine and keeps what it compiled. Thread-safe; concurrent requests for one kernel
/// compile it once.
class Jit {
public:
    /// Throws Error(BadArgument) for an illegal number, Error(Io) for a cache directory or a file of records
    /// that is named and cannot be used.
    explicit Jit(const JitOptions &options = JitOptions());
    ~Jit();
    Jit(const Jit &) = delete;
    Jit &operator=(const Jit &) = delete;

    /// The kernel for `desc` planned for host_target(). Where the request leaves them open, tuning records
    /// are those of JitOptions::records, read once, and threads are num_threads(). Throws Error.
    std::shared_ptr<const Kernel> kernel(const ConvDesc &desc, const PlanRequest &request = PlanRequest());

    /// The same for a plan already chosen (its target must run here: require_runnable of device.h).
    std::shared_ptr<const Kernel> kernel(const ConvDesc &desc, const PlanChoice &choice);

    JitStats stats() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// Threads used by every later kernel call of the process; 0 = one per core the process may run on. Several
/// callers at once share them: one has the workers, the others compute on their own thread.
void set_num_threads(int threads);

/// Threads that a kernel call uses now, at least 1.
int num_threads();

/// Gives back the scratch memory that JIT kernels keep for their next calls: about as much as the largest
/// call took. Any thread may call it at any time.
void release_workspace();

} // namespace convsmith
