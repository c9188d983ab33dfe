// See onednn_primitive.h. Direct convolution, whose rounding the oracle's bound covers (Winograd's is
// larger). Compiles with oneDNN 2.6 (Debian 12) and 3.x (Debian 13).
#include "bench/peers/onednn_primitive.h"

#include "generators/conv_shape.h"

#include <algorithm>
#include <optional>

namespace convsmith::bench {

namespace {

using dnnl::algorithm;
using dnnl::memory;
using Tag = memory::format_tag;

constexpr memory::data_type kF32 = memory::data_type::f32;

/// An element-wise function of oneDNN and its two numbers.
struct Eltwise {
    algorithm function;
    float alpha = 0;
    float beta = 0;
};

std::optional<Eltwise> eltwise_of(const EpilogueStage &stage) {
    const auto param = [&](size_t i) { return static_cast<float>(stage.params.at(i)); };
    if (stage.name == "relu")
        return Eltwise{algorithm::eltwise_relu};
    if (stage.name == "relu6")
        return Eltwise{algorithm::eltwise_clip, 0, 6};
    if (stage.name == "clamp")
        return Eltwise{algorithm::eltwise_clip, param(0), param(1)};
    if (stage.name == "leaky_relu")
        return Eltwise{algorithm::eltwise_relu, param(0)};
    if (stage.name == "elu")
        return Eltwise{algorithm::eltwise_elu, param(0)};
    if (stage.name == "tanh")
        return Eltwise{algorithm::eltwise_tanh};
    if (stage.name == "sigmoid")
        return Eltwise{algorithm::eltwise_logistic};
    if (stage.name == "silu")
        return Eltwise{algorithm::eltwise_swish, 1};
    if (stage.name == "hard_swish") // oneDNN 3 takes the slope and offset that oneDNN 2 has built in
        return Eltwise{algorithm::eltwise_hardswish, 1.0f / 6, 0.5f};
    if (stage.name == "gelu")
        return Eltwise{algorithm::eltwise_gelu_erf};
    if (stage.name == "fast_gelu")
        return Eltwise{algorithm::eltwise_gelu_tanh};
    if (stage.name == "mish")
        return Eltwise{algorithm::eltwise_mish};
    return std::nullopt;
}

void append(dnnl::post_ops &ops, const Eltwise &eltwise) {
#if DNNL_VERSION_MAJOR >= 3
    ops.append_eltwise(eltwise.function, eltwise.alpha, eltwise.beta);
#else
    ops.append_eltwise(1.0f, eltwise.function, eltwise.alpha, eltwise.beta);
#endif
}

/// The epilogue after the bias as post-ops; a residual is `sum`, which oneDNN reads from the output tensor.
std::variant<dnnl::post_ops, NotPrepared> post_ops_of(const ConvDesc &op) {
    dnnl::post_ops ops;
    for (size_t i = 0; i < op.epilogue.size(); i++) {
        const EpilogueStage &stage = op.epilogue[i];
        if (stage.name == "bias") {
            if (i > 0 || filter_shape(op).empty())
                return NotPrepared{"bias after another stage or without weights"};
            continue;
        }
        if (stage.name == "residual") {
            ops.append_sum(1.0f);
            continue;
        }
        if (stage.name == "hard_sigmoid") { // oneDNN 2 has no such function
            append(ops, {algorithm::eltwise_linear, static_cast<float>(stage.params.at(0)),
                         static_cast<float>(stage.params.at(1))});
            append(ops, {algorithm::eltwise_clip, 0, 1});
            continue;
        }
        const std::optional<Eltwise> eltwise = eltwise_of(stage);
        if (!eltwise)
            return NotPrepared{"no post-op for " + stage.name};
        append(ops, *eltwise);
    }
    return ops;
}

Tag activation_tag(Layout layout, int rank) {
    constexpr Tag kLast[] = {Tag::undef, Tag::nwc, Tag::nhwc, Tag::ndhwc};
    constexpr Tag kFirst[] = {Tag::undef, Tag::ncw, Tag::nchw, Tag::ncdhw};
    return layout == Layout::ChannelsLast ? kLast[rank] : kFirst[rank];
}

memory::dims activation_dims(int n, int channels, const Spatial &extents, int rank) {
    memory::dims dims = {n, channels};
    dims.insert(dims.end(), extents.begin(), extents.begin() + rank);
    return dims;
}

memory::dims input_dims(const ConvDesc &op) {
    return activation_dims(op.n, op.ci, op.in, op.rank);
}

memory::dims output_dims(const ConvDesc &op) {
    return activation_dims(op.n, op.co, out_extents(op), op.rank);
}

/// [g][co / g][ci / g][k...], the first only where there are groups.
memory::dims weight_dims(const ConvDesc &op) {
    memory::dims dims;
    if (op.groups > 1)
        dims = {op.groups};
    dims.insert(dims.end(), {op.co / op.groups, op.ci / op.groups});
    dims.insert(dims.end(), op.kernel.begin(), op.kernel.begin() + op.rank);
    return dims;
}

/// The numbers of a window as oneDNN counts them.
struct Window {
    explicit Window(const ConvDesc &op) {
        const auto axes = [&](const Spatial &values, int minus) {
            memory::dims dims(values.begin(), values.begin() + op.rank);
            for (auto &dim : dims)
                dim -= minus;
            return dims;
        };
        kernel = axes(op.kernel, 0);
        strides = axes(op.stride, 0);
        dilates = axes(op.dilation, 1); // cells between taps: 0 is an undilated kernel
        pad_begin = axes(op.pad_begin, 0);
        pad_end = axes(op.pad_end, 0);
    }
    memory::dims kernel, strides, dilates, pad_begin, pad_end;
};

/// A primitive descriptor: oneDNN 2 makes it of an operation descriptor, oneDNN 3 of the same arguments.
template<typename Primitive, typename... Arguments>
typename Primitive::primitive_desc describe(const dnnl::engine &engine, const dnnl::primitive_attr &attr,
                                            const Arguments &...arguments) {
#if DNNL_VERSION_MAJOR >= 3
    return {engine, dnnl::prop_kind::forward_inference, arguments..., attr};
#else
    return {typename Primitive::desc(dnnl::prop_kind::forward_inference, arguments...), attr, engine};
#endif
}

template<typename Primitive>
OnednnPrimitive make_convolution(const ConvDesc &op, algorithm how, const memory::desc &src,
                                 const dnnl::engine &engine, const dnnl::primitive_attr &attr) {
    const Window window(op);
    const memory::desc weights(weight_dims(op), kF32, Tag::any), dst(output_dims(op), kF32, Tag::any);
    const memory::desc bias =
        op.has_operand(Operand::Bias) ? memory::desc({op.co}, kF32, Tag::a) : memory::desc();
    const auto described = describe<Primitive>(engine, attr, how, src, weights, bias, dst, window.strides,
                                               window.dilates, window.pad_begin, window.pad_end);
    return {Primitive(described),  described.src_desc(), described.weights_desc(),
            described.bias_desc(), described.dst_desc(), described.impl_info_str()};
}

#if DNNL_VERSION_MAJOR >= 3
using Pooling = dnnl::pooling_forward;
#else
using Pooling = dnnl::pooling_v2_forward; // the one that dilates
#endif

OnednnPrimitive make_pool(const ConvDesc &op, const memory::desc &src, const dnnl::engine &engine,
                          const dnnl::primitive_attr &attr) {
    Window window(op);
    const Spatial out = out_extents(op);
    for (int axis = 0; axis < op.rank; axis++) { // the overhang of ceil mode is padding to oneDNN
        const int64_t reach =
            int64_t(out[axis] - 1) * op.stride[axis] + effective_kernel(op.kernel[axis], op.dilation[axis]);
        window.pad_end[axis] = std::max(window.pad_end[axis], reach - op.in[axis] - window.pad_begin[axis]);
    }
    const algorithm how = op.op == Op::MaxPool             ? algorithm::pooling_max
                          : op.pad_mode == PadMode::Ignore ? algorithm::pooling_avg_exclude_padding
                                                           : algorithm::pooling_avg_include_padding;
    const memory::desc dst(output_dims(op), kF32, Tag::any);
    const auto described = describe<Pooling>(engine, attr, how, src, dst, window.strides, window.kernel,
                                             window.dilates, window.pad_begin, window.pad_end);
    return {Pooling(described),   described.src_desc(),     {}, {},
            described.dst_desc(), described.impl_info_str()};
}

bool is_pool(const ConvDesc &op) {
    return op.op == Op::MaxPool || op.op == Op::AvgPool;
}

/// What oneDNN has no primitive for; empty if nothing.
std::string limits_of(const ConvDesc &op) {
    if (op.op != Op::Conv && op.op != Op::Deconv && !is_pool(op))
        return "no primitive for " + op_info(op.op).name;
    if (op.rearrange != Rearrange::None)
        return "no rearranged output";
    if (op.indices != Indices::None)
        return "its maxima come with another kind of index";
    if (!is_pool(op))
        return zero_padding_limits(op);
    if (op.op == Op::MaxPool ? pads_with_values(op) : op.pad_mode != PadMode::Ignore && op.ceil_mode)
        return "a pool that pads with " + pad_mode_name(op.pad_mode) + (op.ceil_mode ? " in ceil mode" : "");
    return op.op == Op::AvgPool && op.pad_mode != PadMode::Ignore ? zero_padding_limits(op) : "";
}

} // namespace

std::vector<Tag> source_layouts(const ConvDesc &op) {
    if (!is_pool(op))
        return {Tag::any};
    switch (op.rank) {
    case 1:
        return {Tag::nwc, Tag::nCw8c, Tag::nCw16c, Tag::ncw};
    case 2:
        return {Tag::nhwc, Tag::nChw8c, Tag::nChw16c, Tag::nchw};
    default:
        return {Tag::ndhwc, Tag::nCdhw8c, Tag::nCdhw16c, Tag::ncdhw};
    }
}

std::variant<OnednnPrimitive, NotPrepared> make_onednn_primitive(const ConvDesc &op, Tag source,
                                                                 const dnnl::engine &engine) {
    const std::string limits = limits_of(op);
    if (!limits.empty())
        return NotPrepared{limits};
    const auto ops = post_ops_of(op);
    if (const auto *not_prepared = std::get_if<NotPrepared>(&ops))
        return *not_prepared;
    dnnl::primitive_attr attr;
    attr.set_post_ops(std::get<dnnl::post_ops>(ops));
    const memory::desc src(input_dims(op), kF32, source);
    if (op.op == Op::Conv)
        return make_convolution<dnnl::convolution_forward>(op, algorithm::convolution_direct, src, engine,
                                                           attr);
    if (op.op == Op::Deconv)
        return make_convolution<dnnl::deconvolution_forward>(op, algorithm::deconvolution_direct, src, engine,
                                                             attr);
    return make_pool(op, src, engine, attr);
}

memory::desc user_input(const ConvDesc &op) {
    return {input_dims(op), kF32, activation_tag(op.in_layout, op.rank)};
}

memory::desc user_output(const ConvDesc &op) {
    return {output_dims(op), kF32, activation_tag(op.out_layout, op.rank)};
}

memory::desc user_filter(const ConvDesc &op) {
    const memory::dims dims = weight_dims(op);
    const bool inputs_first = op.op == Op::Deconv; // [ci][co / g][k...], else [co][ci / g][k...]
    const int64_t taps = spatial_product(op.kernel, op.rank);
    const int64_t co = op.co / op.groups, ci = op.ci / op.groups;
    memory::dims strides;
    if (op.groups > 1)
        strides = {co * ci * taps};
    strides.push_back(inputs_first ? taps : ci * taps);
    strides.push_back(inputs_first ? co * taps : taps);
    for (int axis = 0; axis < op.rank; axis++) {
        int64_t inner = 1;
        for (int next = axis + 1; next < op.rank; next++)
            inner *= op.kernel[next];
        strides.push_back(inner);
    }
    return {dims, kF32, strides};
}

} // namespace convsmith::bench
