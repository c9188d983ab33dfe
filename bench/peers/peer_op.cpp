// See peer_op.h.
#include "bench/peers/peer_op.h"

#include "generators/composite.h"
#include "generators/signature.h"

#include <cstring>
#include <utility>
#include <vector>

namespace convsmith::bench {

namespace {

/// An op of a composite as a descriptor of its own.
ConvDesc alone(ConvDesc op) {
    op.then.clear();
    op.branches.clear();
    op.is_fused = op.ends_chain = false;
    op.co_total = op.co_begin = 0;
    return op;
}

/// The tensors of op number `number` under the names they have when it is alone, and its input.
OracleTensors operands_of(const ConvDesc &desc, const OracleTensors &tensors, int number,
                          const TensorView &input) {
    OracleTensors operands;
    for (const TensorSpec &spec : tensor_specs(desc, Packing())) {
        if (spec.op != number)
            continue;
        const std::string suffix = tensor_name("", number);
        const std::string name = spec.name.substr(0, spec.name.size() - suffix.size());
        operands[name] = tensors.get(spec.name);
    }
    operands["input"] = input;
    return operands;
}

/// The calls of a chain, and the results between them.
struct Calls {
    std::vector<std::shared_ptr<PeerOp>> ops;
    std::vector<Tensor> results; ///< of every op but the last, when it was made: what the next was made with

    void run() const {
        for (const auto &op : ops)
            op->run();
    }
    Tensor output() const {
        Tensor result;
        for (const auto &op : ops)
            result = op->output();
        return result;
    }
};

} // namespace

PeerResult prepare_ops(const ConvDesc &desc, const OracleTensors &tensors, const MakePeerOp &make) {
    const std::string limits = common_peer_limits(desc);
    if (!limits.empty())
        return NotPrepared{limits};
    if (!desc.branches.empty())
        return NotPrepared{"branches of one input (" + op_info(whole_op(desc)).name +
                           "): compared with single ops and chains of them only"};
    std::vector<ConvDesc> ops = {alone(desc)};
    for (const ConvDesc &next : desc.then)
        ops.push_back(alone(next));

    const auto calls = std::make_shared<Calls>();
    std::string implementation;
    for (size_t i = 0; i < ops.size(); i++) {
        if (i > 0)
            calls->results.push_back(calls->ops.back()->output());
        const TensorView input = i > 0 ? calls->results.back().view() : tensors.get("input");
        auto made = make(ops[i], operands_of(desc, tensors, static_cast<int>(i), input));
        if (auto *not_prepared = std::get_if<NotPrepared>(&made))
            return NotPrepared{(i > 0 ? "op " + std::to_string(i + 1) + ": " : "") + not_prepared->reason};
        calls->ops.push_back(std::get<std::shared_ptr<PeerOp>>(made));
        const std::string chosen = calls->ops.back()->implementation();
        implementation += (implementation.empty() || chosen.empty() ? "" : ", ") + chosen;
    }
    PreparedPeer prepared;
    prepared.call = [calls] { calls->run(); };
    prepared.output = [calls, desc] { return placed_in_output(desc, calls->output()); };
    prepared.implementation = implementation;
    return prepared;
}

Tensor placed_in_output(const ConvDesc &desc, Tensor stored) {
    const ConvDesc &last = last_op(desc);
    if (last.co_total == 0)
        return stored;
    const bool channels_last = last.out_layout == Layout::ChannelsLast;
    const int64_t space = channels_last ? 1 : spatial_product(stored_extents(last), last.rank);
    const int64_t run = stored_channels(last) * space; // elements side by side in both tensors
    const int64_t run_total = last.co_total * space;
    Tensor output(DType::F32, output_shape(desc));
    std::memset(output.data(), 0xff, output.bytes());
    for (int64_t i = 0; i * run < stored.elements(); i++)
        std::memcpy(output.as<float>() + i * run_total + last.co_begin * space, stored.as<float>() + i * run,
                    static_cast<size_t>(run) * sizeof(float));
    return output;
}

Peer absent_peer(const std::string &name, const std::string &reason) {
    return {name, "", [reason](const ConvDesc &, const OracleTensors &, int) -> PeerResult {
                return NotPrepared{reason};
            }};
}

bool pads_with_values(const ConvDesc &op) {
    bool padded = false;
    for (int axis = 0; axis < op.rank; axis++)
        padded |= op.pad_begin[axis] > 0 || op.pad_end[axis] > 0;
    return padded && op.pad_mode != PadMode::Ignore;
}

std::string zero_padding_limits(const ConvDesc &op) {
    const bool zeros =
        op.pad_mode == PadMode::Zeros || (op.pad_mode == PadMode::Constant && op.pad_value == 0);
    return pads_with_values(op) && !zeros ? "padding mode " + pad_mode_name(op.pad_mode) : "";
}

std::string common_peer_limits(const ConvDesc &desc) {
    for (const ConvDesc *op : ops_of(desc))
        for (DType type : {op->in_type, op->weight_type, op->acc_type, op->out_type})
            if (type != DType::F32)
                return "type " + dtype_name(type) + ": only f32 is compared";
    return "";
}

} // namespace convsmith::bench
