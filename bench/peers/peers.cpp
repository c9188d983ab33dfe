// The table of peers (peers.inc).
#include "bench/peers/peer.h"

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

} // namespace convsmith::bench
