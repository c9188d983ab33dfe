// See page.h.
#include "bench/page.h"

#include "bench/charts.h"
#include "bench/svg.h"

#include <fmt/format.h>

namespace convsmith::bench {

namespace {

std::string ratio_text(double ratio) {
    return fmt::format("{:.2f}", ratio);
}

std::string swatch(const Report &report, const std::string &name) {
    for (size_t i = 0; i < report.peers.size(); i++)
        if (report.peers[i].name == name)
            return fmt::format("<i class=\"swatch p{}\"></i>", i);
    return "";
}

std::string tile(const Report &report, const PeerSummary &summary) {
    return html_tile(swatch(report, summary.name) + escape_html(summary.name), verdict(summary.geomean),
                     ratio_text(summary.geomean), "\u00d7",
                     fmt::format("<p>geometric mean of {} layers</p><dl><dt>whole network</dt><dd>{}</dd>"
                                 "<dt>worst layer</dt><dd>{}</dd></dl><p class=\"mono\">{}</p>",
                                 summary.layers, ratio_text(summary.network), ratio_text(summary.worst_ratio),
                                 escape_html(short_name(summary.worst_layer, 34))));
}

std::string tiles(const Report &report) {
    std::vector<PeerSummary> summaries = summarize(report.layers, report.peers);
    if (summaries.size() > 1)
        summaries.push_back(summarize_best(report.layers));
    std::string html;
    for (const PeerSummary &summary : summaries)
        if (summary.layers > 0)
            html += tile(report, summary);
    return html.empty() ? "" : "<div class=\"tiles\">\n" + html + "</div>\n";
}

std::string legend(const Report &report) {
    std::string html;
    for (const Peer &peer : report.peers)
        html += fmt::format("<span>{}{} {}</span> ", swatch(report, peer.name), escape_html(peer.name),
                            escape_html(peer.version.empty() ? "(absent)" : peer.version));
    return "<p class=\"legend\">" + html + "</p>\n";
}

std::string milliseconds(double ns) {
    return ns < 1e5 ? fmt::format("{:.4f}", ns * 1e-6) : fmt::format("{:.3f}", ns * 1e-6);
}

/// A time and, below it in small, how much the rounds differed.
std::string time_cell(const Timing &timing, const std::string &title, const std::string &below) {
    return fmt::format("<td title=\"{}\">{}<small>{}</small></td>", escape_html(title),
                       milliseconds(timing.median), below);
}

std::string table_head(const Report &report) {
    std::string head =
        "<th>layer</th><th>times</th><th>ours<small>ms, min, spread</small></th><th>GFLOP/s</th>"
        "<th>% of<br>peak</th><th>% of<br>bandwidth</th>";
    for (const Peer &peer : report.peers)
        head += fmt::format("<th>{}{}<small>ms, spread</small></th><th>ratio</th>", swatch(report, peer.name),
                            escape_html(peer.name));
    if (report.peers.size() > 1)
        head += "<th class=\"left\">best peer</th><th>ratio</th>";
    return "<thead><tr>" + head + "</tr></thead>\n";
}

std::string ratio_cell(double ratio) {
    return fmt::format("<td class=\"{}\">{}</td>", verdict(ratio), ratio_text(ratio));
}

std::string peer_cells(const PeerTiming &peer) {
    if (!peer.reason.empty())
        return fmt::format("<td colspan=\"2\" class=\"none\" title=\"{}\">\u2013</td>",
                           escape_html(peer.reason));
    return time_cell(peer.ns, peer.implementation, fmt::format("{:.1f}\u202f%", peer.ns.spread)) +
           ratio_cell(peer.ratio);
}

std::string table_row(const Report &report, const LayerResult &layer) {
    const std::string key = layer.desc.key();
    std::string row = fmt::format(
        "<tr><th title=\"{}\">{}<small>{}</small></th><td>{}</td>", escape_html(key),
        escape_html(short_name(layer.name, 40)),
        layer.ok() ? escape_html(layer.choice.plan.variant + " / " + layer.choice.plan.schedule) : "",
        layer.multiplicity);
    if (!layer.ok())
        return row + fmt::format("<td class=\"slower left\" colspan=\"{}\">{}</td></tr>\n",
                                 4 + 2 * report.peers.size() + (report.peers.size() > 1 ? 2 : 0),
                                 escape_html(layer.failure));
    row += time_cell(layer.ns, layer.choice.plan.text(),
                     fmt::format("{}, {:.1f}\u202f%", milliseconds(layer.ns.min), layer.ns.spread));
    row += fmt::format("<td>{}</td><td>{}</td><td>{:.0f}</td>",
                       layer.gflops > 0 ? fmt::format("{:.1f}", layer.gflops) : "\u2013",
                       layer.gflops > 0 ? fmt::format("{:.1f}", layer.percent_of_peak) : "\u2013",
                       layer.percent_of_bandwidth);
    for (const PeerTiming &peer : layer.peers)
        row += peer_cells(peer);
    if (report.peers.size() > 1) {
        const PeerTiming *best = layer.best_peer();
        row += best != nullptr ? fmt::format("<td class=\"left\">{}{}</td>", swatch(report, best->name),
                                             escape_html(best->name)) +
                                     ratio_cell(best->ratio)
                               : "<td class=\"none\" colspan=\"2\">\u2013</td>";
    }
    return row + "</tr>\n";
}

std::string table(const Report &report) {
    std::string rows;
    for (const LayerResult &layer : report.layers)
        rows += table_row(report, layer);
    return "<table>\n" + table_head(report) + "<tbody>\n" + rows + "</tbody></table>\n";
}

std::string group_table(const std::string &title, const std::vector<GroupSummary> &groups) {
    if (groups.size() < 2)
        return "";
    std::string rows;
    for (const GroupSummary &group : groups) {
        rows += fmt::format("<tr><th>{}</th><td>{}</td><td>{}</td>", escape_html(group.name), group.layers,
                            milliseconds(group.our_ns));
        if (group.best.layers > 0)
            rows += ratio_cell(group.best.geomean) + ratio_cell(group.best.network) +
                    ratio_cell(group.best.worst_ratio) +
                    fmt::format("<td class=\"left\">{}</td>",
                                escape_html(short_name(group.best.worst_layer, 34)));
        else
            rows += "<td class=\"none\" colspan=\"4\">\u2013</td>";
        rows += "</tr>\n";
    }
    return fmt::format(
        "<table>\n<thead><tr><th>{}</th><th>layers</th><th>ours<small>ms</small></th>"
        "<th>best peer<small>geometric mean</small></th><th>best peer<small>sum of times</small></th>"
        "<th>worst</th><th class=\"left\">layer</th></tr></thead>\n<tbody>\n{}</tbody></table>\n",
        title, rows);
}

std::string left_out(const Report &report) {
    std::string items;
    for (const Peer &peer : report.peers)
        for (const auto &[reason, count] : reasons_of(report, peer.name))
            items += fmt::format("<li><b>{}</b>, {} of {} layers: {}</li>\n", escape_html(peer.name), count,
                                 report.layers.size(), escape_html(reason));
    return items.empty() ? "" : "<section><h2>Not compared</h2>\n<ul>\n" + items + "</ul></section>\n";
}

std::string method(const Report &report) {
    const int rounds = report.layers.empty() ? 0 : report.layers.front().ns.rounds;
    return fmt::format("<section><h2>How this was measured</h2>\n<p>Every layer ran in {} rounds; each round "
                       "timed a block of "
                       "calls of convsmith, of every peer and of a loop of multiply-adds, in random order. A "
                       "<b>ratio</b> is the "
                       "median over the rounds of the peer's time divided by ours: above 1 convsmith is "
                       "faster. Peers have their "
                       "own best layouts and packed weights, reorders are not timed, a chain is the sum of a "
                       "peer's calls. Every "
                       "result was compared with a reference first. <b>Spread</b>: distance of the quartiles "
                       "of the rounds, in "
                       "percent of the median. <b>% of peak</b> refers to what the loop of multiply-adds "
                       "reached in the same "
                       "rounds. <b>% of bandwidth</b> counts input, weights and output once and refers to "
                       "copying large blocks; "
                       "above 100 the caches hold them from call to call.</p></section>\n",
                       rounds);
}

} // namespace

std::string html_page(const Report &report) {
    const std::string title = report.title.empty() ? "layers" : report.title;
    const std::string warning = load_warning(report.machine);
    const std::string header =
        "<p>" + escape_html(machine_text(report)) + "</p>\n" +
        (warning.empty() ? "" : "<p class=\"slower\">" + escape_html(warning) + "</p>\n");
    const std::string ratios = ratio_chart(report);
    return html_document(
        title, "convsmith bench", header,
        tiles(report) +
            html_section("Time of each peer / time of convsmith",
                         "Bars to the right of 1: convsmith is faster. The axis is logarithmic.",
                         ratios.empty() ? "" : legend(report) + ratios) +
            html_section("Roofline",
                         "Large dots: layers as convsmith computes them, their area the share of the "
                         "network's time. Small rings: the best peer of the same layer. Above the slope, "
                         "tensors come from the caches. Layers without multiply-adds are not here.",
                         roofline_chart(report)) +
            html_section(
                "Classes and networks",
                "Ratios to the best peer of each layer. Sums count a layer as often as the network runs it.",
                group_table("class", summarize_classes(report.layers)) +
                    group_table("network", summarize_networks(report.layers, report.networks))) +
            html_section("Every layer",
                         "The pointer on a layer's name shows its descriptor, on a time what ran.",
                         table(report)) +
            left_out(report) + method(report));
}

} // namespace convsmith::bench
