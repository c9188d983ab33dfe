// What many layers amount to: per peer, per class of layers, per network. Before it: compare.h; after it:
// report.h and page.h.
#pragma once

#include "bench/compare.h"

#include <string>
#include <vector>

namespace convsmith::bench {

/// Which peer to sum up, and over how many layers it ran.
struct PeerSummary {
    std::string name;
    int layers = 0;     ///< that the peer computed
    double geomean = 0; ///< of the ratios, each layer once
    double network =
        0; ///< sum of multiplicity * peer median / sum of multiplicity * our median, on those layers
    std::string worst_layer;
    double worst_ratio = 0;
};
std::vector<PeerSummary> summarize(const std::vector<LayerResult> &layers, const std::vector<Peer> &peers);

/// The same against the best peer of each layer.
PeerSummary summarize_best(const std::vector<LayerResult> &layers);

/// A network whose layers are among those timed.
struct NetworkUse {
    std::string name;
    std::vector<int> times; ///< how often it runs each of the layers timed, in their order; 0: not its own
};

/// Some of the layers.
struct GroupSummary {
    std::string name;
    int layers = 0;    ///< timed
    double our_ns = 0; ///< sum of multiplicity * our median
    PeerSummary best;  ///< against the best peer of each layer
};

/// The classes (layer_class.h) that have layers, in their order.
std::vector<GroupSummary> summarize_classes(const std::vector<LayerResult> &layers);

std::vector<GroupSummary> summarize_networks(const std::vector<LayerResult> &layers,
                                             const std::vector<NetworkUse> &networks);

} // namespace convsmith::bench
