// See charts.h.
#include "bench/charts.h"

#include "bench/roofline.h"
#include "bench/svg.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <tuple>
#include <utility>
#include <vector>

namespace convsmith::bench {

namespace {

/// Which of report.peers is called `name`: its colour.
size_t peer_index(const Report &report, const std::string &name) {
    for (size_t i = 0; i < report.peers.size(); i++)
        if (report.peers[i].name == name)
            return i;
    return 0;
}

constexpr double kWidth = 1040;

// Ratio chart.
constexpr double kLabels = 230, kRight = 44, kTop = 30, kBar = 8, kGap = 9;

std::string ratio_axis(const Axis &axis, double bottom) {
    std::string svg;
    for (const double tick : powers(2, axis.low, axis.high)) {
        const double x = axis.at(tick);
        svg += svg_line(x, kTop, x, bottom, tick == 1 ? "one" : "grid");
        svg += svg_text(x, kTop - 10, "tick", "middle",
                        tick < 1 ? fmt::format("1/{:.0f}", 1 / tick) : fmt::format("{:.0f}", tick));
    }
    return svg;
}

std::string ratio_bar(const Axis &axis, double y, size_t colour, const LayerResult &layer,
                      const PeerTiming &peer) {
    const double one = axis.at(1), end = axis.at(peer.ratio);
    const bool wins = peer.ratio >= 1;
    std::string svg = fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"1.5\" class=\"p{}\">"
        "<title>{}: {} takes {:.2f} times as long</title></rect>\n",
        std::min(one, end), y, std::max(std::fabs(end - one), 1.0), kBar, colour, escape_html(layer.name),
        escape_html(peer.name), peer.ratio);
    svg += svg_text(end + (wins ? 4 : -4), y + kBar - 0.5, "value", wins ? "start" : "end",
                    fmt::format("{:.2f}", peer.ratio));
    return svg;
}

} // namespace

std::string ratio_chart(const Report &report) {
    double low = 0.5, high = 2;
    std::vector<const LayerResult *> rows;
    for (const LayerResult &layer : report.layers)
        if (const PeerTiming *best = layer.best_peer()) {
            rows.push_back(&layer);
            low = std::min(low, best->ratio);
            for (const PeerTiming &peer : layer.peers)
                high = std::max(high, peer.ratio);
        }
    if (rows.empty())
        return "";
    std::tie(low, high) = widened(2, low * 0.94, high * 1.06); // room for the numbers at the ends
    const Axis axis = {low, high, kLabels, kWidth - kRight};
    const double row_height = kBar * static_cast<double>(report.peers.size()) + kGap;
    const double bottom = kTop + row_height * static_cast<double>(rows.size());
    std::string svg;
    for (size_t row = 1; row < rows.size(); row += 2) // every other row has a ground of its own
        svg +=
            fmt::format("<rect x=\"0\" y=\"{:.1f}\" width=\"{:.0f}\" height=\"{:.1f}\" class=\"stripe\"/>\n",
                        kTop + row_height * static_cast<double>(row), kWidth, row_height);
    svg += ratio_axis(axis, bottom);
    for (size_t row = 0; row < rows.size(); row++) {
        const LayerResult &layer = *rows[row];
        double y = kTop + row_height * static_cast<double>(row) + kGap / 2;
        const std::string times = layer.multiplicity > 1 ? fmt::format("  \u00d7{}", layer.multiplicity) : "";
        svg += svg_text(kLabels - 12, y + kBar * static_cast<double>(report.peers.size()) / 2 + 4, "name",
                        "end", short_name(layer.name, 30) + times);
        for (const PeerTiming &peer : layer.peers) {
            if (peer.reason.empty())
                svg += ratio_bar(axis, y, peer_index(report, peer.name), layer, peer);
            y += kBar;
        }
    }
    return svg_picture(kWidth, bottom + 8, "Time of each peer divided by ours, per layer", svg);
}

std::string roofline_chart(const Report &report) {
    double total = 0;
    for (const LayerResult &layer : report.layers)
        total += layer.multiplicity * layer.ns.median;
    std::vector<RooflinePoint> points;
    for (const LayerResult &layer : report.layers) {
        if (!layer.ok() || layer.gflops <= 0 || layer.bytes <= 0)
            continue;
        const double flops = layer.gflops * layer.ns.median;
        RooflinePoint point;
        point.intensity = flops / layer.bytes;
        point.gflops = layer.gflops;
        point.share = layer.multiplicity * layer.ns.median / total;
        point.title = fmt::format("{}: {:.1f} GFLOP/s, {:.1f} % of peak, {:.1f} % of the network's time",
                                  layer.name, layer.gflops, layer.percent_of_peak, 100 * point.share);
        if (const PeerTiming *best = layer.best_peer()) {
            const double gflops = flops / best->ns.median;
            point.rival =
                RooflineRival{gflops, fmt::format("o{}", peer_index(report, best->name)),
                              fmt::format("{}: {} at {:.1f} GFLOP/s", layer.name, best->name, gflops)};
        }
        points.push_back(std::move(point));
    }
    return roofline_chart(report.machine, std::move(points));
}

} // namespace convsmith::bench
