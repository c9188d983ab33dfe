// See svg.h.
#include "bench/svg.h"

#include "bench/page_css.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace convsmith::bench {

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

double Axis::at(double value) const {
    const double part = is_log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
    return begin + std::clamp(part, 0.0, 1.0) * (end - begin);
}

std::vector<double> powers(double base, double low, double high) {
    std::vector<double> values;
    for (double value = std::pow(base, std::ceil(std::log(low) / std::log(base) - 1e-9));
         value <= high * (1 + 1e-9); value *= base)
        values.push_back(value);
    return values;
}

std::pair<double, double> widened(double base, double low, double high) {
    return {std::pow(base, std::floor(std::log(low) / std::log(base))),
            std::pow(base, std::ceil(std::log(high) / std::log(base)))};
}

std::vector<double> round_ticks(double low, double high, int count) {
    const double rough = std::max(high - low, 1e-12) / count;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    const double step = power * (rough / power < 1.5   ? 1
                                 : rough / power < 3.5 ? 2
                                 : rough / power < 7.5 ? 5
                                                       : 10);
    std::vector<double> ticks;
    for (double n = std::ceil(low / step - 1e-9); n * step <= high * (1 + 1e-9); n++)
        ticks.push_back(n * step + 0.0); // not -0
    return ticks;
}

std::string svg_text(double x, double y, const std::string &css, const std::string &anchor,
                     const std::string &content) {
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"{}\" text-anchor=\"{}\">{}</text>\n", x, y,
                       css, anchor, escape_html(content));
}

std::string svg_upward_text(double x, double y, const std::string &css, const std::string &content) {
    return fmt::format("<text class=\"{}\" text-anchor=\"middle\" transform=\"translate({:.1f} {:.1f}) "
                       "rotate(-90)\">{}</text>\n",
                       css, x, y, escape_html(content));
}

std::string svg_line(double x1, double y1, double x2, double y2, const std::string &css) {
    return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", x1,
                       y1, x2, y2, css);
}

std::string svg_polyline(const std::vector<std::pair<double, double>> &points, const std::string &css) {
    std::string places;
    for (const auto &[x, y] : points)
        places += fmt::format("{}{:.1f},{:.1f}", places.empty() ? "" : " ", x, y);
    return fmt::format("<polyline points=\"{}\" class=\"{}\"/>\n", places, css);
}

std::string svg_dot(double x, double y, double radius, const std::string &css, const std::string &title) {
    return fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" class=\"{}\"><title>{}</title></circle>\n", x, y,
        radius, css, escape_html(title));
}

std::string svg_picture(double width, double height, const std::string &label, const std::string &content,
                        const std::string &css) {
    return fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\"{}>\n{}</svg>\n",
                       width, height, escape_html(label),
                       css.empty() ? "" : fmt::format(" class=\"{}\"", css), content);
}

std::string html_section(const std::string &title, const std::string &note, const std::string &content) {
    if (content.empty())
        return "";
    return fmt::format(
        "<section><h2>{}</h2>\n<p class=\"note\">{}</p>\n<div class=\"wide\">{}</div></section>\n", title,
        note, content);
}

std::string html_document(const std::string &title, const std::string &maker, const std::string &header,
                          const std::string &body) {
    return fmt::format("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                       "<title>{0}: {1}</title>\n<style>\n{2}</style>\n</head>\n<body>\n"
                       "<header><h1>{0}</h1>\n{3}</header>\n",
                       escape_html(title), escape_html(maker), kPageCss, header) +
           body + "</body>\n</html>\n";
}

std::string html_tile(const std::string &title, const std::string &css, const std::string &number,
                      const std::string &unit, const std::string &below) {
    return fmt::format("<div class=\"tile\"><h3>{}</h3><p class=\"big {}\">{}<small>{}</small></p>{}</div>\n",
                       title, css, number, unit, below);
}

std::string verdict(double ratio) {
    return ratio > 1.01 ? "faster" : ratio < 0.99 ? "slower" : "even";
}

} // namespace convsmith::bench
