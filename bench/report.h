// What a benchmark found, as JSON (the format of `convsmith bench --json`, docs/bench.md) and as a table.
// Before it: compare.h and summary.h; after it: the program, and page.h.
#pragma once

#include "bench/summary.h"

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace convsmith::bench {

/// Everything one run of bench found.
struct Report {
    std::string title; ///< of the network
    Machine machine;
    int threads = 1;
    std::vector<Peer> peers; ///< compared with, in column order
    std::vector<LayerResult> layers;
    std::vector<NetworkUse> networks; ///< that the layers are from
};

/// {"machine", "threads", "layers": [...], "geomean": {peer: ...}, "network": {peer: ...}, "worst": {peer:
/// {"layer", "ratio"}}, "best_peer": {"geomean", "network", "layer", "ratio"}, "classes": {name: {"layers",
/// "ns", "best_peer"}}, "networks": the same}; times in nanoseconds with "spread" in percent, ratio = peer /
/// ours. A peer that did not run a layer is in the layer's "not_compared" with the reason, and is missing
/// from "peers"; a layer whose result is wrong has "failure" in place of times.
nlohmann::ordered_json to_json(const Report &report);

/// The line above the table: processor, peak, bandwidth, peers' versions.
std::string machine_text(const Report &report);

/// Column titles, aligned with layer_text.
std::string header_text(const Report &report);

/// One line: name, plan, time, GFLOP/s, % of peak, error, and each peer's time and ratio.
std::string layer_text(const LayerResult &layer);

/// Geomean, network total and worst layer for each peer; reasons why peers left layers out, with counts;
/// against the best peer also for each class of layers and, where there are several, for each network.
std::string summary_text(const Report &report);

/// Why a peer left layers out, and how many each time.
std::map<std::string, int> reasons_of(const Report &report, const std::string &peer);

} // namespace convsmith::bench
