// XNNPACK as a peer: 2D (and 1D as one row) channels-last convolution with zero padding; the epilogue it can
// fuse is bias and clamp. Compiles with the 2022 snapshot of Debian 12 and with later ones that split setup
// into reshape and setup.
#include "bench/peers/peer.h"
#include "generators/conv_shape.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <thread>
#ifdef CONVSMITH_HAVE_XNNPACK
#include <pthreadpool.h>
#include <xnnpack.h>
#endif

namespace convsmith::bench {

#ifdef CONVSMITH_HAVE_XNNPACK

namespace {

/// What XNNPACK's convolution does after the sum.
struct Clamp {
    float min = -std::numeric_limits<float>::infinity();
    float max = std::numeric_limits<float>::infinity();
};

/// Empty reason if bias (first, if any) and clamps are all there is.
std::string read_epilogue(const ConvDesc &desc, Clamp &clamp) {
    for (size_t i = 0; i < desc.epilogue.size(); i++) {
        const EpilogueStage &stage = desc.epilogue[i];
        Clamp step;
        if (stage.name == "bias" && i == 0)
            continue;
        if (stage.name == "relu")
            step.min = 0;
        else if (stage.name == "relu6")
            step = {0, 6};
        else if (stage.name == "clamp")
            step = {static_cast<float>(stage.params.at(0)), static_cast<float>(stage.params.at(1))};
        else
            return "its convolution fuses bias and clamp only, not " + stage.name;
        clamp = {std::clamp(clamp.min, step.min, step.max), std::clamp(clamp.max, step.min, step.max)};
    }
    return clamp.min < clamp.max ? "" : "empty clamp range";
}

std::string limits_of(const ConvDesc &desc) {
    std::string common = common_peer_limits(desc);
    if (!common.empty())
        return common;
    if (desc.rank > 2)
        return "no 3D convolution";
    if (desc.in_layout != Layout::ChannelsLast || desc.out_layout != Layout::ChannelsLast)
        return "channels-last layouts only";
    return "";
}

/// Height and width of a 1D or 2D extent list; `missing` stands for the height of a 1D problem.
struct Plane {
    Plane(const Spatial &values, int rank, int missing)
        : h(rank == 1 ? missing : values[0]), w(values[rank - 1]) {}
    int h, w;
};

/// [co][ci / g][k...] to [co][k...][ci / g].
Tensor to_ohwi(const ConvDesc &desc, const TensorView &filter) {
    const int64_t ci = desc.ci / desc.groups;
    const int64_t taps = spatial_product(desc.kernel, desc.rank);
    Tensor result(DType::F32, {desc.co, taps, ci});
    const float *from = static_cast<const float *>(filter.data);
    float *to = result.as<float>();
    for (int64_t co = 0; co < desc.co; co++)
        for (int64_t tap = 0; tap < taps; tap++)
            for (int64_t c = 0; c < ci; c++)
                *to++ = from[(co * ci + c) * taps + tap];
    return result;
}

class Convolution {
public:
    Convolution(const ConvDesc &desc, const OracleTensors &tensors, int threads)
        : desc_(desc), output_(DType::F32, output_shape(desc)) {
        // XNNPACK may read XNN_EXTRA_BYTES past the end of its input.
        const size_t bytes = static_cast<size_t>(tensors.get("input").elements()) * sizeof(float);
        input_.resize(bytes / sizeof(float) + XNN_EXTRA_BYTES / sizeof(float));
        std::memcpy(input_.data(), tensors.get("input").data, bytes);
        if (threads != 1)
            threads_.reset(pthreadpool_create(threads));
    }

    xnn_status create(const OracleTensors &tensors, const Clamp &clamp) {
        const Plane kernel(desc_.kernel, desc_.rank, 1), stride(desc_.stride, desc_.rank, 1);
        const Plane dilation(desc_.dilation, desc_.rank, 1), in(desc_.in, desc_.rank, 1);
        const Plane begin(desc_.pad_begin, desc_.rank, 0), end(desc_.pad_end, desc_.rank, 0);
        const Tensor filter = to_ohwi(desc_, tensors.get("filter"));
        xnn_operator_t op = nullptr;
        xnn_status status = xnn_create_convolution2d_nhwc_f32(
            begin.h, end.w, end.h, begin.w, kernel.h, kernel.w, stride.h, stride.w, dilation.h, dilation.w,
            desc_.groups, desc_.ci / desc_.groups, desc_.co / desc_.groups, desc_.ci, desc_.co,
            filter.as<float>(), static_cast<const float *>(tensors.get("bias").data), clamp.min, clamp.max, 0,
#ifdef CONVSMITH_XNNPACK_RESHAPE
            nullptr, nullptr,
#endif
            &op);
        if (status != xnn_status_success)
            return status;
        operator_.reset(op);
#ifdef CONVSMITH_XNNPACK_RESHAPE
        size_t workspace_bytes = 0, workspace_alignment = 0, out_h = 0, out_w = 0;
        status = xnn_reshape_convolution2d_nhwc_f32(op, desc_.n, in.h, in.w, &workspace_bytes,
                                                    &workspace_alignment, &out_h, &out_w, threads_.get());
        if (status != xnn_status_success)
            return status;
        workspace_ = Tensor(DType::U8, {static_cast<int64_t>(workspace_bytes) + 1});
        return xnn_setup_convolution2d_nhwc_f32(op, workspace_.data(), input_.data(), output_.as<float>());
#else
        return xnn_setup_convolution2d_nhwc_f32(op, desc_.n, in.h, in.w, input_.data(), output_.as<float>(),
                                                threads_.get());
#endif
    }

    void run() {
        xnn_run_operator(operator_.get(), threads_.get());
    }

    Tensor output() {
        run();
        Tensor copy(DType::F32, output_shape(desc_));
        std::memcpy(copy.data(), output_.data(), output_.bytes());
        return copy;
    }

private:
    struct DeleteOperator {
        void operator()(xnn_operator_t op) const { xnn_delete_operator(op); }
    };
    struct DeleteThreads {
        void operator()(pthreadpool_t pool) const { pthreadpool_destroy(pool); }
    };

    ConvDesc desc_;
    std::vector<float> input_;
    Tensor output_, workspace_;
    std::unique_ptr<std::remove_pointer_t<pthreadpool_t>, DeleteThreads> threads_;
    std::unique_ptr<std::remove_pointer_t<xnn_operator_t>, DeleteOperator> operator_;
};

PeerResult prepare(const ConvDesc &desc, const OracleTensors &tensors, int threads) {
    const std::string limits = limits_of(desc);
    if (!limits.empty())
        return NotPrepared{limits};
    Clamp clamp;
    const std::string reason = read_epilogue(desc, clamp);
    if (!reason.empty())
        return NotPrepared{reason};
    static const xnn_status initialized = xnn_initialize(nullptr);
    if (initialized != xnn_status_success)
        return NotPrepared{"xnn_initialize: status " + std::to_string(initialized)};
    auto convolution = std::make_shared<Convolution>(desc, tensors, threads);
    const xnn_status status = convolution->create(tensors, clamp);
    if (status != xnn_status_success)
        return NotPrepared{"XNNPACK: status " + std::to_string(status)};
    return PreparedPeer{[convolution] { convolution->run(); },
                        [convolution] { return convolution->output(); }, ""};
}

} // namespace

Peer make_xnnpack_peer() {
    return {"xnnpack", CONVSMITH_XNNPACK_VERSION, prepare};
}

#else

Peer make_xnnpack_peer() {
    return {"xnnpack", "", [](const ConvDesc &, const OracleTensors &, int) -> PeerResult {
                return NotPrepared{
                    "XNNPACK was absent when this program was built (libxnnpack-dev, libpthreadpool-dev)"};
            }};
}

#endif

} // namespace convsmith::bench
