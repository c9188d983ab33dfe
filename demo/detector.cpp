// See detector.h: loading, operands, files for the C host.
#include "demo/detector.h"

#include "bench/compare.h"
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "generators/signature.h"
#include "schedules/target.h"

#include <cctype>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

namespace convsmith::demo {

namespace {

constexpr int kSize = 320;
constexpr const char *kLibrary = "ocr_det";

nlohmann::json read_json(const std::string &path) {
    std::ifstream file(path);
    if (!file)
        throw Error(ErrorCode::Io, path + ": cannot read");
    return nlohmann::json::parse(file);
}

/// Plan of the first class that this machine can run.
std::string native_plan(const nlohmann::json &kernel) {
    const std::string platform = host_target().platform();
    for (const auto &member : kernel.at("platforms").at(platform).at("members"))
        if (runs_natively(parse_target(member.at("halide").get<std::string>())))
            return member.at("plan");
    throw Error(ErrorCode::BadArgument, "the library has no class for this machine");
}

std::string upper(std::string text) {
    for (char &c : text)
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return text;
}

} // namespace

Detector::Detector(const std::string &model, const std::string &library, const std::string &photo)
    : picture(shrink(read_ppm(photo), kSize, kSize)) {
    struct Names {
        std::string id, plan;
    };
    std::map<std::string, Names> by_layer;
    const nlohmann::json manifest = read_json(library + "/manifest.json");
    for (const auto &kernel : manifest.at("kernels"))
        for (const auto &layer : kernel.at("layers")) {
            const std::string function = layer.at("function");
            by_layer[layer.at("name")] = {function.substr(std::strlen(kLibrary) + 1), native_plan(kernel)};
        }
    ImportOptions options;
    options.shapes["x"] = {1, 3, kSize, kSize};
    for (Layer &layer : import_onnx(model, options).layers) {
        const auto names = by_layer.find(layer.name);
        if (names == by_layer.end())
            throw Error(ErrorCode::BadArgument, layer.name + ": not in the library " + library);
        layers.push_back({std::move(layer), names->second.id, names->second.plan});
    }
}

Problem Detector::problem(size_t i) const {
    Problem problem = bench::layer_problem(layers.at(i).layer, i + 1);
    if (i == 0) {
        CONVSMITH_CHECK(problem["input"].shape() == normalized(picture).shape());
        problem["input"] = normalized(picture);
    }
    return problem;
}

void read_raw(const std::string &path, const Tensor &tensor) {
    std::ifstream file(path, std::ios::binary);
    file.read(static_cast<char *>(tensor.data()), static_cast<std::streamsize>(tensor.bytes()));
    if (!file || file.peek() != std::ifstream::traits_type::eof())
        throw Error(ErrorCode::Io, path + ": want " + std::to_string(tensor.bytes()) + " bytes");
}

void write_raw(const std::string &path, const Tensor &tensor) {
    std::ofstream file(path, std::ios::binary);
    file.write(static_cast<const char *>(tensor.data()), static_cast<std::streamsize>(tensor.bytes()));
    if (!file.flush())
        throw Error(ErrorCode::Io, path + ": cannot write");
}

/// The tensors that a layer reads beside its input and what is trained: residual, gate.
std::vector<std::string> other_tensors(const Layer &layer) {
    std::vector<std::string> names;
    for (const TensorSpec &spec : tensor_specs(layer.desc, Packing())) {
        const bool is_known = spec.role == TensorRole::Input || spec.role == TensorRole::Output ||
                              layer.values(spec.name) != nullptr;
        if (!is_known)
            names.push_back(spec.name);
    }
    return names;
}

void prepare(const Detector &detector, const std::string &directory) {
    const std::string place = directory + "/";
    std::ofstream rows(place + "layers.inc");
    for (size_t i = 0; i < detector.layers.size(); i++) {
        const std::string &id = detector.layers[i].id;
        const Problem problem = detector.problem(i);
        write_raw(std::string(place).append(id).append(".input"), problem["input"]);
        std::ofstream more(std::string(place).append(id).append(".more"), std::ios::binary);
        std::string members;
        int64_t elements = 0;
        for (const std::string &name : other_tensors(detector.layers[i].layer)) {
            const Tensor &tensor = problem[name];
            members += ", ." + name + " = more + " + std::to_string(elements);
            elements += tensor.elements();
            more.write(static_cast<const char *>(tensor.data()),
                       static_cast<std::streamsize>(tensor.bytes()));
        }
        if (!more.flush())
            throw Error(ErrorCode::Io, place + id + ".more: cannot write");
        rows << "LAYER(" << id << ", " << upper(id) << ", " << elements << ", .output = output" << members
             << ")\n";
    }
    if (!rows.flush())
        throw Error(ErrorCode::Io, directory + "/layers.inc: cannot write");
}

} // namespace convsmith::demo
