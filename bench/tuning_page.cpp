// See tuning_page.h.
#include "bench/tuning_page.h"

#include "bench/svg.h"
#include "bench/tuning_charts.h"

#include <fmt/format.h>

#include <algorithm>

namespace convsmith::bench {

namespace {

using namespace autotune;

constexpr size_t kMostReasons = 16;

std::string threads_text(int threads) {
    return threads == 0 ? "one thread per core"
                        : fmt::format("{} thread{}", threads, threads == 1 ? "" : "s");
}

std::string machine_line(const MachineHistory &m) {
    std::string text =
        fmt::format("{} ({}), {} cores, {}, {}; Halide {}, LLVM {}, algorithms {}", m.hardware.cpu,
                    m.hardware.microarchitecture, m.hardware.cores, threads_text(m.threads), m.target,
                    m.versions.halide, m.versions.llvm, m.versions.algorithm.substr(0, 8));
    if (m.roofs.peak_gflops > 0)
        text += fmt::format("; peak {:.1f} GFLOP/s f32, copy {:.1f} GB/s", m.roofs.peak_gflops,
                            m.roofs.copy_gb_per_s);
    return text;
}

/// Neither timed nor a failure.
bool is_unmeasured(Status status) {
    return status == Status::Modelled || status == Status::NotTimed;
}

int64_t count_of(const ProblemHistory &problem, bool is_ok) {
    int64_t count = 0;
    for (const auto &[status, records] : problem.outcomes)
        count += (status == Status::Ok) == is_ok && !is_unmeasured(status) ? records : 0;
    return count;
}

/// Why a problem has no times.
std::string without_times(const ProblemHistory &problem) {
    for (const auto &[status, records] : problem.outcomes) {
        if (is_unmeasured(status))
            return "<td class=\"left\" colspan=\"5\">not measured</td>";
    }
    return "<td class=\"slower left\" colspan=\"5\">no right result</td>";
}

std::string tiles(const MachineHistory &machine) {
    int64_t counted = 0, right = 0, failed = 0, candidates = 0;
    const double speedup = machine.speedup(counted);
    double before = 0, after = 0, most = 0;
    const ProblemHistory *best = nullptr;
    for (const ProblemHistory &problem : machine.problems) {
        right += count_of(problem, true);
        failed += count_of(problem, false);
        candidates += problem.summary ? problem.summary->candidates : 0;
        if (!problem.summary || problem.summary->default_ns <= 0)
            continue;
        before += problem.summary->default_ns;
        after += problem.summary->default_ns / problem.summary->speedup;
        if (problem.summary->speedup > most) {
            most = problem.summary->speedup;
            best = &problem;
        }
    }
    std::string html;
    if (best != nullptr)
        html += html_tile(
            "chosen plan against default", verdict(speedup), fmt::format("{:.2f}", speedup), "\u00d7",
            fmt::format("<p>geometric mean of {} problems</p><dl><dt>all, each once</dt><dd>{:.2f}</dd>"
                        "<dt>most gained</dt><dd>{:.2f}</dd></dl><p class=\"mono\">{}</p>",
                        counted, before / after, most, escape_html(best->label)));
    html += html_tile("measured", "", fmt::format("{}", right), "",
                      fmt::format("<p>right and timed records of {} problems</p><dl><dt>candidates of their "
                                  "spaces</dt><dd>{}</dd><dt>failed</dt><dd>{}</dd></dl>",
                                  machine.problems.size(), candidates, failed));
    return "<div class=\"tiles\">\n" + html + "</div>\n";
}

std::string table_row(const ProblemHistory &problem) {
    std::string row = fmt::format("<tr><th title=\"{}\">{}<small>{}</small></th>", escape_html(problem.key),
                                  escape_html(problem.label),
                                  problem.has_times ? escape_html(problem.best.plan_text()) : "");
    if (!problem.has_times)
        return row + without_times(problem) + "</tr>\n";
    const bool has_default = problem.summary && problem.summary->default_ns > 0;
    const double ns = problem.best.ns.median;
    row +=
        has_default ? fmt::format("<td>{}</td>", time_text(problem.summary->default_ns)) : "<td>\u2013</td>";
    row += fmt::format("<td>{}<small>\u00b1{:.1f}\u202f%</small></td>", time_text(ns),
                       problem.best.ns.spread / 2);
    row += has_default ? fmt::format("<td class=\"{}\">{:.2f}</td>", verdict(problem.summary->speedup),
                                     problem.summary->speedup)
                       : "<td>\u2013</td>";
    row += fmt::format("<td class=\"extra\">{}</td>",
                       problem.flops > 0 ? fmt::format("{:.1f}", problem.flops / ns) : "\u2013");
    return row + fmt::format("<td class=\"extra\">{}<small>{} failed</small></td></tr>\n",
                             count_of(problem, true), count_of(problem, false));
}

std::string table(const MachineHistory &machine) {
    std::string rows;
    for (const ProblemHistory &problem : machine.problems)
        rows += table_row(problem);
    return "<table class=\"tuned\">\n<thead><tr><th>problem<small>chosen plan</small></th><th>default</th>"
           "<th>chosen<small>spread</small></th><th>speed-<br>up, \u00d7</th><th class=\"extra\">GFLOP/s</th>"
           "<th class=\"extra\">records</th></tr></thead>\n<tbody>\n" +
           rows + "</tbody></table>\n";
}

std::string run_legend(const ProblemHistory &problem) {
    std::string html;
    for (size_t i = 0; i < problem.runs.size(); i++) {
        if (!problem.runs[i].best.empty())
            html += fmt::format("<span title=\"{}\"><i class=\"swatch p{}\"></i>seed {}</span> ",
                                escape_html(problem.runs[i].run), i % 4, problem.runs[i].seed);
    }
    return problem.runs.size() > 1 && !html.empty() ? "<p class=\"legend\">" + html + "</p>\n" : "";
}

std::string cards(const MachineHistory &machine) {
    std::string html;
    for (const ProblemHistory &problem : machine.problems) {
        const std::string sensitivity = sensitivity_chart(problem);
        const std::string content = search_chart(problem) + run_legend(problem) + sensitivity;
        if (!content.empty())
            html += fmt::format("<div class=\"card\"><h3>{}</h3>\n{}</div>\n", escape_html(problem.label),
                                content);
    }
    return html.empty() ? "" : "<div class=\"cards\">\n" + html + "</div>\n";
}

std::string refusals(const MachineHistory &machine) {
    std::map<std::string, int64_t> rejected, failed;
    for (const ProblemHistory &problem : machine.problems) {
        if (problem.summary)
            for (const auto &[reason, count] : problem.summary->rejected)
                rejected[reason] += count;
        for (const auto &[error, count] : problem.errors)
            failed[error.size() > 160 ? error.substr(0, 157) + "..." : error] += count;
    }
    return html_section("Refused before compiling",
                        "Combinations of numbers that are no candidates, by reason; bars and counts: "
                        "combinations of all problems together.",
                        count_chart(rejected, kMostReasons, "combinations")) +
           html_section("Failed", "Candidates that did not compile, crashed or were wrong, by what was said.",
                        count_chart(failed, kMostReasons, "records"));
}

std::string machine_part(const MachineHistory &machine, bool is_only) {
    const std::string heading =
        is_only ? "" : "<h2 class=\"machine\">" + escape_html(machine_line(machine)) + "</h2>\n";
    return heading + tiles(machine) +
           html_section("Before and after",
                        "Time of a call with the planner's default plan and with the chosen one, beside each "
                        "other in the same rounds. The longer bar of a problem has the whole width.",
                        gain_chart(machine)) +
           html_section("Speed-ups",
                        "Times are medians of the choice's last race; above 1\u00d7 it is faster than "
                        "the default plan.",
                        table(machine)) +
           html_section("Roofline",
                        "Dots: the chosen plans, their area the share of all problems' time. Rings: the "
                        "default plan of the same problem. Above the slope, tensors come from the caches; "
                        "above the peak, Winograd multiplies less than is counted. "
                        "Problems that do not multiply f32 are not here.",
                        tuned_roofline(machine)) +
           html_section(
               "Searches",
               "Curves: time of a call of the best candidate so far, at the clock of the fastest record; "
               "each "
               "batch is entered when its race is over. Below: the <b>value</b> of a parameter and the best "
               "time found with it / the best of all values (1.00: nothing lost), parameters that decide "
               "most "
               "first; only the chosen algorithm's.",
               cards(machine)) +
           refusals(machine);
}

} // namespace

std::string tuning_page(const SearchHistory &history, const std::string &title) {
    std::string header, body;
    const bool is_only = history.machines.size() == 1;
    if (is_only)
        header = "<p>" + escape_html(machine_line(history.machines[0])) + "</p>\n";
    for (const MachineHistory &machine : history.machines)
        body += machine_part(machine, is_only);
    std::string items;
    for (const std::string &text : history.unreadable)
        items += "<li>" + escape_html(text) + "</li>\n";
    if (!items.empty())
        body += "<section><h2>Not understood</h2>\n<ul>" + items + "</ul></section>\n";
    return html_document(title, "convsmith report", header, body);
}

} // namespace convsmith::bench
