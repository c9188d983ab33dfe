// See charts.h.
#include "bench/charts.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <tuple>
#include <utility>
#include <vector>

namespace convsmith::bench {

namespace {

/// A logarithmic axis over part of a picture.
struct LogAxis {
    double low, high;  ///< values at the ends
    double begin, end; ///< where those are drawn
    double at(double value) const {
        const double part = std::log(value / low) / std::log(high / low);
        return begin + std::clamp(part, 0.0, 1.0) * (end - begin);
    }
};

/// Powers of `base` from `low` to `high`.
std::vector<double> powers(double base, double low, double high) {
    std::vector<double> values;
    for (double value = std::pow(base, std::ceil(std::log(low) / std::log(base) - 1e-9));
         value <= high * (1 + 1e-9); value *= base)
        values.push_back(value);
    return values;
}

/// The powers of `base` around a range.
std::pair<double, double> widened(double base, double low, double high) {
    return {std::pow(base, std::floor(std::log(low) / std::log(base))),
            std::pow(base, std::ceil(std::log(high) / std::log(base)))};
}

std::string text(double x, double y, const std::string &css, const std::string &anchor,
                 const std::string &content) {
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"{}\" text-anchor=\"{}\">{}</text>\n", x, y,
                       css, anchor, escape_html(content));
}

std::string line(double x1, double y1, double x2, double y2, const std::string &css) {
    return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", x1,
                       y1, x2, y2, css);
}

std::string begin_svg(double width, double height, const std::string &label) {
    return fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">\n", width, height,
                       escape_html(label));
}

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

std::string ratio_axis(const LogAxis &axis, double bottom) {
    std::string svg;
    for (const double tick : powers(2, axis.low, axis.high)) {
        const double x = axis.at(tick);
        svg += line(x, kTop, x, bottom, tick == 1 ? "one" : "grid");
        svg += text(x, kTop - 10, "tick", "middle",
                    tick < 1 ? fmt::format("1/{:.0f}", 1 / tick) : fmt::format("{:.0f}", tick));
    }
    return svg;
}

std::string ratio_bar(const LogAxis &axis, double y, size_t colour, const LayerResult &layer,
                      const PeerTiming &peer) {
    const double one = axis.at(1), end = axis.at(peer.ratio);
    const bool wins = peer.ratio >= 1;
    std::string svg = fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"1.5\" class=\"p{}\">"
        "<title>{}: {} takes {:.2f} times as long</title></rect>\n",
        std::min(one, end), y, std::max(std::fabs(end - one), 1.0), kBar, colour, escape_html(layer.name),
        escape_html(peer.name), peer.ratio);
    svg += text(end + (wins ? 4 : -4), y + kBar - 0.5, "value", wins ? "start" : "end",
                fmt::format("{:.2f}", peer.ratio));
    return svg;
}

// Roofline chart.
constexpr double kRoofHeight = 470, kRoofLeft = 64, kRoofTop = 18, kRoofBottom = 46;

struct Point {
    const LayerResult *layer;
    double intensity;
    double flops() const { return layer->gflops * layer->ns.median; }
    double share; ///< of the network's time
};

std::vector<Point> roofline_points(const Report &report) {
    double total = 0;
    for (const LayerResult &layer : report.layers)
        total += layer.multiplicity * layer.ns.median;
    std::vector<Point> points;
    for (const LayerResult &layer : report.layers)
        if (layer.ok() && layer.gflops > 0 && layer.bytes > 0)
            points.push_back({&layer, layer.gflops * layer.ns.median / layer.bytes,
                              layer.multiplicity * layer.ns.median / total});
    // Small dots last, so that large ones do not hide them.
    std::sort(points.begin(), points.end(), [](const Point &a, const Point &b) { return a.share > b.share; });
    return points;
}

std::string roofs(const Machine &machine, const LogAxis &x, const LogAxis &y) {
    const double peak = machine.peak_gflops, bandwidth = machine.copy_gb_per_s;
    const double ridge = std::clamp(peak / bandwidth, x.low, x.high);
    const double start = std::max(x.low, y.low / bandwidth); // where the slope enters the picture
    const double lift = std::min(bandwidth * ridge, peak);
    std::string svg =
        fmt::format("<polyline points=\"{:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f}\" class=\"roof\"/>\n",
                    x.at(start), y.at(bandwidth * start), x.at(ridge), y.at(lift), x.at(x.high), y.at(lift));
    svg += text(x.end - 4, y.at(peak) - 7, "rooflabel", "end",
                fmt::format("multiply-add peak {:.1f} GFLOP/s", peak));
    const double middle = std::sqrt(start * ridge);
    const double angle =
        -std::atan2(y.at(bandwidth * start) - y.at(lift), x.at(ridge) - x.at(start)) * 180 / M_PI;
    svg += fmt::format("<text class=\"rooflabel\" text-anchor=\"middle\" "
                       "transform=\"translate({:.1f} {:.1f}) rotate({:.1f})\">copying {:.1f} GB/s</text>\n",
                       x.at(middle), y.at(bandwidth * middle) - 7, angle, bandwidth);
    return svg;
}

std::string roofline_axes(const LogAxis &x, const LogAxis &y) {
    std::string svg;
    for (const double tick : powers(2, x.low, x.high)) {
        svg += line(x.at(tick), y.begin, x.at(tick), y.end, "grid");
        svg += text(x.at(tick), y.begin + 16, "tick", "middle", fmt::format("{:g}", tick));
    }
    for (const double tick : powers(2, y.low, y.high)) {
        svg += line(x.begin, y.at(tick), x.end, y.at(tick), "grid");
        svg += text(x.begin - 8, y.at(tick) + 4, "tick", "end", fmt::format("{:g}", tick));
    }
    svg += text((x.begin + x.end) / 2, y.begin + 36, "axis", "middle",
                "operations per byte that must be moved (FLOP / B)");
    svg += fmt::format("<text class=\"axis\" text-anchor=\"middle\" transform=\"translate(16 {:.1f}) "
                       "rotate(-90)\">GFLOP/s</text>\n",
                       (y.begin + y.end) / 2);
    return svg;
}

std::string roofline_point(const Report &report, const Point &point, const LogAxis &x, const LogAxis &y) {
    const LayerResult &layer = *point.layer;
    const double cx = x.at(point.intensity), cy = y.at(layer.gflops);
    std::string svg;
    if (const PeerTiming *best = layer.best_peer()) {
        const double peer_y = y.at(point.flops() / best->ns.median);
        const size_t colour = peer_index(report, best->name);
        svg += line(cx, cy, cx, peer_y, "link");
        svg += fmt::format(
            "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" class=\"peer o{}\"><title>{}: {} at {:.1f} "
            "GFLOP/s</title></circle>\n",
            cx, peer_y, colour, escape_html(layer.name), escape_html(best->name),
            point.flops() / best->ns.median);
    }
    return svg +
           fmt::format(
               "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" class=\"ours\"><title>{}: {:.1f} GFLOP/s, "
               "{:.1f} % of peak, {:.1f} % of the network's time</title></circle>\n",
               cx, cy, 3.5 + 14 * std::sqrt(point.share), escape_html(layer.name), layer.gflops,
               layer.percent_of_peak, 100 * point.share);
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
    const LogAxis axis = {low, high, kLabels, kWidth - kRight};
    const double row_height = kBar * static_cast<double>(report.peers.size()) + kGap;
    const double bottom = kTop + row_height * static_cast<double>(rows.size());
    std::string svg = begin_svg(kWidth, bottom + 8, "Time of each peer divided by ours, per layer");
    for (size_t row = 1; row < rows.size(); row += 2) // every other row has a ground of its own
        svg +=
            fmt::format("<rect x=\"0\" y=\"{:.1f}\" width=\"{:.0f}\" height=\"{:.1f}\" class=\"stripe\"/>\n",
                        kTop + row_height * static_cast<double>(row), kWidth, row_height);
    svg += ratio_axis(axis, bottom);
    for (size_t row = 0; row < rows.size(); row++) {
        const LayerResult &layer = *rows[row];
        double y = kTop + row_height * static_cast<double>(row) + kGap / 2;
        const std::string times = layer.multiplicity > 1 ? fmt::format("  \u00d7{}", layer.multiplicity) : "";
        svg += text(kLabels - 12, y + kBar * static_cast<double>(report.peers.size()) / 2 + 4, "name", "end",
                    short_name(layer.name, 30) + times);
        for (const PeerTiming &peer : layer.peers) {
            if (peer.reason.empty())
                svg += ratio_bar(axis, y, peer_index(report, peer.name), layer, peer);
            y += kBar;
        }
    }
    return svg + "</svg>\n";
}

std::string roofline_chart(const Report &report) {
    const std::vector<Point> points = roofline_points(report);
    if (points.empty() || report.machine.peak_gflops <= 0 || report.machine.copy_gb_per_s <= 0)
        return "";
    double left = points[0].intensity, right = left, low = points[0].layer->gflops;
    double high = report.machine.peak_gflops * 1.15;
    for (const Point &point : points) {
        left = std::min(left, point.intensity);
        right = std::max(right, point.intensity);
        low = std::min(low, point.layer->gflops);
        if (const PeerTiming *best = point.layer->best_peer()) {
            low = std::min(low, point.flops() / best->ns.median);
            high = std::max(high, point.flops() / best->ns.median);
        }
    }
    const double ridge = report.machine.peak_gflops / report.machine.copy_gb_per_s;
    std::tie(left, right) = widened(2, std::min(left, ridge / 4), std::max(right, ridge * 2) * 1.05);
    low = widened(2, low * 0.95, low).first;
    const LogAxis x = {left, right, kRoofLeft, kWidth - 20};
    const LogAxis y = {low, high, kRoofHeight - kRoofBottom, kRoofTop};
    std::string svg = begin_svg(kWidth, kRoofHeight, "Roofline: GFLOP/s over operations per byte");
    svg += roofline_axes(x, y) + roofs(report.machine, x, y);
    for (const Point &point : points)
        svg += roofline_point(report, point, x, y);
    return svg + "</svg>\n";
}

std::string escape_html(const std::string &text) {
    std::string escaped;
    for (const char c : text)
        switch (c) {
        case '<':
            escaped += "&lt;";
            break;
        case '>':
            escaped += "&gt;";
            break;
        case '&':
            escaped += "&amp;";
            break;
        case '"':
            escaped += "&quot;";
            break;
        default:
            escaped += c;
        }
    return escaped;
}

std::string short_name(const std::string &name, size_t length) {
    if (name.size() <= length)
        return name;
    const size_t head = (length - 1) / 2, tail = length - 1 - head;
    return name.substr(0, head) + "\u2026" + name.substr(name.size() - tail);
}

} // namespace convsmith::bench
