// See roofline.h.
#include "bench/roofline.h"

#include "bench/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

namespace convsmith::bench {

namespace {

using autotune::Roofs;

/// Measures of a picture.
struct Frame {
    const char *css;
    double width, height, left, top, bottom;
    double tick_base; ///< operations per byte: powers of it have a line each
    double dot;       ///< radius that a dot of all the time has beyond the smallest
};
constexpr Frame kWide = {"only-wide", 1040, 470, 64, 18, 46, 2, 14};
constexpr Frame kNarrow = {"only-narrow", 340, 330, 44, 14, 44, 4, 9};

std::string roof_lines(const Roofs &roofs, const Axis &x, const Axis &y) {
    const double peak = roofs.peak_gflops, bandwidth = roofs.copy_gb_per_s;
    const double ridge = std::clamp(peak / bandwidth, x.low, x.high);
    const double start = std::max(x.low, y.low / bandwidth); // where the slope enters the picture
    const double lift = std::min(bandwidth * ridge, peak);
    std::string svg = svg_polyline(
        {{x.at(start), y.at(bandwidth * start)}, {x.at(ridge), y.at(lift)}, {x.at(x.high), y.at(lift)}},
        "roof");
    svg += svg_text(x.end - 4, y.at(peak) - 7, "rooflabel", "end",
                    fmt::format("multiply-add peak {:.1f} GFLOP/s", peak));
    const double middle = std::sqrt(start * ridge);
    const double angle =
        -std::atan2(y.at(bandwidth * start) - y.at(lift), x.at(ridge) - x.at(start)) * 180 / M_PI;
    svg += fmt::format("<text class=\"rooflabel\" text-anchor=\"middle\" "
                       "transform=\"translate({:.1f} {:.1f}) rotate({:.1f})\">copying {:.1f} GB/s</text>\n",
                       x.at(middle), y.at(bandwidth * middle) - 7, angle, bandwidth);
    return svg;
}

std::string axes(const Frame &frame, const Axis &x, const Axis &y) {
    std::string svg;
    for (const double tick : powers(frame.tick_base, x.low, x.high)) {
        svg += svg_line(x.at(tick), y.begin, x.at(tick), y.end, "grid");
        svg += svg_text(x.at(tick), y.begin + 16, "tick", "middle", fmt::format("{:g}", tick));
    }
    for (const double tick : powers(2, y.low, y.high)) {
        svg += svg_line(x.begin, y.at(tick), x.end, y.at(tick), "grid");
        svg += svg_text(x.begin - 8, y.at(tick) + 4, "tick", "end", fmt::format("{:g}", tick));
    }
    svg += svg_text((x.begin + x.end) / 2, y.begin + 36, "axis", "middle",
                    "operations per byte that must be moved (FLOP / B)");
    return svg + svg_upward_text(frame.left / 4, (y.begin + y.end) / 2, "axis", "GFLOP/s");
}

std::string dot(const Frame &frame, const RooflinePoint &point, const Axis &x, const Axis &y) {
    const double cx = x.at(point.intensity), cy = y.at(point.gflops);
    std::string svg;
    if (point.rival) {
        const double rival_y = y.at(point.rival->gflops);
        svg += svg_line(cx, cy, cx, rival_y, "link");
        svg += svg_dot(cx, rival_y, 3, "peer " + point.rival->css, point.rival->title);
    }
    return svg + svg_dot(cx, cy, 3.5 + frame.dot * std::sqrt(point.share), "ours", point.title);
}

std::string picture(const Frame &frame, const Roofs &roofs, const std::vector<RooflinePoint> &points) {
    double left = points[0].intensity, right = left, low = points[0].gflops;
    double high = roofs.peak_gflops * 1.15;
    for (const RooflinePoint &point : points) {
        left = std::min(left, point.intensity);
        right = std::max(right, point.intensity);
        const double rival = point.rival ? point.rival->gflops : point.gflops;
        low = std::min({low, point.gflops, rival});
        high = std::max({high, point.gflops, rival});
    }
    const double ridge = roofs.peak_gflops / roofs.copy_gb_per_s;
    std::tie(left, right) = widened(2, std::min(left, ridge / 4), std::max(right, ridge * 2) * 1.05);
    high *= 1.1;
    low = widened(2, low * 0.95, low).first;
    const Axis x = {left, right, frame.left, frame.width - 20};
    const Axis y = {low, high, frame.height - frame.bottom, frame.top};
    std::string svg = axes(frame, x, y) + roof_lines(roofs, x, y);
    for (const RooflinePoint &point : points)
        svg += dot(frame, point, x, y);
    return svg_picture(frame.width, frame.height, "Roofline: GFLOP/s over operations per byte", svg,
                       frame.css);
}

} // namespace

std::string roofline_chart(const Roofs &roofs, std::vector<RooflinePoint> points) {
    points.erase(std::remove_if(points.begin(), points.end(),
                                [](const RooflinePoint &p) { return p.gflops <= 0 || p.intensity <= 0; }),
                 points.end());
    if (points.empty() || roofs.peak_gflops <= 0 || roofs.copy_gb_per_s <= 0)
        return "";
    // Small dots last, so that large ones do not hide them.
    std::sort(points.begin(), points.end(),
              [](const RooflinePoint &a, const RooflinePoint &b) { return a.share > b.share; });
    return picture(kWide, roofs, points) + picture(kNarrow, roofs, points);
}

} // namespace convsmith::bench
