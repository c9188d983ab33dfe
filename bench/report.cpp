// See report.h.
#include "bench/report.h"

#include <fmt/format.h>

#include <algorithm>

namespace convsmith::bench {

namespace {

using Json = nlohmann::ordered_json;

Json timing_json(const Timing &timing) {
    return {
        {"min", timing.min}, {"median", timing.median}, {"spread", timing.spread}, {"rounds", timing.rounds}};
}

Json layer_json(const LayerResult &layer) {
    Json json = {{"name", layer.name},
                 {"key", layer.desc.key()},
                 {"multiplicity", layer.multiplicity},
                 {"plan", layer.choice.plan.text()},
                 {"source", layer.choice.source}};
    if (!layer.ok()) {
        json["failure"] = layer.failure;
        return json;
    }
    json["ns"] = timing_json(layer.ns);
    if (layer.compile_ms > 0)
        json["compile_ms"] = layer.compile_ms;
    json["workspace_bytes"] = layer.workspace_bytes;
    json["gflops"] = layer.gflops;
    json["percent_of_peak"] = layer.percent_of_peak;
    json["bytes"] = layer.bytes;
    json["percent_of_bandwidth"] = layer.percent_of_bandwidth;
    json["max_error"] = layer.max_error;
    json["peers"] = Json::object();
    for (const PeerTiming &peer : layer.peers) {
        if (!peer.reason.empty()) {
            json["not_compared"][peer.name] = peer.reason;
            continue;
        }
        json["peers"][peer.name] = {{"ns", timing_json(peer.ns)}, {"ratio", peer.ratio}};
        if (!peer.implementation.empty())
            json["peers"][peer.name]["implementation"] = peer.implementation;
    }
    if (const PeerTiming *best = layer.best_peer())
        json["best_peer"] = {{"name", best->name}, {"ratio", best->ratio}};
    return json;
}

Json machine_json(const Report &report) {
    const Machine &machine = report.machine;
    Json json = {{"cpu", machine.cpu},
                 {"cores", machine.cores},
                 {"vector_unit", machine.vector_unit},
                 {"peak_gflops", machine.peak_gflops},
                 {"copy_gb_per_s", machine.copy_gb_per_s},
                 {"busy_cores", machine.busy_cores}};
    json["peers"] = Json::object();
    for (const Peer &peer : report.peers)
        json["peers"][peer.name] = peer.version;
    return json;
}

std::string milliseconds(double ns) {
    return fmt::format("{:.3f}", ns * 1e-6);
}

Json best_json(const PeerSummary &best) {
    return {{"geomean", best.geomean},
            {"network", best.network},
            {"layer", best.worst_layer},
            {"ratio", best.worst_ratio}};
}

Json groups_json(const std::vector<GroupSummary> &groups) {
    Json json = Json::object();
    for (const GroupSummary &group : groups) {
        json[group.name] = {{"layers", group.layers}, {"ns", group.our_ns}};
        if (group.best.layers > 0)
            json[group.name]["best_peer"] = best_json(group.best);
    }
    return json;
}

constexpr int kNameWidth = 28;
constexpr int kPlanWidth = 50;

/// `text` in exactly `width` columns.
std::string column(const std::string &text, int width) {
    return fmt::format("{:<{}.{}}", text, width, width);
}

/// A name of a network's layer differs from the next at its end, a key at its beginning.
std::string name_column(const LayerResult &layer) {
    const auto excess = static_cast<int>(layer.name.size()) - kNameWidth;
    if (excess <= 0 || layer.name == layer.desc.key())
        return column(layer.name, kNameWidth);
    return ".." + layer.name.substr(excess + 2);
}

/// What kernels cost beside their time: the worst of the layers.
std::string cost_text(const std::vector<LayerResult> &layers) {
    std::string text;
    const auto slowest = std::max_element(layers.begin(), layers.end(), [](const auto &a, const auto &b) {
        return a.compile_ms < b.compile_ms;
    });
    if (slowest != layers.end() && slowest->compile_ms > 0)
        text += fmt::format("compiled {} kernels, the slowest in {:.2f} s ({})\n",
                            std::count_if(layers.begin(), layers.end(),
                                          [](const LayerResult &layer) { return layer.compile_ms > 0; }),
                            slowest->compile_ms * 1e-3, slowest->name);
    const auto largest = std::max_element(layers.begin(), layers.end(), [](const auto &a, const auto &b) {
        return a.workspace_bytes < b.workspace_bytes;
    });
    if (largest != layers.end())
        text += fmt::format("workspace: {:.2f} MiB at most ({})\n",
                            static_cast<double>(largest->workspace_bytes) / (1 << 20), largest->name);
    return text;
}

/// A table of groups, nothing if there is only one.
std::string groups_text(const std::string &title, const std::vector<GroupSummary> &groups) {
    if (groups.size() < 2)
        return "";
    std::string text = fmt::format("\n{} {:>6} {:>10} {:>18} {:>9} {:>7}\n", column(title, kPlanWidth),
                                   "layers", "ms", "best peer geomean", "network", "worst");
    for (const GroupSummary &group : groups) {
        text += fmt::format("{} {:>6} {:>10}", column(group.name, kPlanWidth), group.layers,
                            milliseconds(group.our_ns));
        if (group.best.layers > 0)
            text += fmt::format(" {:>18.3f} {:>9.3f} {:>7.3f} ({})", group.best.geomean, group.best.network,
                                group.best.worst_ratio, group.best.worst_layer);
        text += "\n";
    }
    return text;
}

} // namespace

nlohmann::ordered_json to_json(const Report &report) {
    Json json = {{"machine", machine_json(report)}, {"threads", report.threads}};
    json["layers"] = Json::array();
    for (const LayerResult &layer : report.layers)
        json["layers"].push_back(layer_json(layer));
    json["geomean"] = Json::object();
    json["network"] = Json::object();
    for (const PeerSummary &summary : summarize(report.layers, report.peers)) {
        if (summary.layers == 0)
            continue;
        json["geomean"][summary.name] = summary.geomean;
        json["network"][summary.name] = summary.network;
        json["worst"][summary.name] = {{"layer", summary.worst_layer}, {"ratio", summary.worst_ratio}};
    }
    const PeerSummary best = summarize_best(report.layers);
    if (best.layers > 0)
        json["best_peer"] = best_json(best);
    json["classes"] = groups_json(summarize_classes(report.layers));
    json["networks"] = groups_json(summarize_networks(report.layers, report.networks));
    return json;
}

std::string machine_text(const Report &report) {
    const Machine &machine = report.machine;
    std::string text = fmt::format("{}, {} of {} cores, peak {:.1f} GFLOP/s f32 ({}), copy {:.1f} GB/s",
                                   machine.cpu, machine.threads, machine.cores, machine.peak_gflops,
                                   machine.vector_unit, machine.copy_gb_per_s);
    for (const Peer &peer : report.peers)
        text += fmt::format(", {} {}", peer.name, peer.version.empty() ? "absent" : peer.version);
    return text;
}

std::string header_text(const Report &report) {
    std::string text = fmt::format("{} {} {:>9} {:>9} {:>6} {:>9}", column("layer", kNameWidth),
                                   column("plan", kPlanWidth), "ms", "GFLOP/s", "% peak", "max error");
    for (const Peer &peer : report.peers)
        text += fmt::format(" {:>11} {:>6}", peer.name + " ms", "ratio");
    return text;
}

std::string layer_text(const LayerResult &layer) {
    std::string text = fmt::format("{} {}", name_column(layer), column(layer.choice.plan.text(), kPlanWidth));
    if (!layer.ok())
        return text + " FAILED: " + layer.failure;
    text += fmt::format(" {:>9} {:>9.2f} {:>6.1f} {:>9.1e}", milliseconds(layer.ns.median), layer.gflops,
                        layer.percent_of_peak, layer.max_error);
    for (const PeerTiming &peer : layer.peers) {
        if (peer.reason.empty())
            text += fmt::format(" {:>11} {:>6.2f}", milliseconds(peer.ns.median), peer.ratio);
        else
            text += fmt::format(" {:>11} {:>6}", "-", "-");
    }
    return text;
}

std::string summary_text(const Report &report) {
    double total_ns = 0;
    for (const LayerResult &layer : report.layers)
        total_ns += layer.multiplicity * layer.ns.median;
    std::string text = fmt::format("network: {} ms\n", milliseconds(total_ns)) + cost_text(report.layers);
    std::vector<PeerSummary> summaries = summarize(report.layers, report.peers);
    if (summaries.size() > 1)
        summaries.push_back(summarize_best(report.layers));
    for (const PeerSummary &summary : summaries) {
        if (summary.layers > 0)
            text += fmt::format(
                "{} / ours: geomean {:.3f}, network {:.3f} over {} of {} layers; worst {:.3f} ({})\n",
                summary.name, summary.geomean, summary.network, summary.layers, report.layers.size(),
                summary.worst_ratio, summary.worst_layer);
        for (const auto &[reason, count] : reasons_of(report, summary.name))
            text += fmt::format("{}: {} of {} layers not compared: {}\n", summary.name, count,
                                report.layers.size(), reason);
    }
    return text + groups_text("class", summarize_classes(report.layers)) +
           groups_text("network", summarize_networks(report.layers, report.networks));
}

std::map<std::string, int> reasons_of(const Report &report, const std::string &peer) {
    std::map<std::string, int> reasons;
    for (const LayerResult &layer : report.layers)
        for (const PeerTiming &timing : layer.peers)
            if (timing.name == peer && !timing.reason.empty())
                reasons[timing.reason]++;
    return reasons;
}

} // namespace convsmith::bench
