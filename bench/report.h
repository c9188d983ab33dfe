// What a benchmark found, as JSON (the format of `convsmith bench --json`, documented in the README) and as a
// table.
#pragma once

#include "bench/compare.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace convsmith::bench {

/// Everything one run of bench found.
struct Report {
    Machine machine;
    int threads = 1;
    std::vector<Peer> peers; ///< compared with, in column order
    std::vector<LayerResult> layers;
};

/// {"machine", "threads", "layers": [...], "geomean": {peer: ...}, "network": {peer: ...}}; times in
/// nanoseconds, ratio = peer / ours. A peer that did not run a layer is in the layer's "not_compared" with
/// the reason, and is missing from "peers"; a layer whose result is wrong has "failure" in place of times.
nlohmann::ordered_json to_json(const Report &report);

/// The line above the table: processor, peak, bandwidth, peers' versions.
std::string machine_text(const Report &report);

/// Column titles, aligned with layer_text.
std::string header_text(const Report &report);

/// One line: name, plan, time, GFLOP/s, % of peak, error, and each peer's time and ratio.
std::string layer_text(const LayerResult &layer);

/// Geomean, network total and worst layer for each peer; reasons why peers left layers out, with counts.
std::string summary_text(const Report &report);

} // namespace convsmith::bench
