// XNNPACK as a peer: 2D (and 1D as one row) channels-last convolutions and pools; the epilogue it can fuse is
// bias and clamp. Before it: a descriptor; after it: xnnpack_op.h, which makes XNNPACK's operators.
#include "bench/peers/peer_op.h"
#ifdef CONVSMITH_HAVE_XNNPACK
#include "bench/peers/xnnpack_op.h"

#include <algorithm>
#endif

namespace convsmith::bench {

#ifdef CONVSMITH_HAVE_XNNPACK

namespace {

/// Empty reason if bias (first, if any) and clamps are all there is.
std::string read_epilogue(const ConvDesc &op, Clamp &clamp) {
    for (size_t i = 0; i < op.epilogue.size(); i++) {
        const EpilogueStage &stage = op.epilogue[i];
        Clamp step;
        if (stage.name == "bias" && i == 0 && op_info(op.op).has_filter)
            continue;
        if (stage.name == "relu")
            step.min = 0;
        else if (stage.name == "relu6")
            step = {0, 6};
        else if (stage.name == "clamp")
            step = {static_cast<float>(stage.params.at(0)), static_cast<float>(stage.params.at(1))};
        else
            return "its operators fuse bias and clamp only, not " + stage.name;
        clamp = {std::clamp(clamp.min, step.min, step.max), std::clamp(clamp.max, step.min, step.max)};
    }
    return clamp.min < clamp.max ? "" : "empty clamp range";
}

std::string pool_limits(const ConvDesc &op) {
    if (op.indices != Indices::None)
        return "no maxima with such indices";
    if (pads_with_values(op))
        return "a pool that pads with " + pad_mode_name(op.pad_mode);
    if (op.op == Op::MaxPool)
        return "";
#ifdef CONVSMITH_XNNPACK_RESHAPE
    return "average pools of this XNNPACK's interface are not wrapped";
#else
    for (int axis = 0; axis < op.rank; axis++)
        if (op.dilation[axis] > 1)
            return "no dilated average pool";
    return "";
#endif
}

std::string limits_of(const ConvDesc &op) {
    if (op.op != Op::Conv && op.op != Op::Deconv && op.op != Op::MaxPool && op.op != Op::AvgPool)
        return "no operator for " + op_info(op.op).name;
    if (op.rank > 2)
        return "no 3D operators";
    if (op.in_layout != Layout::ChannelsLast || op.out_layout != Layout::ChannelsLast)
        return "channels-last layouts only";
    if (op.rearrange != Rearrange::None)
        return "no rearranged output";
    return op_info(op.op).is_pool ? pool_limits(op) : zero_padding_limits(op);
}

/// A thread pool for all ops of a problem; null for one thread.
std::shared_ptr<std::remove_pointer_t<pthreadpool_t>> make_pool(int threads) {
    if (threads == 1)
        return nullptr;
    return {pthreadpool_create(static_cast<size_t>(threads)), pthreadpool_destroy};
}

PeerResult prepare(const ConvDesc &desc, const OracleTensors &tensors, int threads) {
    static const xnn_status initialized = xnn_initialize(nullptr);
    if (initialized != xnn_status_success)
        return NotPrepared{"xnn_initialize: status " + std::to_string(initialized)};
    const auto pool = make_pool(threads);
    std::shared_ptr<XnnpackOp> before;
    PeerResult result =
        prepare_ops(desc, tensors, [&](const ConvDesc &op, const OracleTensors &operands) -> PeerOpResult {
            const std::string limits = limits_of(op);
            if (!limits.empty())
                return NotPrepared{limits};
            Clamp clamp;
            const std::string reason = read_epilogue(op, clamp);
            if (!reason.empty())
                return NotPrepared{reason};
            const auto made = std::make_shared<XnnpackOp>(op, operands, pool.get(), before);
            if (!made->create(operands, clamp))
                return NotPrepared{"XNNPACK: status " + std::to_string(made->status())};
            before = made;
            return std::shared_ptr<PeerOp>(made);
        });
    if (auto *prepared = std::get_if<PreparedPeer>(&result))
        prepared->call = [call = std::move(prepared->call), pool] { call(); }; // the pool lives as long
    return result;
}

} // namespace

Peer make_xnnpack_peer() {
    return {"xnnpack", CONVSMITH_XNNPACK_VERSION, prepare};
}

#else

Peer make_xnnpack_peer() {
    return absent_peer("xnnpack",
                       "XNNPACK was absent when this program was built (libxnnpack-dev, libpthreadpool-dev)");
}

#endif

} // namespace convsmith::bench
