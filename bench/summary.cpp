// See summary.h.
#include "bench/summary.h"

#include "bench/layer_class.h"
#include "runtime/records/statistics.h"

namespace convsmith::bench {

namespace {

/// `timing_of` gives the peer's timing of a layer, or null.
template<typename TimingOf>
PeerSummary summarize_one(const std::string &name, const std::vector<LayerResult> &layers,
                          const TimingOf &timing_of) {
    PeerSummary summary;
    summary.name = name;
    std::vector<double> ratios;
    double our_ns = 0, peer_ns = 0;
    for (const LayerResult &layer : layers) {
        const PeerTiming *peer = timing_of(layer);
        if (peer == nullptr)
            continue;
        if (ratios.empty() || peer->ratio < summary.worst_ratio) {
            summary.worst_ratio = peer->ratio;
            summary.worst_layer = layer.name;
        }
        ratios.push_back(peer->ratio);
        our_ns += layer.multiplicity * layer.ns.median;
        peer_ns += layer.multiplicity * peer->ns.median;
    }
    summary.layers = static_cast<int>(ratios.size());
    summary.geomean = autotune::geometric_mean(ratios);
    summary.network = our_ns > 0 ? peer_ns / our_ns : 0;
    return summary;
}

GroupSummary summarize_group(const std::string &name, const std::vector<LayerResult> &layers) {
    GroupSummary group;
    group.name = name;
    for (const LayerResult &layer : layers) {
        group.layers += layer.ok() ? 1 : 0;
        group.our_ns += layer.multiplicity * layer.ns.median;
    }
    group.best = summarize_best(layers);
    return group;
}

} // namespace

std::vector<PeerSummary> summarize(const std::vector<LayerResult> &layers, const std::vector<Peer> &peers) {
    std::vector<PeerSummary> summaries;
    for (const Peer &column : peers)
        summaries.push_back(
            summarize_one(column.name, layers, [&](const LayerResult &layer) -> const PeerTiming * {
                for (const PeerTiming &peer : layer.peers)
                    if (peer.name == column.name && peer.reason.empty())
                        return &peer;
                return nullptr;
            }));
    return summaries;
}

PeerSummary summarize_best(const std::vector<LayerResult> &layers) {
    return summarize_one("best peer", layers, [](const LayerResult &layer) { return layer.best_peer(); });
}

std::vector<GroupSummary> summarize_classes(const std::vector<LayerResult> &layers) {
    std::vector<GroupSummary> groups;
    for (const std::string &name : layer_classes()) {
        std::vector<LayerResult> members;
        for (const LayerResult &layer : layers)
            if (layer.ok() && layer_class(layer.desc) == name)
                members.push_back(layer);
        if (!members.empty())
            groups.push_back(summarize_group(name, members));
    }
    return groups;
}

std::vector<GroupSummary> summarize_networks(const std::vector<LayerResult> &layers,
                                             const std::vector<NetworkUse> &networks) {
    std::vector<GroupSummary> groups;
    for (const NetworkUse &network : networks) {
        std::vector<LayerResult> members;
        for (size_t i = 0; i < layers.size() && i < network.times.size(); i++) {
            if (network.times[i] > 0) {
                members.push_back(layers[i]);
                members.back().multiplicity = network.times[i];
            }
        }
        groups.push_back(summarize_group(network.name, members));
    }
    return groups;
}

} // namespace convsmith::bench
