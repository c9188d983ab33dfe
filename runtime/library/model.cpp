// Decides a library's contents (see model.h): nothing is written or compiled here, so every user mistake
// shows before any work.
#include "runtime/library/model.h"

#include "generators/conv_shape.h"
#include "generators/error.h"
#include "runtime/library/platforms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

namespace convsmith::library {

namespace {

[[noreturn]] void bad_argument(const std::string &message) {
    throw Error(ErrorCode::BadArgument, message);
}

void check_name(const std::string &name) {
    constexpr size_t kMaxName = 64;
    bool ok =
        !name.empty() && name.size() <= kMaxName && std::isalpha(static_cast<unsigned char>(name[0])) != 0;
    for (const char c : name)
        ok = ok && (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_');
    if (!ok)
        bad_argument(
            fmt::format("library name: got '{}', want a C identifier of 1 to {} characters that starts "
                        "with a letter",
                        name, kMaxName));
    if (name == "convsmith_runtime")
        bad_argument("library name: 'convsmith_runtime' is the name of the runtime library; choose another");
}

int feature_count(const Target &target) {
    return static_cast<int>(std::count(target.halide.begin(), target.halide.end(), '-'));
}

void check_target(const Target &target) {
    try {
        platform_facts(target.platform());
    } catch (const Error &e) {
        throw Error(e.code(), fmt::format("target {}: {}", target.name, e.what()));
    }
    if (gpu_api(target) == GpuApi::OpenCl)
        throw Error(ErrorCode::Unsupported,
                    fmt::format("target {}: libraries cannot have the feature 'opencl'", target.halide));
}

/// Throws Error if one target is a GPU's unless all are, one a platform: which device a machine has is not
/// what a kernel's first call finds out.
void check_gpus(const LibraryOptions &options, const std::vector<Platform> &platforms) {
    const auto of_gpu = std::find_if(options.targets.begin(), options.targets.end(), is_gpu);
    if (of_gpu == options.targets.end())
        return;
    for (const Target &target : options.targets) {
        if (!is_gpu(target))
            bad_argument(
                fmt::format("library targets: {} is a GPU's, {} is not; give each a library of its own",
                            of_gpu->halide, target.halide));
    }
    for (const Platform &platform : platforms) {
        if (platform.members.size() > 1)
            bad_argument(fmt::format("library targets: a program cannot choose between {} and {}; give each "
                                     "a library of its own",
                                     platform.members[0].halide, platform.members[1].halide));
    }
    if (options.weights == WeightMode::Baked)
        throw Error(
            ErrorCode::Unsupported,
            fmt::format("target {}: weights of GPU kernels cannot be baked, as they are to lie in the "
                        "device's memory; pass them",
                        of_gpu->halide));
}

/// The plainest class of a platform: the table lists worse before better.
Target baseline(const std::string &platform) {
    for (const Target &target : target_table()) {
        if (target.platform() == platform)
            return target;
    }
    return parse_target(platform);
}

/// The class of the platform that a program cannot tell from the target: they differ at most in what they are
/// tuned for. Null if there is none.
const Target *indistinct_from(const Target &target, const Platform &platform) {
    const auto same =
        std::find_if(platform.members.begin(), platform.members.end(),
                     [&](const Target &member) { return member.compiled() == target.compiled(); });
    return same == platform.members.end() ? nullptr : &*same;
}

std::vector<Platform> group_targets(const LibraryOptions &options) {
    if (options.targets.empty())
        bad_argument("library targets: got none, want at least one");
    std::vector<Platform> platforms;
    const auto add = [&](const Target &target) {
        const std::string name = target.platform();
        auto at = std::find_if(platforms.begin(), platforms.end(),
                               [&](const Platform &p) { return p.name == name; });
        if (at == platforms.end())
            at = platforms.insert(platforms.end(), Platform{name, {}});
        if (const Target *same = indistinct_from(target, *at)) {
            if (*same == target)
                return;
            bad_argument(
                fmt::format("library targets: a program cannot tell {} and {} apart on {}; give each a "
                            "library of its own",
                            same->halide, target.halide, name));
        }
        at->members.push_back(target);
    };
    for (const Target &target : options.targets) {
        check_target(target);
        add(target);
    }
    for (Platform &platform : platforms) { // of one platform only, so `add` leaves the vector's size alone
        const Target plain = baseline(platform.name);
        if (options.add_baseline && !is_gpu(platform.members[0]) &&
            indistinct_from(plain, platform) == nullptr)
            add(plain);
        std::stable_sort(
            platform.members.begin(), platform.members.end(),
            [](const Target &a, const Target &b) { return feature_count(a) > feature_count(b); });
    }
    return platforms;
}

/// Gives every layer a C identifier such that no two generated names agree, not even as upper-case macros.
class IdentifierPool {
public:
    IdentifierPool() {
        for (const char *word : {"buffer", "dim", "set_num_threads", "release_workspace", "platform",
                                 "filter_alignment", "device", "device_message"})
            taken_.insert(word);
    }

    std::string unique(const std::string &name, const ConvDesc &desc) {
        std::string base;
        for (const char c : name)
            base += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
        constexpr size_t kMaxId = 160; // with library name and suffixes still a file name
        base.resize(std::min(base.size(), kMaxId));
        if (base.empty() || is_reserved(lower_case(base)))
            base = "layer_" + base;
        std::string id = base;
        for (int i = 2; !take(id, desc); i++)
            id = fmt::format("{}_{}", base, i);
        return id;
    }

private:
    static std::string lower_case(std::string text) {
        for (char &c : text)
            c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        return text;
    }

    /// Beginnings of names that the header has for itself: error codes, helpers, packing kernels.
    static bool is_reserved(const std::string &lower) {
        return lower.rfind("error", 0) == 0 || lower.rfind("internal", 0) == 0 || lower.rfind("pack", 0) == 0;
    }

    bool take(const std::string &id, const ConvDesc &desc) {
        const std::string lower = lower_case(id);
        std::vector<std::string> names = {lower};
        for (const char *suffix : {"_args", "_kernel", "_co_block", "_tile", "_on_device"})
            names.push_back(lower + suffix);
        for (const TensorSpec &spec : tensor_specs(desc, Packing())) {
            if (is_trained(spec))
                names.push_back(lower + "_" + spec.name);
            if (spec.role == TensorRole::Filter)
                names.push_back(lower + "_" + tensor_name("pack", spec.op));
        }
        for (const std::string &name : names) {
            if (taken_.count(name) != 0)
                return false;
        }
        taken_.insert(names.begin(), names.end());
        return true;
    }

    std::set<std::string> taken_;
};

/// Plans a problem for every class of a platform; the best class chooses the packing, the others follow.
/// Throws Error(BadArgument) if one of them cannot.
PlatformPlan plan_members(const ConvDesc &desc, const Platform &platform, PlanRequest request) {
    PlatformPlan plan;
    for (const Target &target : platform.members) {
        plan.members.push_back(make_plan(desc, target, request));
        if (plan.members.size() == 1) {
            plan.packing = plan.members[0].plan.packing(desc);
            request.co_block = plan.packing.co_block;
            request.tile = plan.packing.tile;
            // A schedule or its numbers fixed by the caller are for the best class; the others have their
            // own.
            request.schedule.clear();
            request.params.clear();
        }
        if (!(plan.members.back().plan.packing(desc) == plan.packing))
            throw Error(ErrorCode::Internal,
                        fmt::format("plan of {} for {} does not keep co_block {}, tile {}", desc.key(),
                                    target.name, plan.packing.co_block, plan.packing.tile));
    }
    return plan;
}

/// As plan_members; where a class cannot read the packing that is best for the best class (its registers hold
/// fewer channels), the largest part of it that all can read.
PlatformPlan plan_in_parts(const ConvDesc &desc, const Platform &platform, PlanRequest request) {
    const int best = make_plan(desc, platform.members.front(), request).plan.packing(desc).co_block;
    for (int parts = 1;; parts++) {
        if (best % parts != 0)
            continue;
        if (parts > 1)
            request.co_block = best / parts;
        try {
            return plan_members(desc, platform, request);
        } catch (const Error &error) {
            if (error.code() != ErrorCode::BadArgument || parts == best)
                throw;
        }
    }
}

/// As plan_in_parts; a measured plan that the other classes cannot follow is passed over.
PlatformPlan plan_platform(const ConvDesc &desc, const Platform &platform, PlanRequest request) {
    try {
        return plan_in_parts(desc, platform, request);
    } catch (const Error &error) {
        if (request.tuned == nullptr)
            throw;
        request.tuned.reset();
        PlatformPlan plan = plan_in_parts(desc, platform, request);
        plan.members.front().passed_over.push_back(std::string("tuning records: ") + error.what());
        return plan;
    }
}

/// The values to bake, checked.
std::map<std::string, std::shared_ptr<const Tensor>> baked_values(const Layer &layer) {
    std::map<std::string, std::shared_ptr<const Tensor>> baked;
    for (const TensorSpec &spec : tensor_specs(layer.desc, Packing())) {
        if (!is_trained(spec))
            continue;
        const std::shared_ptr<const Tensor> tensor = layer.values(spec.name);
        const bool is_filter = spec.role == TensorRole::Filter;
        const std::vector<int64_t> shape = is_filter ? filter_shape(op_of(layer.desc, spec)) : spec.shape;
        if (tensor == nullptr)
            bad_argument(
                fmt::format("layer {}: {} is missing; baked weights need a model with trained values "
                            "(.onnx), use passed weights instead",
                            layer.name, spec.name));
        if (tensor->dtype() != spec.dtype || tensor->shape() != shape)
            bad_argument(fmt::format("layer {}: {} is {}, want {} {}", layer.name, spec.name,
                                     describe(tensor->view()), dtype_name(spec.dtype), shape_text(shape)));
        baked[spec.name] = tensor;
    }
    return baked;
}

} // namespace

Model plan_library(const std::vector<Layer> &layers, const LibraryOptions &options) {
    check_name(options.name);
    if (layers.empty())
        bad_argument("library layers: got none, want at least one convolution");
    Model model;
    model.name = options.name;
    model.weights = options.weights;
    model.platforms = group_targets(options);
    check_gpus(options, model.platforms);

    IdentifierPool pool;
    std::map<std::string, size_t> kernel_of_key;
    for (const Layer &layer : layers) {
        layer.desc.validate();
        LayerEntry entry;
        entry.name = layer.name;
        entry.id = pool.unique(layer.name, layer.desc);
        if (options.weights == WeightMode::Baked)
            entry.baked = baked_values(layer);
        const auto [at, is_new] = kernel_of_key.emplace(layer.desc.key(), model.kernels.size());
        entry.kernel = at->second;
        if (is_new) {
            KernelEntry kernel{layer.desc, entry.id, {}};
            for (const Platform &platform : model.platforms)
                kernel.plans.push_back(plan_platform(layer.desc, platform, options.request));
            model.kernels.push_back(std::move(kernel));
        }
        model.layers.push_back(std::move(entry));
    }
    return model;
}

std::string kernel_symbol(const Model &model, const KernelEntry &kernel) {
    return fmt::format("{}_{}_kernel", model.name, kernel.id);
}

std::string pack_symbol(const Model &model, DType type, const Packing &packing) {
    return fmt::format("{}_pack_{}_{}", model.name, dtype_name(type), packing_name(packing));
}

std::string baked_symbol(const Model &model, const LayerEntry &layer, const std::string &tensor) {
    return fmt::format("{}_{}_{}", model.name, layer.id, tensor);
}

bool transforms_weights(const KernelEntry &kernel) {
    return std::any_of(kernel.plans.begin(), kernel.plans.end(),
                       [](const PlatformPlan &plan) { return plan.packing.is_transformed(); });
}

bool is_trained(const TensorSpec &tensor) {
    return tensor.role == TensorRole::Filter ||
           (tensor.role == TensorRole::Operand &&
            operand_info(tensor.operand).shape == OperandShape::PerChannel);
}

} // namespace convsmith::library
