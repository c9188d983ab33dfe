// oneDNN as a peer, at its best: every tensor in the layout that oneDNN chooses (format_tag::any), weights
// reordered beforehand, epilogue as fused post-ops. Direct convolution, whose rounding the oracle's bound
// covers (Winograd's is larger). Compiles with oneDNN 2.6 (Debian 12) and 3.x (Debian 13).
#include "bench/peers/peer.h"
#include "generators/conv_shape.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#ifdef CONVSMITH_HAVE_ONEDNN
#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>
#endif

namespace convsmith::bench {

#ifdef CONVSMITH_HAVE_ONEDNN

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
std::variant<dnnl::post_ops, NotPrepared> post_ops_of(const ConvDesc &desc) {
    dnnl::post_ops ops;
    for (size_t i = 0; i < desc.epilogue.size(); i++) {
        const EpilogueStage &stage = desc.epilogue[i];
        if (stage.name == "bias") {
            if (i > 0)
                return NotPrepared{"bias after another stage"};
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

/// oneDNN names dimensions a, b, c...; index = number of dimensions.
Tag plain_tag(int dims) {
    constexpr Tag kPlain[] = {Tag::undef, Tag::a, Tag::ab, Tag::abc, Tag::abcd, Tag::abcde, Tag::abcdef};
    return kPlain[dims];
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

/// [co][ci / groups][k...], split into [g][co / g][ci / g][k...] where there are groups.
memory::dims weight_dims(const ConvDesc &desc) {
    memory::dims dims;
    if (desc.groups > 1)
        dims = {desc.groups, desc.co / desc.groups, desc.ci / desc.groups};
    else
        dims = {desc.co, desc.ci};
    dims.insert(dims.end(), desc.kernel.begin(), desc.kernel.begin() + desc.rank);
    return dims;
}

using PrimitiveDesc = dnnl::convolution_forward::primitive_desc;

PrimitiveDesc make_primitive_desc(const ConvDesc &desc, const dnnl::engine &engine,
                                  const dnnl::post_ops &ops) {
    const auto axes = [&](const Spatial &values, int minus) {
        memory::dims dims(values.begin(), values.begin() + desc.rank);
        for (auto &dim : dims)
            dim -= minus;
        return dims;
    };
    const memory::desc src(activation_dims(desc.n, desc.ci, desc.in, desc.rank), kF32, Tag::any);
    const memory::desc dst(activation_dims(desc.n, desc.co, out_extents(desc), desc.rank), kF32, Tag::any);
    const memory::desc weights(weight_dims(desc), kF32, Tag::any);
    const memory::desc bias =
        desc.has_operand(Operand::Bias) ? memory::desc({desc.co}, kF32, Tag::a) : memory::desc();
    // oneDNN counts the cells between taps: 0 is an undilated kernel.
    const memory::dims strides = axes(desc.stride, 0), dilates = axes(desc.dilation, 1);
    const memory::dims pad_begin = axes(desc.pad_begin, 0), pad_end = axes(desc.pad_end, 0);
    dnnl::primitive_attr attr;
    attr.set_post_ops(ops);
#if DNNL_VERSION_MAJOR >= 3
    return {engine,
            dnnl::prop_kind::forward_inference,
            algorithm::convolution_direct,
            src,
            weights,
            bias,
            dst,
            strides,
            dilates,
            pad_begin,
            pad_end,
            attr};
#else
    const dnnl::convolution_forward::desc operation(dnnl::prop_kind::forward_inference,
                                                    algorithm::convolution_direct, src, weights, bias, dst,
                                                    strides, dilates, pad_begin, pad_end);
    return {operation, attr, engine};
#endif
}

/// A primitive with its memory in the layouts it asked for.
class Convolution {
public:
    Convolution(const ConvDesc &desc, const OracleTensors &tensors, const dnnl::post_ops &ops)
        : desc_(desc), tensors_(tensors), stream_(engine_),
          primitive_desc_(make_primitive_desc(desc, engine_, ops)), primitive_(primitive_desc_),
          dst_(primitive_desc_.dst_desc(), engine_) {
        const memory::dims src_dims = activation_dims(desc.n, desc.ci, desc.in, desc.rank);
        arguments_[DNNL_ARG_SRC] = reordered({src_dims, kF32, activation_tag(desc.in_layout, desc.rank)},
                                             tensors.get("input").data, primitive_desc_.src_desc());
        const memory::dims weights = weight_dims(desc);
        arguments_[DNNL_ARG_WEIGHTS] = reordered({weights, kF32, plain_tag(static_cast<int>(weights.size()))},
                                                 tensors.get("filter").data, primitive_desc_.weights_desc());
        if (desc.has_operand(Operand::Bias))
            arguments_[DNNL_ARG_BIAS] =
                reordered({{desc.co}, kF32, Tag::a}, tensors.get("bias").data, primitive_desc_.bias_desc());
        arguments_[DNNL_ARG_DST] = dst_;
    }

    void run() {
        primitive_.execute(stream_, arguments_);
        stream_.wait();
    }

    Tensor output() {
        if (desc_.has_operand(Operand::Residual)) {
            memory residual(user_dst_desc(), engine_, tensors_.get("residual").data);
            dnnl::reorder(residual, dst_).execute(stream_, residual, dst_);
        }
        run();
        Tensor result(DType::F32, output_shape(desc_));
        memory user(user_dst_desc(), engine_, result.data());
        dnnl::reorder(dst_, user).execute(stream_, dst_, user);
        stream_.wait();
        return result;
    }

    std::string implementation() const { return primitive_desc_.impl_info_str(); }

private:
    memory::desc user_dst_desc() const {
        return {activation_dims(desc_.n, desc_.co, out_extents(desc_), desc_.rank), kF32,
                activation_tag(desc_.out_layout, desc_.rank)};
    }

    memory reordered(const memory::desc &from_desc, void *data, const memory::desc &to_desc) {
        memory from(from_desc, engine_, data);
        memory to(to_desc, engine_);
        dnnl::reorder(from, to).execute(stream_, from, to);
        stream_.wait();
        return to;
    }

    ConvDesc desc_;
    OracleTensors tensors_;
    dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream_;
    PrimitiveDesc primitive_desc_;
    dnnl::convolution_forward primitive_;
    memory dst_;
    std::unordered_map<int, memory> arguments_;
};

std::string library_version() {
    const dnnl::version_t *version = dnnl::version();
    return std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
           std::to_string(version->patch);
}

PeerResult prepare(const ConvDesc &desc, const OracleTensors &tensors, int threads) {
    const std::string limits = common_peer_limits(desc);
    if (!limits.empty())
        return NotPrepared{limits};
    omp_set_num_threads(threads > 0 ? threads : omp_get_num_procs());
    const auto ops = post_ops_of(desc);
    if (const auto *not_prepared = std::get_if<NotPrepared>(&ops))
        return *not_prepared;
    try {
        auto convolution = std::make_shared<Convolution>(desc, tensors, std::get<dnnl::post_ops>(ops));
        return PreparedPeer{[convolution] { convolution->run(); },
                            [convolution] { return convolution->output(); }, convolution->implementation()};
    } catch (const dnnl::error &error) {
        return NotPrepared{std::string("oneDNN: ") + error.what()};
    }
}

} // namespace

Peer make_onednn_peer() {
    return {"onednn", library_version(), prepare};
}

#else

Peer make_onednn_peer() {
    return {"onednn", "", [](const ConvDesc &, const OracleTensors &, int) -> PeerResult {
                return NotPrepared{"oneDNN was absent when this program was built (libdnnl-dev)"};
            }};
}

#endif

} // namespace convsmith::bench
