// What peers have in common: a descriptor of several ops is as many calls, one after the other, each on the
// result of the one before. Before it: compare.h, with a descriptor; after it: each peer's own file, with one
// op at a time.
#pragma once

#include "bench/peers/peer.h"
#include "generators/conv_shape.h"

#include <functional>
#include <memory>
#include <string>
#include <variant>

namespace convsmith::bench {

/// One op in a peer, with memory of its own.
class PeerOp {
public:
    virtual ~PeerOp() = default;
    /// One call in the layouts the peer likes best.
    virtual void run() = 0;
    /// Runs once on the original operands; the result has the shape stored_shape in the op's layout.
    virtual Tensor output() = 0;
    /// What the peer calls the kernel it chose; empty if it does not say.
    virtual std::string implementation() const { return ""; }
};

using PeerOpResult = std::variant<std::shared_ptr<PeerOp>, NotPrepared>;

/// Makes one op. `operands` has its tensors by the names of a descriptor of its own: "input", "filter", ...
using MakePeerOp = std::function<PeerOpResult(const ConvDesc &op, const OracleTensors &operands)>;

/// A descriptor as calls of a peer: one, or one for each op of a chain in order; the input of a later one is
/// the result of the one before, and `make` may read that in place. Other composites are not prepared.
PeerResult prepare_ops(const ConvDesc &desc, const OracleTensors &tensors, const MakePeerOp &make);

/// The result of `desc` as judge wants it: channels that it does not write are all bits set.
Tensor placed_in_output(const ConvDesc &desc, Tensor stored);

/// The row of a peer whose library is not here.
Peer absent_peer(const std::string &name, const std::string &reason);

/// True if the op reads cells outside its input, and they have values (they do not in PadMode::Ignore).
bool pads_with_values(const ConvDesc &op);

/// Why a peer that pads with zeros only does not compute the op; empty if nothing stands against it.
std::string zero_padding_limits(const ConvDesc &op);

/// Why no peer computes the descriptor: types other than f32. Empty if nothing stands against it.
std::string common_peer_limits(const ConvDesc &desc);

} // namespace convsmith::bench
