// See kit.h.
#include "bench/gpu_check/kit.h"

#include "generators/conv_shape.h"
#include "generators/error.h"
#include "generators/variant.h"
#include "runtime/library/pack_reference.h"

#include <fmt/format.h>

#include <HalideRuntimeCuda.h>
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <nlohmann/json.hpp>

namespace convsmith::gpu_check {

namespace {

// Handlers of the library's Halide runtime take no state.
void *the_context = nullptr;
std::string the_message; ///< what the runtime said last

int acquire_context(void *, void **context, bool) {
    *context = the_context;
    return 0;
}

void on_error(void *, const char *message) {
    the_message += message;
}

} // namespace

double KitKernel::relative_error() const {
    return variant_info(plan.substr(0, plan.find('/'))).relative_error;
}

Kit::Kit(const std::string &directory, const CudaDevice &device) : directory_(directory) {
    std::ifstream file(directory + "/manifest.json");
    const auto json = nlohmann::json::parse(file, nullptr, false);
    if (json.is_discarded())
        throw Error(ErrorCode::Io, directory + "/manifest.json: want the manifest of a library");
    const std::string path = fmt::format("{}/lib{}.so", directory, json["name"].get<std::string>());
    library_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library_ == nullptr)
        throw Error(ErrorCode::Io, fmt::format("{}: {}", path, dlerror()));
    the_context = device.context();
    reinterpret_cast<decltype(&halide_set_error_handler)>(find("halide_set_error_handler"))(on_error);
    reinterpret_cast<decltype(&halide_set_cuda_acquire_context)>(find("halide_set_cuda_acquire_context"))(
        acquire_context);
    reinterpret_cast<decltype(&halide_reuse_device_allocations)>(find("halide_reuse_device_allocations"))(
        nullptr, !device.is_emulated()); // the emulator sees overruns of exact sizes only
    for (const auto &kernel : json["kernels"]) {
        const auto &platform = kernel["platforms"].front();
        KitKernel entry;
        entry.name = kernel["layers"][0]["name"];
        entry.desc = ConvDesc::parse(kernel["desc"].get<std::string>());
        entry.packing = {platform["packing"]["co_block"], platform["packing"]["tile"]};
        entry.plan = platform["members"][0]["plan"];
        entry.code = reinterpret_cast<int (*)(void **)>(find(kernel["symbol"].get<std::string>() + "_argv"));
        kernels_.push_back(std::move(entry));
    }
}

void *Kit::find(const std::string &symbol) const {
    void *const found = dlsym(library_, symbol.c_str());
    if (found == nullptr)
        throw Error(ErrorCode::Io, fmt::format("{}: no symbol {}", directory_, symbol));
    return found;
}

void Kit::wrap(halide_buffer_t &buffer) const {
    const auto wrap_pointer =
        reinterpret_cast<decltype(&halide_cuda_wrap_device_ptr)>(find("halide_cuda_wrap_device_ptr"));
    const auto address = reinterpret_cast<uint64_t>(buffer.host);
    buffer.host = nullptr;
    if (wrap_pointer(nullptr, &buffer, address) != 0)
        throw Error(ErrorCode::Internal, "a tensor on the device: " + the_message);
    buffer.set_device_dirty();
}

void Kit::call(const KitKernel &kernel, std::vector<halide_buffer_t> &buffers) const {
    std::vector<void *> arguments;
    arguments.reserve(buffers.size());
    for (halide_buffer_t &buffer : buffers)
        arguments.push_back(&buffer);
    the_message.clear();
    const int code = kernel.code(arguments.data());
    if (code != 0)
        throw Error(ErrorCode::Internal, fmt::format("error {}: {}", code, the_message));
}

DeviceCall::DeviceCall(const CudaDevice &device, const Kit &kit, const KitKernel &kernel,
                       const Problem &problem)
    : device_(device), kit_(kit), kernel_(kernel), problem_(problem),
      check_(make_call_check(problem.desc, kernel.packing)) {
    const std::vector<TensorSpec> specs = tensor_specs(problem.desc, kernel.packing);
    for (size_t i = 0; i < specs.size(); i++) {
        const TensorSpec &spec = specs[i];
        const TensorCheck &check = check_.tensors[i];
        if (spec.role == TensorRole::Filter) {
            add(check, spec,
                library::pack_reference(op_of(problem.desc, spec), kernel.packing, problem[spec.name]));
        } else if (spec.role == TensorRole::Output || spec.role == TensorRole::Indices) {
            const Tensor untouched(spec.dtype, spec.shape);
            std::memset(untouched.data(), 0xff, untouched.bytes()); // as the oracle wants what is left alone
            add(check, spec, untouched);
        } else {
            add(check, spec, problem[spec.name]);
        }
    }
}

void DeviceCall::add(const TensorCheck &check, const TensorSpec &spec, const Tensor &values) {
    places_.push_back({spec, DeviceMemory(device_, values.data(), values.bytes())});
    TensorView there = values.view();
    there.data = places_.back().memory.address();
    buffers_.push_back(check.buffer(there));
    kit_.wrap(buffers_.back());
}

void DeviceCall::run() {
    kit_.call(kernel_, buffers_);
}

Tensor DeviceCall::download(TensorRole role, const std::vector<int64_t> &shape) const {
    for (const Place &place : places_) {
        if (place.spec.role != role)
            continue;
        Tensor tensor(place.spec.dtype, shape);
        place.memory.download(tensor.data());
        return tensor;
    }
    return {};
}

Judgement DeviceCall::judge(int64_t max_points) const {
    device_.synchronize();
    JudgeOptions options;
    options.max_points = max_points;
    options.relative_error = kernel_.relative_error();
    const Tensor output = download(TensorRole::Output, output_shape(problem_.desc));
    const Tensor indices = problem_.desc.indices != Indices::None
                               ? download(TensorRole::Indices, written_shape(problem_.desc))
                               : Tensor();
    return convsmith::judge(problem_.desc, problem_.view(), output.view(), options, indices.view());
}

} // namespace convsmith::gpu_check
