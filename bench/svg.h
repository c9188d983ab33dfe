// Parts of pictures as inline SVG, and of pages as HTML: what the charts of bench (charts.h), of tuning
// (tuning_charts.h) and the roofline (roofline.h) have in common. Colours are the page's CSS classes
// (page.css), so that one picture suits light and dark.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace convsmith::bench {

/// `text` with the characters that HTML gives a meaning replaced.
std::string escape_html(const std::string &text);

/// At most `length` characters of a name: its middle gives way to an ellipsis. Names of layers differ at both
/// ends.
std::string short_name(const std::string &name, size_t length);

/// An axis over part of a picture: where values are drawn; those beyond an end are drawn there.
struct Axis {
    double low, high;  ///< values at the ends
    double begin, end; ///< where those are drawn
    bool is_log = true;
    double at(double value) const;
};

/// Powers of `base` from `low` to `high`.
std::vector<double> powers(double base, double low, double high);

/// The powers of `base` around a range.
std::pair<double, double> widened(double base, double low, double high);

/// About `count` round numbers (1, 2 or 5 times a power of ten apart) from `low` to `high`.
std::vector<double> round_ticks(double low, double high, int count);

/// A line of text; `anchor`: "start", "middle" or "end" lies at (x, y).
std::string svg_text(double x, double y, const std::string &css, const std::string &anchor,
                     const std::string &content);

/// Text that is read upwards, its middle at (x, y).
std::string svg_upward_text(double x, double y, const std::string &css, const std::string &content);

std::string svg_line(double x1, double y1, double x2, double y2, const std::string &css);

/// A line through points; `css` says whether it is filled.
std::string svg_polyline(const std::vector<std::pair<double, double>> &points, const std::string &css);

/// A disc; `title` is shown under the pointer.
std::string svg_dot(double x, double y, double radius, const std::string &css, const std::string &title);

/// A picture that is as wide as there is room. `label`: what it shows, for those who cannot see it; `css`: a
/// further class or none.
std::string svg_picture(double width, double height, const std::string &label, const std::string &content,
                        const std::string &css = "");

/// A part of a page with a title and a note below it; empty if there is no content.
std::string html_section(const std::string &title, const std::string &note, const std::string &content);

/// The whole page in UTF-8: it refers to nothing outside itself and runs no scripts. `title` is text,
/// `header` (what goes below the title) and `body` are HTML.
std::string html_document(const std::string &title, const std::string &maker, const std::string &header,
                          const std::string &body);

/// A number big enough to be read first, with what it is above it and what goes with it below, as HTML.
std::string html_tile(const std::string &title, const std::string &css, const std::string &number,
                      const std::string &unit, const std::string &below);

/// Whether a ratio is good news, as a class: "faster", "slower", or within one percent "even".
std::string verdict(double ratio);

} // namespace convsmith::bench
