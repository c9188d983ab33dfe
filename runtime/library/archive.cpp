// Archives through Halide (see archive.h). Kernels are compiled without runtime; the runtime is an archive of
// its own with weak symbols only, so that libraries of ours and foreign Halide libraries link together in any
// number.
#include "runtime/library/archive.h"

#include "generators/composite.h"
#include "generators/error.h"
#include "generators/halide_compat.h"
#include "runtime/frontend/file_io.h"
#include "runtime/library/data_object.h"
#include "runtime/library/pack_reference.h"
#include "runtime/library/runtime_object.h"
#include "schedules/lower.h"
#include "schedules/machine_code.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace convsmith::library {

namespace {

namespace fs = std::filesystem;

/// Writes objects into the scratch directory and remembers them; Halide's exceptions end here.
class ObjectWriter {
public:
    ObjectWriter(const Model &model, size_t platform, const fs::path &scratch)
        : model_(model), platform_(platform), scratch_(scratch) {}

    const Platform &platform() const { return model_.platforms[platform_]; }
    const std::vector<std::string> &files() const { return files_; }

    void kernel(const KernelEntry &kernel);
    void pack_kernels();
    void baked(const LayerEntry &layer);

private:
    std::string new_file(const std::string &stem) {
        const std::string file = (scratch_ / (stem + ".o")).string();
        CONVSMITH_CHECK(std::find(files_.begin(), files_.end(), file) == files_.end());
        return file;
    }
    void data(const std::string &symbol, const Tensor &tensor);

    const Model &model_;
    size_t platform_;
    fs::path scratch_;
    std::vector<std::string> files_;
};

/// Runs `work`; a Halide exception becomes Error(Compile) that says what was compiled.
template<typename Work>
void at_halide_border(const std::string &what, const Work &work) {
    prepare_halide();
    try {
        work();
    } catch (const Halide::Error &e) {
        std::string message = e.what();
        message.erase(message.find_last_not_of("\r\n") + 1);
        throw Error(ErrorCode::Compile, what + ": " + message);
    }
}

void write_object(const Halide::Module &module, const Target &target, const std::string &file) {
    write_file_atomically(file, machine_code(module, target, MachineCode::Object));
}

/// Names of a platform's classes in object files and symbols: the class, with its number where two share it.
std::vector<std::string> member_suffixes(const Platform &platform) {
    std::vector<std::string> suffixes;
    for (const Target &target : platform.members) {
        std::string suffix = target.name;
        if (std::find(suffixes.begin(), suffixes.end(), suffix) != suffixes.end())
            suffix += fmt::format("_{}", suffixes.size() + 1);
        suffixes.push_back(suffix);
    }
    return suffixes;
}

void ObjectWriter::kernel(const KernelEntry &kernel) {
    const std::string symbol = kernel_symbol(model_, kernel);
    const std::string file = new_file(symbol);
    const PlatformPlan &plans = kernel.plans[platform_];
    std::vector<Halide::Target> targets;
    for (const Target &target : platform().members)
        targets.push_back(kernel_target(target));
    if (targets.size() == 1) {
        at_halide_border(kernel.desc.key(), [&] {
            write_object(lower_module(kernel.desc, plans.members[0].plan, symbol), platform().members[0],
                         file);
        });
        files_.push_back(file);
        return;
    }
    // Halide compiles the members itself and asks for them in order; each has a plan of its own, so the
    // target is not what identifies it.
    for (const Target &target : platform().members)
        CONVSMITH_CHECK(target.llvm_features.empty());
    size_t next = 0;
    const auto member = [&](const std::string &name, const Halide::Target &) {
        return lower_module(kernel.desc, plans.members.at(next++).plan, name);
    };
    const std::vector<std::string> suffixes = member_suffixes(platform());
    at_halide_border(kernel.desc.key(), [&] {
        Halide::compile_multitarget(symbol, {{Halide::OutputFileType::object, file}}, targets, suffixes,
                                    member);
    });
    const std::string stem = file.substr(0, file.size() - 2);
    files_.push_back(stem + "_wrapper.o");
    for (const std::string &suffix : suffixes)
        files_.push_back(stem + "-" + suffix + ".o");
}

void ObjectWriter::pack_kernels() {
    const Target plainest = cpu_part(platform().members.back()); // runs once per set of weights: no dispatch
    std::set<std::string> written;
    for (const KernelEntry &kernel : model_.kernels) {
        if (!reads_filter(kernel.desc))
            continue;
        const Packing &packing = kernel.plans[platform_].packing;
        const std::string symbol = pack_symbol(model_, kernel.desc.weight_type, packing);
        if (!written.insert(symbol).second)
            continue;
        const std::string file = new_file(symbol);
        at_halide_border(symbol, [&] {
            write_object(lower_pack_module(kernel.desc.weight_type, packing, plainest, symbol), plainest,
                         file);
        });
        files_.push_back(file);
    }
}

void ObjectWriter::data(const std::string &symbol, const Tensor &tensor) {
    const std::string file = new_file(symbol);
    write_data_object({symbol, tensor.data(), tensor.bytes()}, platform().members.back(), file);
    files_.push_back(file);
}

void ObjectWriter::baked(const LayerEntry &layer) {
    const KernelEntry &kernel = model_.kernels[layer.kernel];
    const Packing &packing = kernel.plans[platform_].packing;
    for (const TensorSpec &spec : tensor_specs(kernel.desc, packing)) {
        if (!is_trained(spec))
            continue;
        const std::string symbol = baked_symbol(model_, layer, spec.name);
        const Tensor &values = *layer.baked.at(spec.name);
        if (spec.role == TensorRole::Filter)
            data(symbol, pack_reference(op_of(kernel.desc, spec), packing, values));
        else
            data(symbol, values);
    }
}

void write_archive(const std::vector<std::string> &objects, const Halide::Target &target,
                   const fs::path &file) {
    for (const std::string &object : objects) {
        if (!fs::exists(object))
            throw Error(ErrorCode::Io, fmt::format("object file '{}' was not written", object));
    }
    at_halide_border(file.filename().string(), [&] {
        Halide::create_static_library(objects, target, file.string(), /*deterministic=*/true);
    });
}

void write_runtime(const Platform &platform, const ArchivePlaces &places) {
    const std::string object = (places.scratch / "halide_runtime.o").string();
    at_halide_border("Halide runtime for " + platform.name, [&] {
        write_file_atomically(object, library_runtime_object(platform.name, is_gpu(platform.members[0])));
    });
    write_archive({object}, Halide::Target(platform.name), places.output / "libconvsmith_runtime.a");
}

} // namespace

int archive_steps(const Model &model) {
    return static_cast<int>(model.kernels.size()) + 2;
}

void write_archives(const Model &model, size_t platform, const ArchivePlaces &places,
                    const std::function<void(const std::string &)> &step) {
    ObjectWriter objects(model, platform, places.scratch);
    const std::string &name = objects.platform().name;
    for (const KernelEntry &kernel : model.kernels) {
        step(fmt::format("{} for {}", kernel.id, name));
        objects.kernel(kernel);
    }
    step("weights for " + name);
    if (passes_weights(model)) {
        objects.pack_kernels();
    } else {
        for (const LayerEntry &layer : model.layers)
            objects.baked(layer);
    }
    step("archives for " + name);
    write_archive(objects.files(), Halide::Target(name), places.output / ("lib" + model.name + ".a"));
    write_runtime(objects.platform(), places);
}

} // namespace convsmith::library
