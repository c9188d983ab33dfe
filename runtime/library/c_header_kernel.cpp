// The C header's part for one kernel and its layers (see c_header.h): checks of the arguments, then the
// buffers of buffer_dims (generators/signature.h) spelled out in C, so that open extents can be arguments.
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "runtime/library/c_dims.h"
#include "runtime/library/c_header.h"
#include "runtime/library/c_sizes.h"
#include "runtime/library/text_template.h"

#include <fmt/format.h>

#include <algorithm>

namespace convsmith::library {

namespace {

/// One tensor of a kernel's call.
struct CTensor {
    TensorSpec spec;
    std::string type;
    int type_code;    ///< as internal_bind takes it
    CDims dims;       ///< as the kernel sees it
    std::string data; ///< the first element that the kernel sees, of args->name
    std::string elements;
    bool is_output() const { return spec.role == TensorRole::Output || spec.role == TensorRole::Indices; }
};

/// The macros of layer or kernel `id` that hold the packing.
CPacking packing_macros(const Model &model, const KernelEntry &kernel, const std::string &id) {
    CPacking macros = {upper_case(fmt::format("{}_{}_co_block", model.name, id)), "",
                       kernel.plans[0].packing.by_group};
    if (transforms_weights(kernel))
        macros.tile = upper_case(fmt::format("{}_{}_tile", model.name, id));
    return macros;
}

/// A tensor at the output's positions: of `channels`, of which the kernel sees `seen` from `begin` on.
void set_positional(CTensor &tensor, const ConvDesc &desc, bool is_stored, int64_t channels, int64_t seen,
                    int64_t begin) {
    const Layout layout = is_stored ? desc.out_layout : desc.in_layout;
    tensor.dims = positional_dims(desc, layout, channels, seen, is_stored);
    if (begin != 0)
        tensor.data += fmt::format(" + {} * {}", begin, tensor.dims.strides[0]);
    std::vector<std::string> factors(tensor.dims.extents.begin() + 1, tensor.dims.extents.end());
    tensor.elements = fmt::format("{} * {}", channels, fmt::join(factors, " * "));
}

/// Elements of a tensor whose every extent is known.
int64_t elements_of(const std::vector<int64_t> &shape) {
    int64_t product = 1;
    for (const int64_t extent : shape)
        product *= extent;
    return product;
}

CTensor kernel_tensor(const Model &model, const KernelEntry &kernel, const TensorSpec &spec) {
    const ConvDesc &desc = op_of(kernel.desc, spec);
    const int type_class = !is_integer(spec.dtype)   ? 2
                           : is_unsigned(spec.dtype) ? 1
                                                     : 0; // halide_type_code_t
    CTensor tensor = {
        spec, c_type(spec.dtype),   type_class * 256 + static_cast<int>(8 * dtype_bytes(spec.dtype)),
        {},   "args->" + spec.name, ""};
    if (spec.role == TensorRole::Filter) {
        const ConvDesc merged = merge_trivial_axes(desc);
        tensor.dims = packed_dims(merged, packing_macros(model, kernel, kernel.id), merged.rank);
        return tensor;
    }
    if (!kernel.desc.is_open()) {
        const BufferDims dims = buffer_dims(kernel.desc, kernel.plans[0].packing, spec);
        tensor.dims = fixed_dims(dims);
        if (dims.begin != 0)
            tensor.data += fmt::format(" + {}", dims.begin);
        tensor.elements = fmt::format("(int64_t){}", elements_of(spec.shape));
        return tensor;
    }
    const auto channels = [&](Layout layout) {
        return layout == Layout::ChannelsLast ? spec.shape.back() : spec.shape[1];
    };
    const int stored = stored_channels(desc);
    switch (spec.role) {
    case TensorRole::Input: {
        tensor.dims = input_dims(desc);
        std::vector<std::string> axes = axis_names(desc.rank);
        tensor.elements = fmt::format("{} * n * {}", desc.ci, fmt::join(axes, " * "));
        break;
    }
    case TensorRole::Offset:
    case TensorRole::Mask:
        set_positional(tensor, desc, false, channels(desc.in_layout), channels(desc.in_layout), 0);
        break;
    case TensorRole::Filter:
        break; // above
    case TensorRole::Operand:
        switch (operand_info(spec.operand).shape) {
        case OperandShape::PerChannel:
            tensor.dims.extents = {std::to_string(desc.co)};
            tensor.dims.make_dense({0});
            tensor.elements = std::to_string(desc.co);
            break;
        case OperandShape::PerImageChannel:
            tensor.dims.extents = {std::to_string(desc.co), "n"};
            tensor.dims.make_dense({0, 1});
            tensor.elements = fmt::format("{} * n", desc.co);
            break;
        case OperandShape::Full:
            set_positional(tensor, desc, true, stored, stored, 0);
            break;
        }
        break;
    case TensorRole::Output:
    case TensorRole::Indices:
        set_positional(tensor, desc, true, channels(desc.out_layout), stored, desc.co_begin);
        break;
    }
    return tensor;
}

std::vector<CTensor> kernel_tensors(const Model &model, const KernelEntry &kernel) {
    std::vector<CTensor> tensors;
    for (const TensorSpec &spec : tensor_specs(kernel.desc, kernel.plans[0].packing))
        tensors.push_back(kernel_tensor(model, kernel, spec));
    return tensors;
}

/// Whether a tensor comes with every call; the others are part of the library.
bool is_passed(const Model &model, const TensorSpec &tensor) {
    return passes_weights(model) || !is_trained(tensor);
}

std::string args_struct(const Model &model, const KernelEntry &kernel, const std::string &id,
                        bool with_weights) {
    std::string text = fmt::format("typedef struct {}_{}_args {{\n", model.name, id);
    for (const CTensor &tensor : kernel_tensors(model, kernel)) {
        if (with_weights || is_passed(model, tensor.spec))
            text += fmt::format("    {}{} *{};\n", tensor.is_output() ? "" : "const ", tensor.type,
                                tensor.spec.name);
    }
    for (const std::string &size : open_sizes(kernel.desc))
        text += fmt::format("    int {};\n", size);
    return text + fmt::format("}} {}_{}_args;\n\n", model.name, id);
}

/// What is written overlaps nothing else that is as large.
std::string overlap_checks(const Model &model, const std::vector<CTensor> &tensors) {
    std::vector<std::string> conditions;
    const auto memory = [](const CTensor &t) {
        return fmt::format("args->{}, {} * {}", t.spec.name, t.elements, t.type_code % 256 / 8);
    };
    for (size_t out = 0; out < tensors.size(); out++) {
        for (size_t i = 0; tensors[out].is_output() && i < tensors.size(); i++) {
            const bool counts = i < out || (i > out && !tensors[i].is_output());
            if (counts && tensors[i].spec.role != TensorRole::Filter)
                conditions.push_back(fmt::format("{}_internal_overlap({}, {})", model.name,
                                                 memory(tensors[i]), memory(tensors[out])));
        }
    }
    return fmt::format("    if ({})\n        return {}_error_overlap;\n",
                       fmt::join(conditions, " ||\n        "), model.name);
}

std::string kernel_function(const Model &model, const KernelEntry &kernel, const std::string &id) {
    const std::vector<CTensor> tensors = kernel_tensors(model, kernel);
    std::vector<std::string> parameters, calls, pointers;
    std::string null_checks, alignment, locals;
    uint64_t written = 0;
    for (const CTensor &t : tensors) {
        written |= t.is_output() ? uint64_t{1} << pointers.size() : 0;
        pointers.push_back("&" + t.spec.name);
        const std::string &name = t.spec.name;
        parameters.push_back(fmt::format("{}_buffer *{}", model.name, name));
        null_checks +=
            fmt::format("    if (args->{0} == NULL)\n        return {1}_error_{0};\n", name, model.name);
        if (t.spec.role == TensorRole::Filter)
            alignment +=
                fmt::format("    if ((uintptr_t)args->{} % {}_FILTER_ALIGNMENT != 0)\n        return "
                            "{}_error_alignment;\n",
                            name, upper_case(model.name), model.name);
        locals += fmt::format("    const int64_t {0}_dims[] = {1};\n    {2}_internal_tensor {0};\n", name,
                              t.dims.initializer(), model.name);
        calls.push_back(fmt::format("{0}_internal_bind(&{1}, {2}, {3}, {4}, {1}_dims)", model.name, name,
                                    t.data, t.type_code, t.dims.extents.size()));
    }
    const Blanks blanks = {{"name", model.name},
                           {"id", id},
                           {"symbol", kernel_symbol(model, kernel)},
                           {"NAME", upper_case(model.name)},
                           {"parameters", fmt::format("{}", fmt::join(parameters, ", "))},
                           {"nulls", null_checks},
                           {"sizes", size_checks(model.name, kernel.desc)},
                           {"overlaps", overlap_checks(model, tensors)},
                           {"alignment", alignment},
                           {"locals", locals},
                           {"calls", fmt::format("{}", fmt::join(calls, ",\n        "))},
                           {"binds", fmt::format("{}", fmt::join(calls, ";\n    "))},
                           {"pointers", fmt::format("{}", fmt::join(pointers, ", "))},
                           {"count", std::to_string(tensors.size())},
                           {"written", std::to_string(written)}};
    if (is_for_gpu(model))
        return fill_in(R"(int @symbol@_argv(void **arguments);

static inline int @name@_internal_call_@id@(const @name@_@id@_args *args, const @name@_device *device) {
    if (args == NULL)
        return @name@_error_args;
@nulls@@alignment@@sizes@@overlaps@@locals@    @name@_internal_tensor *const internal_tensors[] = {@pointers@};
    @binds@;
    return @name@_internal_launch(@symbol@_argv, internal_tensors, @count@, @written@ULL, device);
}

)",
                       blanks) +
               cuda_functions(blanks);
    return fill_in(R"(int @symbol@(@parameters@);

static inline int @name@_@id@(const @name@_@id@_args *args) {
    if (args == NULL)
        return @name@_error_args;
@nulls@@alignment@@sizes@@overlaps@@locals@    return @symbol@(
        @calls@);
}

)",
                   blanks);
}

/// The filters that a kernel takes.
std::vector<TensorSpec> filters_of(const KernelEntry &kernel) {
    std::vector<TensorSpec> filters;
    for (const TensorSpec &spec : tensor_specs(kernel.desc, kernel.plans[0].packing)) {
        if (spec.role == TensorRole::Filter)
            filters.push_back(spec);
    }
    return filters;
}

std::string pack_function(const Model &model, const KernelEntry &kernel, const TensorSpec &filter) {
    const ConvDesc &desc = op_of(kernel.desc, filter);
    const CDims plain = plain_filter_dims(desc);
    const CDims packed = packed_dims(desc, packing_macros(model, kernel, kernel.id), kMaxSpatialRank);
    const Blanks blanks = {{"name", model.name},
                           {"id", kernel.id},
                           {"function", tensor_name("pack", filter.op)},
                           {"filter", filter.name},
                           {"NAME", upper_case(model.name)},
                           {"type", c_type(desc.weight_type)},
                           {"code", std::to_string(2 * 256 + 8 * dtype_bytes(desc.weight_type))},
                           {"plain", plain.initializer()},
                           {"plain_rank", std::to_string(plain.extents.size())},
                           {"packed", packed.initializer()},
                           {"packed_rank", std::to_string(packed.extents.size())},
                           {"pack", upper_case(fmt::format("{}_{}_pack", model.name, kernel.id))}};
    return fill_in(R"(static inline int @name@_@id@_@function@(const @type@ *filter, @type@ *packed) {
    const int64_t filter_dims[] = @plain@;
    const int64_t packed_dims[] = @packed@;
    @name@_internal_tensor from, to;
    if (filter == NULL)
        return @name@_error_@filter@;
    if (packed == NULL)
        return @name@_error_output;
    if ((uintptr_t)packed % @NAME@_FILTER_ALIGNMENT != 0)
        return @name@_error_alignment;
    return @pack@(@name@_internal_bind(&from, filter, @code@, @plain_rank@, filter_dims),
        @name@_internal_bind(&to, packed, @code@, @packed_rank@, packed_dims));
}

)",
                   blanks);
}

/// The output's extent before rearrangement, from the stored one: "oh" or "oh / 2".
std::string unstored_extent(const ConvDesc &desc, const std::string &stored) {
    const bool grows = desc.rearrange == Rearrange::DepthToSpace || desc.rearrange == Rearrange::PixelShuffle;
    return grows ? fmt::format("{} / {}", stored, desc.rearrange_factor) : stored;
}

/// "float [n][h][w][64]": shapes with the member's name where an extent is open.
std::string shape_comment(const ConvDesc &whole, const TensorSpec &spec) {
    const ConvDesc &desc = op_of(whole, spec);
    if (spec.role == TensorRole::Filter)
        return fmt::format("packed from {} = {}",
                           desc.op == Op::Deconv ? "[ci][co / groups][kernel...]"
                                                 : "[co][ci / groups][kernel...]",
                           shape_text(filter_shape(desc)));
    const bool is_small =
        spec.role == TensorRole::Operand && operand_info(spec.operand).shape != OperandShape::Full;
    const bool like_input =
        spec.role == TensorRole::Input || spec.role == TensorRole::Offset || spec.role == TensorRole::Mask;
    std::vector<std::string> names = axis_names(desc.rank);
    if (spec.role != TensorRole::Input) { // OUT_H(h) is called oh
        for (std::string &name : names)
            name = like_input ? unstored_extent(desc, "o" + name) : "o" + name;
    }
    const Layout layout = like_input ? desc.in_layout : desc.out_layout;
    names.insert(layout == Layout::ChannelsLast ? names.end() : names.begin(), "c");
    names.insert(names.begin(), "n");
    if (is_small)
        names = {"n", "c"};
    std::string text;
    for (size_t i = 0; i < spec.shape.size(); i++)
        text += fmt::format("[{}]", spec.shape[i] > 0 ? std::to_string(spec.shape[i]) : names[i]);
    return text;
}

/// The layer's comment: what it computes and how its tensors lie. A name cannot end the comment.
std::string layer_comment(const Model &model, const LayerEntry &layer) {
    const KernelEntry &kernel = model.kernels[layer.kernel];
    std::string name = layer.name;
    for (size_t at = name.find("*/"); at != std::string::npos; at = name.find("*/", at))
        name.replace(at, 2, "* /");
    for (size_t at = name.find("/*"); at != std::string::npos; at = name.find("/*", at))
        name.replace(at, 2, "/ *");
    std::replace_if(
        name.begin(), name.end(), [](unsigned char c) { return c < ' ' || c == '\\'; }, ' ');
    std::string text = fmt::format("/* Layer {}: {}\n", name, kernel.desc.key());
    for (const TensorSpec &spec : tensor_specs(kernel.desc, kernel.plans[0].packing)) {
        if (is_passed(model, spec))
            text += fmt::format(" *   {:8} {} {}\n", spec.name, c_type(spec.dtype),
                                shape_comment(kernel.desc, spec));
    }
    return text + " */\n";
}

/// Sizes a caller allocates by.
std::string layer_macros(const Model &model, const LayerEntry &layer) {
    const ConvDesc &desc = model.kernels[layer.kernel].desc;
    const std::string prefix = upper_case(fmt::format("{}_{}", model.name, layer.id));
    std::string text = fmt::format("#define {}_KEY \"{}\"\n", prefix, desc.key());
    for (const TensorSpec &filter : filters_of(model.kernels[layer.kernel])) {
        const ConvDesc &op = op_of(desc, filter);
        const CPacking packing = packing_macros(model, model.kernels[layer.kernel], layer.id);
        std::string weights =
            std::to_string(int64_t(op.ci / op.groups) * spatial_product(op.kernel, op.rank));
        if (!packing.tile.empty()) {
            weights = std::to_string(op.ci / op.groups);
            for (int axis = 0; axis < op.rank; axis++)
                weights += " * " + packed_taps(op, axis, packing);
        }
        if (passes_weights(model))
            text += fmt::format("#define {}_{}_ELEMENTS ((size_t){} * {})\n", prefix, upper_case(filter.name),
                                packed_channels(op, packing), weights);
    }
    const std::vector<std::string> names = axis_names(desc.rank);
    for (int axis = 0; axis < desc.rank; axis++) {
        if (desc.in[axis] == 0)
            text +=
                fmt::format("#define {}_OUT_{}({}) ({})\n", prefix, upper_case(names[axis]), names[axis],
                            stored_extent(desc, "(" + out_extent(desc, axis, "(" + names[axis] + ")") + ")"));
    }
    if (desc.is_open())
        return text + "\n";
    text += fmt::format("#define {}_INPUT_ELEMENTS {}\n", prefix, elements_of(input_shape(desc)));
    return text + fmt::format("#define {}_OUTPUT_ELEMENTS {}\n\n", prefix, elements_of(output_shape(desc)));
}

/// A layer with its own baked values: forwards to its kernel.
std::string baked_layer(const Model &model, const LayerEntry &layer) {
    const KernelEntry &kernel = model.kernels[layer.kernel];
    std::string text = args_struct(model, kernel, layer.id, false);
    std::string assignments;
    for (const CTensor &tensor : kernel_tensors(model, kernel)) {
        const std::string &name = tensor.spec.name;
        std::string value = "args->" + name;
        if (!is_passed(model, tensor.spec)) {
            value = baked_symbol(model, layer, name);
            text += fmt::format("extern const {} {}[];\n", tensor.type, value);
        }
        assignments += fmt::format("    all.{} = {};\n", name, value);
    }
    for (const std::string &size : open_sizes(kernel.desc))
        assignments += fmt::format("    all.{0} = args->{0};\n", size);
    const Blanks blanks = {
        {"name", model.name}, {"id", layer.id}, {"kernel", kernel.id}, {"assignments", assignments}};
    return text + fill_in(R"(static inline int @name@_@id@(const @name@_@id@_args *args) {
    @name@_internal_@kernel@_args all;
    if (args == NULL)
        return @name@_error_args;
@assignments@    return @name@_internal_@kernel@(&all);
}

)",
                          blanks);
}

/// A layer that takes its weights and is not the first of its kernel: the same function by another name.
std::string alias_layer(const Model &model, const LayerEntry &layer) {
    const KernelEntry &kernel = model.kernels[layer.kernel];
    Blanks blanks = {{"name", model.name},
                     {"id", layer.id},
                     {"kernel", kernel.id},
                     {"type", c_type(kernel.desc.weight_type)}};
    std::string text = fill_in(R"(typedef @name@_@kernel@_args @name@_@id@_args;

static inline int @name@_@id@(const @name@_@id@_args *args) { return @name@_@kernel@(args); }

)",
                               blanks);
    if (is_for_gpu(model))
        text += fill_in(
            R"(static inline int @name@_@id@_on_device(const @name@_@id@_args *args, const @name@_device *device) {
    return @name@_@kernel@_on_device(args, device);
}

)",
            blanks);
    for (const TensorSpec &filter : filters_of(kernel)) {
        blanks["function"] = tensor_name("pack", filter.op);
        text += fill_in(R"(static inline int @name@_@id@_@function@(const @type@ *filter, @type@ *packed) {
    return @name@_@kernel@_@function@(filter, packed);
}

)",
                        blanks);
    }
    return text;
}

} // namespace

std::string c_kernel(const Model &model, const KernelEntry &kernel) {
    if (passes_weights(model))
        return ""; // its first layer is the kernel
    const std::string id = "internal_" + kernel.id;
    return "\n" + args_struct(model, kernel, id, true) + kernel_function(model, kernel, id);
}

std::string c_layer(const Model &model, const LayerEntry &layer) {
    const KernelEntry &kernel = model.kernels[layer.kernel];
    const std::string head = "\n" + layer_comment(model, layer) + layer_macros(model, layer);
    if (!passes_weights(model))
        return head + baked_layer(model, layer);
    if (layer.id != kernel.id)
        return head + alias_layer(model, layer);
    std::string text =
        head + args_struct(model, kernel, layer.id, true) + kernel_function(model, kernel, layer.id);
    for (const TensorSpec &filter : filters_of(kernel))
        text += pack_function(model, kernel, filter);
    return text;
}

} // namespace convsmith::library
