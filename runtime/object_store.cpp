// Where compiled code comes from (see object_store.h). Everything that decides an object's bytes is in its
// key.
#include "runtime/object_store.h"

#include "generators/halide_compat.h"
#include "runtime/algorithm_hash.h"
#include "schedules/lower.h"

#include <fmt/format.h>

#include <cstdlib>
#include <functional>
#include <limits>

namespace convsmith {

/// How to get one object: its name, what its key says besides the versions, and how to compile it.
struct ObjectStore::Source {
    std::string symbol;
    std::string what;   ///< one line: "kernel KEY plan TEXT", "pack_f32_co16", "runtime"
    std::string target; ///< Halide target string or platform
    std::string platform;
    std::function<std::string()> compile;
};

namespace {

std::string cache_key(const std::string &what, const std::string &target) {
    prepare_halide();
    const char *llvm_args = std::getenv("HL_LLVM_ARGS"); // Halide hands them to LLVM's code generator
    return fmt::format("{}\ntarget {}\nhalide {}\nllvm {}\nllvm options {}\nalgorithm {}\n", what, target,
                       halide_version(), llvm_version(), llvm_args ? llvm_args : "", kAlgorithmHash);
}

} // namespace

ObjectStore::ObjectStore(const JitOptions &options) : pack_codes_(std::numeric_limits<size_t>::max()) {
    const CacheDirectory chosen = choose_cache_directory(options.cache_dir);
    if (chosen.path.empty()) {
        disk_note_ = "off: " + chosen.source;
        return;
    }
    try {
        disk_ = std::make_unique<KernelCache>(chosen.path, options.max_disk_bytes);
        disk_note_ = chosen.path;
    } catch (const Error &error) {
        if (chosen.is_explicit || error.code() != ErrorCode::Io)
            throw;
        disk_note_ = std::string("off: ") + error.what();
    }
}

std::string ObjectStore::object(const Source &source, bool &is_from_disk) {
    const std::string key = cache_key(source.what, source.target);
    is_from_disk = false;
    if (disk_) {
        if (std::optional<std::string> found = disk_->find(key)) {
            is_from_disk = true;
            return std::move(*found);
        }
    }
    std::string compiled = source.compile();
    if (disk_)
        disk_->store(key, compiled);
    return compiled;
}

std::shared_ptr<const LinkedKernel> ObjectStore::load(const Source &source, bool &is_from_disk) {
    const auto runtime_object = [&] {
        Source runtime;
        runtime.what = "runtime, constructed by a call";
        runtime.target = source.platform + kRuntimeFeatures;
        runtime.compile = [&] { return compile_runtime_object(source.platform); };
        bool ignored = false;
        return object(runtime, ignored);
    };
    return link_kernel(object(source, is_from_disk), source.symbol, runtime_object);
}

std::shared_ptr<const LinkedKernel> ObjectStore::conv_code(const ConvDesc &desc, const Plan &plan) {
    Source source;
    source.symbol = desc.key();
    source.what = "kernel " + source.symbol + "\nplan " + plan.text();
    source.target = plan.target.halide;
    source.platform = plan.target.platform();
    source.compile = [&] { return compile_object(lower_module(desc, plan, source.symbol), plan.target); };
    bool is_from_disk = false;
    std::shared_ptr<const LinkedKernel> code = load(source, is_from_disk);
    (is_from_disk ? disk_hits_ : compiled_)++;
    return code;
}

std::shared_ptr<const LinkedKernel> ObjectStore::pack_code(DType type, const Packing &packing,
                                                           const Target &target) {
    Source source;
    source.symbol = pack_key(type, packing);
    source.what = source.symbol;
    source.target = target.halide;
    source.platform = target.platform();
    source.compile = [&] {
        return compile_object(lower_pack_module(type, packing, target, source.symbol), target);
    };
    return pack_codes_.get(source.symbol + "\n" + target.halide, [&] {
        bool ignored = false;
        return load(source, ignored);
    });
}

void ObjectStore::report(JitStats &stats) const {
    stats.disk_hits = disk_hits_;
    stats.compiled = compiled_;
    stats.disk_cache = disk_note_;
    if (!disk_)
        return;
    stats.rejected_entries = disk_->rejected();
    stats.removed_entries = disk_->removed();
    stats.failed_stores = disk_->failed_stores();
}

} // namespace convsmith
