// The table of peers (peers.inc) and what they have in common.
#include "bench/peers/peer.h"

#include "generators/composite.h"
#include "generators/error.h"

namespace convsmith::bench {

#define CONVSMITH_PEER(name) Peer make_##name##_peer();
#include "bench/peers/peers.inc"
#undef CONVSMITH_PEER

const std::vector<Peer> &peer_table() {
    static const std::vector<Peer> table = {
#define CONVSMITH_PEER(name) make_##name##_peer(),
#include "bench/peers/peers.inc"
#undef CONVSMITH_PEER
    };
    return table;
}

const Peer &find_peer(std::string_view name) {
    std::string known;
    for (const Peer &peer : peer_table()) {
        if (peer.name == name)
            return peer;
        known += (known.empty() ? "" : ", ") + peer.name;
    }
    throw Error(ErrorCode::BadArgument, "peer '" + std::string(name) + "' is unknown; known: " + known);
}

std::string common_peer_limits(const ConvDesc &desc) {
    if (is_composite(desc) || desc.op != Op::Conv)
        return "only single convolutions are compared so far, this is " + op_info(whole_op(desc)).name;
    if (desc.rearrange != Rearrange::None || desc.co_total != 0)
        return "an output that is rearranged or part of a larger tensor";
    for (DType type : {desc.in_type, desc.weight_type, desc.acc_type, desc.out_type})
        if (type != DType::F32)
            return "type " + dtype_name(type) + ": only f32 is compared";
    bool padded = false;
    for (int axis = 0; axis < desc.rank; axis++)
        padded |= desc.pad_begin[axis] > 0 || desc.pad_end[axis] > 0;
    const bool zeros =
        desc.pad_mode == PadMode::Zeros || (desc.pad_mode == PadMode::Constant && desc.pad_value == 0);
    if (padded && !zeros)
        return "padding mode " + pad_mode_name(desc.pad_mode);
    return "";
}

} // namespace convsmith::bench
