// Writing and reading manifest.json (see manifest.h).
#include "runtime/library/manifest.h"

#include "generators/conv_shape.h"
#include "generators/error.h"
#include "runtime/frontend/file_io.h"
#include "runtime/library/versions.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>

namespace convsmith::library {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char *kFormat = "convsmith library manifest 1";

Json kernel_json(const Model &model, size_t index) {
    const KernelEntry &kernel = model.kernels[index];
    Json json = {{"desc", kernel.desc.key()}, {"symbol", kernel_symbol(model, kernel)}};
    json["layers"] = Json::array();
    for (const LayerEntry &layer : model.layers) {
        if (layer.kernel == index)
            json["layers"].push_back({{"name", layer.name}, {"function", model.name + "_" + layer.id}});
    }
    json["platforms"] = Json::object();
    for (size_t p = 0; p < model.platforms.size(); p++) {
        const PlatformPlan &plan = kernel.plans[p];
        Json &platform = json["platforms"][model.platforms[p].name];
        platform["packing"] = {{"co_block", plan.packing.co_block},
                               {"tile", plan.packing.tile},
                               {"by_group", plan.packing.by_group},
                               {"filters", Json::object()}};
        for (const TensorSpec &spec : tensor_specs(kernel.desc, plan.packing)) {
            if (spec.role == TensorRole::Filter)
                platform["packing"]["filters"][spec.name] = spec.shape;
        }
        platform["members"] = Json::array();
        for (const PlanChoice &choice : plan.members)
            platform["members"].push_back({{"target", choice.plan.target.name},
                                           {"halide", choice.plan.target.halide},
                                           {"plan", choice.plan.text()},
                                           {"source", choice.source},
                                           {"tuned", choice.is_tuned}});
    }
    return json;
}

} // namespace

std::string manifest(const Model &model, const std::vector<std::string> &files) {
    const Versions &v = versions();
    Json json = {
        {"format", kFormat},
        {"name", model.name},
        {"weights", passes_weights(model) ? "passed" : "baked"},
        {"versions",
         {{"convsmith", v.convsmith}, {"halide", v.halide}, {"llvm", v.llvm}, {"algorithm", v.algorithm}}}};
    json["kernels"] = Json::array();
    for (size_t i = 0; i < model.kernels.size(); i++)
        json["kernels"].push_back(kernel_json(model, i));
    json["files"] = files;
    // A layer's name may come from a file in any encoding.
    return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::vector<std::string> files_of_manifest(const std::string &directory) {
    const std::filesystem::path path = std::filesystem::path(directory) / "manifest.json";
    std::error_code error;
    if (!std::filesystem::exists(path, error))
        return {};
    const Json json = Json::parse(read_file(path.string()), nullptr, false);
    const auto format = json.is_object() ? json.find("format") : json.end();
    if (!json.is_object() || format == json.end() || *format != kFormat || !json.contains("files") ||
        !json["files"].is_array())
        throw Error(ErrorCode::Io,
                    fmt::format("output directory '{}': 'manifest.json' is in the way and was not "
                                "written by convsmith; choose another directory or remove it",
                                directory));
    std::vector<std::string> files;
    for (const Json &file : json["files"]) {
        if (file.is_string())
            files.push_back(file.get<std::string>());
    }
    return files;
}

} // namespace convsmith::library
