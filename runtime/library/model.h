// The contents of a library, decided before anything is written: platforms, kernels with their plans, layers
// with their C names. Between the library writer's options and its writers (C header, archives, manifest,
// CMake).
#pragma once

#include "generators/signature.h"
#include "runtime/library.h"

#include <map>
#include <string>
#include <vector>

namespace convsmith::library {

/// One directory lib/<name>: the machine classes that one archive serves, best first, plainest last.
struct Platform {
    std::string name; ///< Target::platform(), e.g. "x86-64-linux"
    std::vector<Target> members;
};

/// How one kernel is computed on one platform. Every member reads the same packed weights.
struct PlatformPlan {
    Packing packing;
    std::vector<PlanChoice> members; ///< in the order of Platform::members
};

/// One compiled problem.
struct KernelEntry {
    ConvDesc desc;
    std::string id;                  ///< C name of the first layer that uses it
    std::vector<PlatformPlan> plans; ///< in the order of Model::platforms
};

/// One layer as the C header shows it.
struct LayerEntry {
    std::string name; ///< as the network calls it
    std::string id;   ///< C identifier, unique in the library whatever the case
    size_t kernel = 0;
    /// If weights are baked, the trained values of every tensor that is_trained, by its name.
    std::map<std::string, std::shared_ptr<const Tensor>> baked;
};

/// A whole library.
struct Model {
    std::string name;
    WeightMode weights = WeightMode::Passed;
    std::vector<Platform> platforms;
    std::vector<KernelEntry> kernels;
    std::vector<LayerEntry> layers;
};

/// Checks options and layers, groups targets by platform, plans every distinct problem. Throws Error.
Model plan_library(const std::vector<Layer> &layers, const LibraryOptions &options);

/// C symbols of the library's objects.
std::string kernel_symbol(const Model &model, const KernelEntry &kernel);
std::string pack_symbol(const Model &model, DType type, const Packing &packing);
std::string baked_symbol(const Model &model, const LayerEntry &layer, const std::string &tensor);

/// Whether a tensor of a call holds trained values: the filter, and what has one number per channel.
bool is_trained(const TensorSpec &tensor);

/// Whether any platform's kernel reads transformed weights (Packing::tile).
bool transforms_weights(const KernelEntry &kernel);

/// Whether calls take the filter as an argument; if not, it is baked.
inline bool passes_weights(const Model &model) {
    return model.weights == WeightMode::Passed;
}

/// Whether kernels run on GPUs beside the platforms' CPUs; then there is one class for each platform.
inline bool is_for_gpu(const Model &model) {
    return is_gpu(model.platforms.front().members.front());
}

} // namespace convsmith::library
