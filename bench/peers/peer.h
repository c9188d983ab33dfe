// Peers: other libraries that compute the same convolutions, wrapped so that bench can verify and time them.
// Each is one file and one row of peers.inc; a peer whose library was absent at build time still answers,
// with the reason.
#pragma once

#include "generators/conv_desc.h"
#include "runtime/oracle.h"
#include "runtime/tensor.h"

#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace convsmith::bench {

/// One problem ready to run in a peer.
struct PreparedPeer {
    /// One convolution in the layouts the peer likes best, weights already packed; reorders are not part of
    /// it.
    std::function<void()> call;
    /// Runs once on the original operands and returns the output in the descriptor's layout.
    std::function<Tensor()> output;
    std::string implementation; ///< what the peer calls the kernel it chose; empty if it does not say
};

/// Why a peer does not compute a problem.
struct NotPrepared {
    std::string reason;
};

using PeerResult = std::variant<PreparedPeer, NotPrepared>;

/// A library that bench compares with.
struct Peer {
    std::string name;    ///< as in --against
    std::string version; ///< of the library that runs; empty if it was absent at build time
    /// Prepares a closed descriptor on `tensors` for `threads` threads (0: one per core). The tensors must
    /// outlive the result. The result computes the whole epilogue or there is none.
    std::function<PeerResult(const ConvDesc &desc, const OracleTensors &tensors, int threads)> prepare;
};

/// Every peer this program knows, in the order of reports.
const std::vector<Peer> &peer_table();

/// The row called `name`. Throws Error(BadArgument) listing the known names.
const Peer &find_peer(std::string_view name);

/// What no peer here computes: anything but f32 with zero padding. Empty if nothing stands against it.
std::string common_peer_limits(const ConvDesc &desc);

} // namespace convsmith::bench
