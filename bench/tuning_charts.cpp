// See tuning_charts.h. Bars and values are HTML, which flows on small screens; curves are SVG.
#include "bench/tuning_charts.h"

#include "bench/roofline.h"
#include "bench/svg.h"
#include "generators/conv_desc.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace convsmith::bench {

namespace {

using namespace autotune;

// Search chart: as wide as a phone, several beside each other elsewhere.
constexpr double kWidth = 340, kHeight = 190, kLeft = 46, kRight = 12, kTop = 14, kBottom = 40;
constexpr size_t kColours = 4; ///< p0 to p3 of page.css

/// What an axis of times is counted in.
struct Unit {
    const char *name;
    double ns;
};

Unit unit_of(double ns) {
    return ns < 1e3 ? Unit{"ns", 1} : ns < 1e6 ? Unit{"\u00b5s", 1e3} : Unit{"ms", 1e6};
}

std::string search_axes(const Axis &x, const Axis &y, const Unit &unit) {
    std::string svg;
    for (const double tick : round_ticks(y.low, y.high, 4)) {
        svg += svg_line(x.begin, y.at(tick), x.end, y.at(tick), "grid");
        svg += svg_text(x.begin - 5, y.at(tick) + 4, "tick", "end", fmt::format("{:g}", tick));
    }
    for (const double tick : round_ticks(x.low, x.high, 5)) {
        svg += svg_line(x.at(tick), y.begin, x.at(tick), y.begin + 3, "one");
        svg += svg_text(x.at(tick), y.begin + 15, "tick", "middle", fmt::format("{:g}", tick));
    }
    svg += svg_line(x.begin, y.begin, x.end, y.begin, "one");
    svg += svg_text((x.begin + x.end) / 2, y.begin + 32, "axis", "middle", "seconds since the run began");
    return svg + svg_upward_text(11, (y.begin + y.end) / 2, "axis", fmt::format("{} per call", unit.name));
}

/// Stairs: the best holds until a better one is found.
std::string search_line(const RunHistory &run, size_t colour, const Axis &x, const Axis &y,
                        const Unit &unit) {
    std::vector<std::pair<double, double>> points;
    for (const BestSoFar &best : run.best) {
        if (!points.empty())
            points.emplace_back(x.at(best.seconds), points.back().second);
        points.emplace_back(x.at(best.seconds), y.at(best.ns / unit.ns));
    }
    const BestSoFar &last = run.best.back();
    return svg_polyline(points, fmt::format("curve o{}", colour)) +
           svg_dot(points.back().first, points.back().second, 3.5, fmt::format("p{}", colour),
                   fmt::format("run {} (seed {}): {} after {:.0f} s", run.run, run.seed, time_text(last.ns),
                               last.seconds));
}

/// A name, a bar of `part` of the width and a value behind its name.
std::string bar_row(const std::string &css, double part, const std::string &value) {
    return fmt::format(
        "<div class=\"bar\"><i class=\"{}\" style=\"width:{:.1f}%\"></i></div><span>{}</span>\n", css,
        100 * std::clamp(part, 0.005, 1.0), escape_html(value));
}

/// How much worse than the best, as a class of colours.
int heat(double ratio) {
    const std::vector<double> limits = {1.01, 1.05, 1.2, 1.6};
    return static_cast<int>(std::upper_bound(limits.begin(), limits.end(), ratio) - limits.begin());
}

std::string chip(const ValueCost &value) {
    return fmt::format("<span class=\"chip h{}\" title=\"{} tried\"><b>{}</b>{:.2f}</span>",
                       heat(value.ratio), value.tried, escape_html(value.value), value.ratio);
}

} // namespace

std::string time_text(double ns) {
    const Unit unit = unit_of(ns);
    const double value = ns / unit.ns;
    return fmt::format("{:.{}f}\u202f{}", value, value < 10 ? 2 : value < 100 ? 1 : 0, unit.name);
}

std::string search_chart(const ProblemHistory &problem) {
    const double default_ns = problem.default_ns;
    double seconds = 0, low = default_ns, high = default_ns;
    for (const RunHistory &run : problem.runs) {
        for (const BestSoFar &best : run.best) {
            seconds = std::max(seconds, best.seconds);
            low = low == 0 ? best.ns : std::min(low, best.ns);
            high = std::max(high, best.ns);
        }
    }
    if (seconds <= 0)
        return "";
    const Unit unit = unit_of(low);
    const double room = std::max(0.06 * (high - low), 0.02 * low);
    const Axis x = {0, seconds, kLeft, kWidth - kRight, false};
    const Axis y = {(low - room) / unit.ns, (high + room) / unit.ns, kHeight - kBottom, kTop, false};
    std::string svg = search_axes(x, y, unit);
    if (default_ns > 0) {
        svg += svg_line(x.begin, y.at(default_ns / unit.ns), x.end, y.at(default_ns / unit.ns), "default");
        svg += svg_text(x.end, y.at(default_ns / unit.ns) - 4, "value", "end", "default plan");
    }
    for (size_t i = 0; i < problem.runs.size(); i++) {
        if (!problem.runs[i].best.empty())
            svg += search_line(problem.runs[i], i % kColours, x, y, unit);
    }
    return svg_picture(kWidth, kHeight,
                       fmt::format("{}: best time of a call over seconds of search", problem.label), svg,
                       "fluid");
}

std::string gain_chart(const MachineHistory &machine) {
    std::string rows;
    for (const ProblemHistory &problem : machine.problems) {
        if (!problem.summary || problem.summary->default_ns <= 0 || problem.summary->speedup <= 0)
            continue;
        const double before = problem.summary->default_ns, after = before / problem.summary->speedup;
        const double longest = std::max(before, after);
        rows += fmt::format(
                    "<p class=\"barname\">{}<b class=\"{}\">{:.2f}\u00d7</b></p><div class=\"bars\">\n",
                    escape_html(problem.label), verdict(problem.summary->speedup), problem.summary->speedup) +
                bar_row("before", before / longest, time_text(before)) +
                bar_row("after", after / longest, time_text(after)) + "</div>\n";
    }
    if (rows.empty())
        return "";
    return "<p class=\"legend\"><span><i class=\"swatch before\"></i>default plan</span> "
           "<span><i class=\"swatch after\"></i>chosen plan</span></p>\n<div class=\"gains\">" +
           rows + "</div>";
}

std::string sensitivity_chart(const ProblemHistory &problem) {
    std::string rows;
    for (const Sensitivity &one : problem.sensitivity) {
        if (one.values.size() < 2)
            continue;
        std::string chips;
        for (const ValueCost &value : one.values)
            chips += chip(value);
        rows += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escape_html(one.name), chips);
    }
    return rows.empty() ? "" : "<dl class=\"chips\">\n" + rows + "</dl>\n";
}

std::string count_chart(const std::map<std::string, int64_t> &counts, size_t most, const std::string &unit) {
    std::vector<std::pair<std::string, int64_t>> rows(counts.begin(), counts.end());
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto &a, const auto &b) { return a.second > b.second; });
    if (rows.size() > most) {
        int64_t others = 0;
        for (size_t i = most; i < rows.size(); i++)
            others += rows[i].second;
        const size_t left_out = rows.size() - most;
        rows.resize(most);
        rows.emplace_back(fmt::format("{} other reasons", left_out), others);
    }
    int64_t longest = 1;
    for (const auto &[reason, count] : rows)
        longest = std::max(longest, count);
    std::string html;
    for (const auto &[reason, count] : rows)
        html += fmt::format("<p class=\"barname\">{}</p><div class=\"bars\">", escape_html(reason)) +
                bar_row("count", static_cast<double>(count) / static_cast<double>(longest),
                        fmt::format("{} {}", count, unit)) +
                "</div>\n";
    return html;
}

std::string tuned_roofline(const MachineHistory &machine) {
    double total = 0;
    for (const ProblemHistory &problem : machine.problems)
        total += problem.best.ns.median;
    std::vector<RooflinePoint> points;
    for (const ProblemHistory &problem : machine.problems) {
        if (!problem.has_times || problem.bytes <= 0 || ConvDesc::parse(problem.key).acc_type != DType::F32)
            continue;
        const double ns = problem.best.ns.median, gflops = problem.flops / ns;
        RooflinePoint point = {problem.flops / problem.bytes, gflops, ns / total, "", {}};
        point.title = fmt::format("{}: {:.1f} GFLOP/s, {}", problem.label, gflops, time_text(ns));
        if (problem.summary && problem.summary->default_ns > 0) {
            const double before = problem.flops / problem.summary->default_ns;
            point.rival = RooflineRival{
                before, "o1", fmt::format("{}: default plan, {:.1f} GFLOP/s", problem.label, before)};
        }
        points.push_back(std::move(point));
    }
    return roofline_chart(machine.roofs, std::move(points));
}

} // namespace convsmith::bench
