// The frame of the C header (see c_header.h): buffer type, error codes, platform blocks. The buffer is laid
// out as the Halide runtime's halide_buffer_t, under the library's own name, so that a user needs no Halide
// header and may still include one.
#include "runtime/library/c_header.h"

#include "generators/composite.h"
#include "generators/error.h"
#include "runtime/library/platforms.h"
#include "runtime/library/text_template.h"
#include "runtime/library/versions.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace convsmith::library {

namespace {

constexpr const char *kPrologue =
    R"text(/* @name@.h: convolution kernels of the library "@name@", written by convsmith @version@.
 *
 * Every layer has a struct @name@_<layer>_args with one member per tensor, and a function
 *     int @name@_<layer>(const @name@_<layer>_args *args);
 * that returns 0; or a positive code of enum @name@_error_code, in which case nothing was computed; or a
 * negative error code of the Halide runtime. @name@_error_text() explains both. Tensors are dense and lie
 * outermost dimension first, as the layer's comment says; what is written overlaps no other tensor. Functions
 * are re-entrant, and results do not depend on the number of threads.
@device@@weights@ */
#ifndef CONVSMITH_LIBRARY_@NAME@_H
#define CONVSMITH_LIBRARY_@NAME@_H

@includes@#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a function returns when it rejects its arguments. */
typedef enum @name@_error_code {
@codes@} @name@_error_code;

/* Bytes to which packed filters are aligned: use aligned_alloc or posix_memalign. */
#define @NAME@_FILTER_ALIGNMENT @alignment@

/* A tensor as the kernels see it: the layout of halide_buffer_t. Users need not touch it. */
typedef struct @name@_dim {
    int32_t min, extent, stride;
    uint32_t flags;
} @name@_dim;

typedef struct @name@_buffer {
    uint64_t device;
    const void *device_interface;
    uint8_t *host;
    uint64_t flags;
    uint8_t type_code, type_bits;
    uint16_t type_lanes;
    int32_t dimensions;
    @name@_dim *dim;
    void *padding;
} @name@_buffer;

typedef struct @name@_internal_tensor {
    @name@_buffer buffer;
    @name@_dim dim[6];
} @name@_internal_tensor;

/* Fills in a tensor; `type` is Halide's code times 256 plus bits, `shape` holds extent and stride of every
 * dimension. */
static inline @name@_buffer *@name@_internal_bind(@name@_internal_tensor *t, const void *data, int type, int rank,
                                                  const int64_t *shape) {
    int i;
    t->buffer.device = 0;
    t->buffer.device_interface = NULL;
    t->buffer.host = (uint8_t *)(uintptr_t)data;
    t->buffer.flags = 0;
    t->buffer.type_code = (uint8_t)(type / 256);
    t->buffer.type_bits = (uint8_t)(type % 256);
    t->buffer.type_lanes = 1;
    t->buffer.dimensions = rank;
    t->buffer.dim = t->dim;
    t->buffer.padding = NULL;
    for (i = 0; i < rank; i++) {
        t->dim[i].min = 0;
        t->dim[i].extent = (int32_t)shape[2 * i];
        t->dim[i].stride = (int32_t)shape[2 * i + 1];
        t->dim[i].flags = 0;
    }
    return &t->buffer;
}

/* Whether a tensor of these extents has fewer than 2^31 elements. */
static inline int @name@_internal_fits(int64_t c, int64_t n, int64_t d, int64_t h, int64_t w) {
    const int64_t extents[5] = {c, n, d, h, w};
    int64_t product = 1;
    int i;
    for (i = 0; i < 5; i++) {
        if (extents[i] > INT32_MAX / product)
            return 0;
        product *= extents[i];
    }
    return 1;
}

static inline int @name@_internal_overlap(const void *a, int64_t a_bytes, const void *b, int64_t b_bytes) {
    return (uintptr_t)a < (uintptr_t)b + (uintptr_t)b_bytes && (uintptr_t)b < (uintptr_t)a + (uintptr_t)a_bytes;
}

/* The meaning of a function's result. */
static inline const char *@name@_error_text(int code) {
    switch (code) {
    case 0: return "success";
@texts@    case -11: return "out of memory";
    default: return code < 0 ? "error of the Halide runtime (see halide_error_code_t)" : "unknown code";
    }
}

/* Parts of the Halide runtime that comes with the library. */
int halide_set_num_threads(int threads);
void halide_shutdown_thread_pool(void);
void convsmith_workspace_release(void);

/* Threads that kernels use from now on, shared by everything in the process that runs on Halide; 0 = one per
 * core. Ends the workers there are, so no kernel may be running. Returns the number before. */
static inline int @name@_set_num_threads(int threads) {
    halide_shutdown_thread_pool();
    return halide_set_num_threads(threads);
}

/* Gives back the scratch memory that kernels keep for their next calls: about as much as the largest call
 * took. Any thread may call it at any time. */
static inline void @name@_release_workspace(void) {
    convsmith_workspace_release();
}

)text";

constexpr const char *kPassedText =
    R"( * Filters are packed once with @name@_<layer>_pack, from the order in the layer's comment, and passed at every
 * call; where several operations are one layer, filter2 with @name@_<layer>_pack2 and so on.
)";
constexpr const char *kCudaText =
    R"( * Kernels run on a GPU: @name@_<layer> copies tensors of the host's to the device and back, weights among them;
 * @name@_<layer>_on_device takes addresses of the device's memory, and returns when the work is queued on the
 * stream.
)";
constexpr const char *kBakedText = " * Filters, biases and other trained values are part of the library.\n";

constexpr const char *kEpilogue = R"(
#ifdef __cplusplus
}
#endif

#endif /* CONVSMITH_LIBRARY_@NAME@_H */
)";

/// Codes of rejected arguments, numbered from 1 in this order: new ones at the end.
const struct {
    const char *name;
    const char *text;
} kErrors[] = {
    {"args", "args is a null pointer"},
    {"input", "input is a null pointer"},
    {"filter", "filter is a null pointer"},
    {"bias", "bias is a null pointer"},
    {"residual", "residual is a null pointer"},
    {"output", "output is a null pointer"},
    {"n", "batch size n is not positive"},
    {"d", "depth d is too small for kernel and padding"},
    {"h", "height h is too small for kernel and padding"},
    {"w", "width w is too small for kernel and padding"},
    {"elements", "a tensor has 2^31 elements or more"},
    {"overlap", "a tensor that is written overlaps another"},
    {"alignment", "the packed filter is not aligned to @alignment@ bytes"},
    {"offset", "offset is a null pointer"},
    {"mask", "mask is a null pointer"},
    {"scale", "scale is a null pointer"},
    {"gate", "gate is a null pointer"},
    {"slope", "slope is a null pointer"},
    {"indices", "indices is a null pointer"},
};

/// What differs between platforms: the packing, and so the packing kernel.
std::string platform_block(const Model &model, size_t platform) {
    const std::string prefix = upper_case(model.name);
    std::string text = fmt::format("#define {}_PLATFORM \"{}\"\n", prefix, model.platforms[platform].name);
    std::set<std::string> declared;
    for (const LayerEntry &layer : model.layers) {
        const KernelEntry &kernel = model.kernels[layer.kernel];
        const Packing &packing = kernel.plans[platform].packing;
        const std::string id = upper_case(layer.id);
        if (!reads_filter(kernel.desc))
            continue;
        text += fmt::format("#define {}_{}_CO_BLOCK {}\n", prefix, id, packing.co_block);
        if (transforms_weights(kernel))
            text += fmt::format("#define {}_{}_TILE {}\n", prefix, id, packing.tile);
        if (!passes_weights(model))
            continue;
        const std::string symbol = pack_symbol(model, kernel.desc.weight_type, packing);
        if (declared.insert(symbol).second)
            text += fmt::format("int {0}({1}_buffer *filter, {1}_buffer *packed);\n", symbol, model.name);
        text += fmt::format("#define {}_{}_PACK {}\n", prefix, id, symbol);
    }
    return text;
}

/// Tensors of the longest call.
size_t most_tensors(const Model &model) {
    size_t most = 0;
    for (const KernelEntry &kernel : model.kernels)
        most = std::max(most, tensor_specs(kernel.desc, Packing()).size());
    return most;
}

std::string platform_blocks(const Model &model) {
    std::string text = "/* Facts of this platform's kernels: output channels side by side in a packed "
                       "filter, outputs of a Winograd\n"
                       " * tile that it is transformed for (1: it is not). */\n";
    std::string names;
    for (size_t i = 0; i < model.platforms.size(); i++) {
        const std::string &name = model.platforms[i].name;
        text += fmt::format("#{} {}\n{}", i == 0 ? "if" : "elif", platform_facts(name).c_condition,
                            platform_block(model, i));
        names += (i == 0 ? "" : ", ") + name;
    }
    return text +
           fmt::format("#else\n#error \"library {} was built for {} only\"\n#endif\n", model.name, names);
}

} // namespace

std::string c_type(DType type) {
    switch (type) {
    case DType::F32:
        return "float";
    case DType::F64:
        return "double";
    case DType::F16:
    case DType::BF16:
    case DType::Bool:
        throw Error(ErrorCode::Unsupported, "dtype " + dtype_name(type) + " has no C type in libraries yet");
    default:
        return fmt::format("{}int{}_t", is_unsigned(type) ? "u" : "", 8 * dtype_bytes(type));
    }
}

std::string c_header(const Model &model) {
    Blanks blanks = {{"name", model.name},
                     {"NAME", upper_case(model.name)},
                     {"version", versions().convsmith},
                     {"alignment", std::to_string(kTensorAlignment)},
                     {"most", std::to_string(most_tensors(model))}};
    int code = 1;
    std::set<std::string> known;
    const auto add_code = [&](const std::string &error, const std::string &message) {
        if (!known.insert(error).second)
            return;
        const std::string name = fmt::format("{}_error_{}", model.name, error);
        blanks["codes"] += fmt::format("    {} = {}, /* {} */\n", name, code++, message);
        blanks["texts"] += fmt::format("    case {}: return \"{}\";\n", name, message);
    };
    for (const auto &error : kErrors)
        add_code(error.name, fill_in(error.text, blanks));
    for (const KernelEntry &kernel : model.kernels) { // composites number their tensors
        for (const TensorSpec &spec : tensor_specs(kernel.desc, Packing()))
            add_code(spec.name, spec.name + " is a null pointer");
    }
    if (is_for_gpu(model))
        add_code("device", "the device failed: " + model.name + "_device_message() says how");
    blanks["device"] = is_for_gpu(model) ? fill_in(kCudaText, blanks) : "";
    blanks["includes"] = is_for_gpu(model) ? cuda_includes() : "";
    blanks["weights"] = fill_in(passes_weights(model) ? kPassedText : kBakedText, blanks);
    std::string text = fill_in(kPrologue, blanks);
    if (is_for_gpu(model))
        text += cuda_support(blanks);
    text += platform_blocks(model);
    for (const KernelEntry &kernel : model.kernels) {
        text += c_kernel(model, kernel);
        for (const LayerEntry &layer : model.layers) {
            if (&model.kernels[layer.kernel] == &kernel)
                text += c_layer(model, layer);
        }
    }
    return text + fill_in(kEpilogue, blanks);
}

} // namespace convsmith::library
