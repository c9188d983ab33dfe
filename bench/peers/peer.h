// Peers: other libraries that compute the same layers, wrapped so that bench can verify and time them. Each
// has a row in peers.inc and a file named after it; a peer whose library is not there still answers, with the
// reason.
#pragma once

#include "generators/conv_desc.h"
#include "runtime/oracle.h"
#include "runtime/tensor.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <variant>
#include <vector>

namespace convsmith::bench {

/// One problem ready to run in a peer.
struct PreparedPeer {
    /// The whole problem in the layouts the peer likes best, weights already packed; reorders are not part of
    /// it. A chain is one call of the peer for each op.
    std::function<void()> call;
    /// Runs once on the original operands and returns the output in the descriptor's layout.
    std::function<Tensor()> output;
    std::string implementation; ///< what the peer calls the kernel it chose; empty if it does not say
    /// Only of a peer in another process: makes that many calls and returns the nanoseconds they took there.
    std::function<double(int64_t calls)> block = nullptr;
    /// Only of our own Winograd plans: JudgeOptions::relative_error.
    double relative_error = 0;
    pid_t process = 0; ///< that other process; 0: this one
};

/// Why a peer does not compute a problem.
struct NotPrepared {
    std::string reason;
};

using PeerResult = std::variant<PreparedPeer, NotPrepared>;

/// A library that bench compares with.
struct Peer {
    std::string name;    ///< as in --against
    std::string version; ///< of the library that runs; empty if it is not there
    /// Prepares a closed descriptor on `tensors` for `threads` threads (0: one per core). The tensors must
    /// outlive the result. The result computes the whole epilogue or there is none.
    std::function<PeerResult(const ConvDesc &desc, const OracleTensors &tensors, int threads)> prepare;
};

/// Every peer this program knows, in the order of reports.
const std::vector<Peer> &peer_table();

/// The row called `name`. Throws Error(BadArgument) listing the known names.
const Peer &find_peer(std::string_view name);

} // namespace convsmith::bench
