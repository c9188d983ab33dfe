// The page of a tuning database: its numbers from hand-made records, its markup, and how a browser shows it.
#include "autotune/search_history.h"
#include "bench/tuning_charts.h"
#include "bench/tuning_page.h"
#include "runtime/frontend/file_io.h"
#include "runtime/process.h"
#include "runtime/temp_dir.h"
#include "tests/record_samples.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

namespace convsmith::autotune {
namespace {

namespace fs = std::filesystem;

/// A record of `us` microseconds a call, `seconds` after its run began.
Record record_at(double seconds, int rows, double us, const std::string &run = "first") {
    Record record = sample_record(rows, us);
    record.seconds = seconds;
    record.run = run;
    return record;
}

Record choice(int rows, double us, double default_us) {
    Record record = record_at(60, rows, us);
    record.is_chosen = true;
    RunSummary summary;
    summary.default_ns = default_us * 1000;
    summary.speedup = default_us / us;
    summary.candidates = 1234;
    summary.tried = 3;
    summary.rejected = {{"x86_avx2 direct: needs N <registers>, the target has N", 300},
                        {"tile too wide", 20}};
    summary.roofs = {100, 10};
    record.summary = summary;
    return record;
}

/// A database of one problem: two runs, a failure, a choice.
Contents sample_contents() {
    Record failed = failed_record(Status::WrongResult, 9);
    failed.seconds = 12;
    std::string text;
    for (const Record &record : {record_at(10, 1, 30), record_at(10, 2, 24), failed, record_at(20, 4, 28),
                                 record_at(30, 8, 20), record_at(15, 6, 22, "second"), choice(8, 20, 26)})
        text += to_line(record) + "\n";
    return parse_contents("sample.jsonl", text);
}

TEST(Record, SummaryAndSecondsSurviveTheFile) {
    const Record record = choice(8, 20, 26);
    const Record again = parse_record(to_line(record), "here");
    ASSERT_TRUE(again.summary);
    EXPECT_EQ(*again.summary, *record.summary);
    EXPECT_EQ(again.summary->rejected.size(), 2u);
    EXPECT_DOUBLE_EQ(again.seconds, 60);
    EXPECT_TRUE(again.other.empty());
    EXPECT_FALSE(parse_record(to_line(sample_record()), "here").summary);
}

TEST(SearchHistory, BestFallsWheneverARecordIsBetter) {
    const SearchHistory history = history_of(sample_contents());
    ASSERT_EQ(history.machines.size(), 1u);
    ASSERT_EQ(history.machines[0].problems.size(), 1u);
    const ProblemHistory &problem = history.machines[0].problems[0];
    ASSERT_EQ(problem.runs.size(), 3u); // the failed record's run has no times
    std::vector<std::pair<double, double>> steps;
    for (const BestSoFar &best : problem.runs[0].best)
        steps.emplace_back(best.seconds, std::round(best.ns / 1000));
    const std::vector<std::pair<double, double>> want = {{10, 30}, {10, 24}, {20, 24}, {30, 20}, {60, 20}};
    EXPECT_EQ(steps, want);
    EXPECT_TRUE(problem.runs[1].best.empty());
    EXPECT_EQ(problem.outcomes.at(Status::WrongResult), 1);
    EXPECT_EQ(problem.best.params.at("rows"), 8);
}

TEST(SearchHistory, SensitivityIsTheBestTimeWithEachValue) {
    const ProblemHistory problem = history_of(sample_contents()).machines[0].problems[0];
    ASSERT_EQ(problem.sensitivity.size(), 2u);
    EXPECT_EQ(problem.sensitivity[0].name, "algorithm");
    const Sensitivity &rows = problem.sensitivity[1];
    EXPECT_EQ(rows.name, "rows");
    ASSERT_EQ(rows.values.size(), 5u);
    EXPECT_EQ(rows.values[0].value, "1");
    EXPECT_NEAR(rows.values[0].ratio, 1.5, 1e-9);
    EXPECT_EQ(rows.values[4].value, "8");
    EXPECT_NEAR(rows.values[4].ratio, 1, 1e-9);
    EXPECT_EQ(rows.values[4].tried, 2);
    EXPECT_NEAR(rows.range(), 1.5, 1e-9);
}

TEST(SearchHistory, MachinesAreKeptApartAndForeignKeysAreNamed) {
    Record other = record_at(1, 1, 40);
    other.hardware.cpu = "another";
    Record foreign = record_at(1, 1, 40);
    foreign.key = "conv_of_the_future";
    const SearchHistory history = history_of(parse_contents(
        "x", to_line(choice(8, 20, 26)) + "\n" + to_line(other) + "\n" + to_line(foreign) + "\n"));
    ASSERT_EQ(history.machines.size(), 2u);
    int64_t counted = 0;
    EXPECT_NEAR(history.machines[0].speedup(counted), 1.3, 1e-9);
    EXPECT_EQ(counted, 1);
    EXPECT_EQ(history.machines[1].speedup(counted), 0);
    ASSERT_EQ(history.unreadable.size(), 1u);
    EXPECT_NE(history.unreadable[0].find("conv_of_the_future"), std::string::npos);
}

TEST(SearchHistory, ModelledRecordsAreNeitherTimesNorFailures) {
    Record modelled = sample_record(1, 10);
    modelled.hardware.cpu = "cortex-a76 (llvm-mca)";
    modelled.status = Status::Modelled;
    modelled.modelled_cost = 2;
    const SearchHistory history = history_of(parse_contents("x", to_line(modelled) + "\n"));
    ASSERT_EQ(history.machines.size(), 1u);
    const ProblemHistory &problem = history.machines[0].problems.at(0);
    EXPECT_FALSE(problem.has_times);
    EXPECT_TRUE(problem.errors.empty());
    const std::string page = bench::tuning_page(history, "modelled");
    EXPECT_NE(page.find("not measured"), std::string::npos);
    EXPECT_EQ(page.find("no right result"), std::string::npos);
}

TEST(SearchHistory, UntimedRecordsOfAnEmulatorAreNoFailures) {
    Record judged = sample_record(1, 10);
    judged.status = Status::NotTimed;
    const SearchHistory history = history_of(parse_contents("x", to_line(judged) + "\n"));
    const ProblemHistory &problem = history.machines.at(0).problems.at(0);
    EXPECT_FALSE(problem.has_times);
    EXPECT_TRUE(problem.errors.empty());
    EXPECT_NE(bench::tuning_page(history, "emulated").find("not measured"), std::string::npos);
}

TEST(SearchHistory, ShortKeyMeansTheSame) {
    for (const char *key :
         {"conv_ci64_i56x56_co64_k3_s2_p1_bias_relu", "maxpool_ci8_i9x9_k3_s2_ceil_indices",
          "conv_ci8_i9x7_co16_k3x1", "conv_ci32_i112_co32_k3_p1_g32_then_conv_co64_k1_bias"}) {
        const ConvDesc desc = ConvDesc::parse(key);
        EXPECT_EQ(ConvDesc::parse(short_key(desc)), desc) << short_key(desc);
        EXPECT_LE(short_key(desc).size(), std::string(key).size() + 6) << short_key(desc);
    }
}

TEST(TuningPage, EverySectionIsThereWithItsUnits) {
    const std::string page = bench::tuning_page(history_of(sample_contents()), "a <database>");
    for (const char *part :
         {"a &lt;database&gt;", "1.30", "per call", "seconds since the run began", "default plan", "GFLOP/s",
          "FLOP / B", "copying 10.0 GB/s", "300 combinations", "N &lt;registers&gt;", "got 1, want 2",
          "1 records", "seed 7", "prefers-color-scheme: dark"})
        EXPECT_NE(page.find(part), std::string::npos) << part;
    for (const char *part :
         {"<script", "http:", "https:", "src=", "url(", "@import", "<database>", "<registers>"})
        EXPECT_EQ(page.find(part), std::string::npos) << part;
}

TEST(TuningPage, OldRecordsWithoutTimesOfRunsHaveATable) {
    const SearchHistory history = history_of(parse_contents("old", to_line(sample_record(1, 10)) + "\n"));
    const std::string page = bench::tuning_page(history, "old");
    EXPECT_EQ(bench::gain_chart(history.machines[0]), "");
    EXPECT_EQ(bench::search_chart(history.machines[0].problems[0]), "");
    EXPECT_EQ(page.find("Before and after"), std::string::npos);
    EXPECT_NE(page.find("10.0\u202f\u00b5s"), std::string::npos);
}

/// `convsmith report` in a directory of its own.
class ReportCommand : public ::testing::Test {
protected:
    ProcessResult run(const std::string &text) const {
        write_file_atomically(dir_ / "db.jsonl", text);
        return run_process({kProgram, "report", dir_ / "db.jsonl", "-o", page()});
    }
    std::string page() const { return dir_ / "report.html"; }

    static constexpr const char *kProgram = CONVSMITH_BINARY_DIR "/bin/convsmith";
    TempDir dir_;
};

TEST_F(ReportCommand, EmptyAndBrokenDatabasesAreRefusedAndNothingIsWritten) {
    const ProcessResult empty = run("");
    EXPECT_EQ(empty.exit_code, 2);
    EXPECT_NE(empty.output.find("no records in it"), std::string::npos) << empty.output;
    const ProcessResult broken = run("garbage\n{\"v\": 1}\n");
    EXPECT_EQ(broken.exit_code, 2);
    EXPECT_NE(broken.output.find("none of its 2 lines is a record"), std::string::npos) << broken.output;
    const ProcessResult absent = run_process({kProgram, "report", dir_ / "absent.jsonl", "-o", page()});
    EXPECT_EQ(absent.exit_code, 1);
    EXPECT_NE(absent.output.find("absent.jsonl"), std::string::npos) << absent.output;
    EXPECT_FALSE(fs::exists(page()));
}

TEST_F(ReportCommand, BrokenLinesAmongRecordsAreWarnings) {
    const ProcessResult result = run("garbage\n" + to_line(choice(8, 20, 26)) + "\n");
    EXPECT_EQ(result.exit_code, 0) << result.output;
    EXPECT_NE(result.output.find("db.jsonl:1"), std::string::npos) << result.output;
    EXPECT_TRUE(fs::exists(page()));
}

/// A page that shows another in a frame as wide as a phone and says, as its title, what the browser made of
/// it.
std::string frame_of(const std::string &page) {
    return fmt::format(
        R"html(<!DOCTYPE html><body style="margin:0"><iframe id="f" src="{}" width="360" height="2400"
style="border:0"></iframe><script>onload = () => {{
const w = document.getElementById("f").contentWindow, d = w.document;
const texts = [...d.querySelectorAll("svg text")].filter(t => t.getBoundingClientRect().width > 0)
    .map(t => t.getBoundingClientRect().height);
const isTooWide = e => e.scrollWidth > e.clientWidth;
document.title = "overflow " + [d.documentElement, ...d.querySelectorAll(".wide")].some(isTooWide) +
    " fetched " + w.performance.getEntriesByType("resource").length +
    " dark " + w.matchMedia("(prefers-color-scheme: dark)").matches +
    " readable " + (texts.length > 0 && Math.min(...texts) >= 9);
}};</script></body>)html",
        page);
}

TEST_F(ReportCommand, BrowserShowsItOnAPhoneInTheDarkWithoutFetchingAnything) {
    if (!has_program("chromium"))
        GTEST_SKIP() << "no chromium (Debian's package) to open the page with";
    const Contents contents = sample_contents();
    std::string text;
    for (const Line &line : contents.lines)
        text += line.text + "\n";
    ASSERT_EQ(run(text).exit_code, 0);
    write_file_atomically(dir_ / "frame.html", frame_of("report.html"));
    const std::string screenshot = dir_ / "page.png";
    const std::vector<std::string> chromium = {"chromium",
                                               "--headless",
                                               "--no-sandbox",
                                               "--disable-gpu",
                                               "--user-data-dir=" + (dir_ / "profile"),
                                               "--no-first-run",
                                               "--allow-file-access-from-files",
                                               "--enable-logging=stderr",
                                               "--blink-settings=preferredColorScheme=0",
                                               "--window-size=1280,2000"};
    std::vector<std::string> dump = chromium;
    dump.insert(dump.end(), {"--dump-dom", "file://" + (dir_ / "frame.html")});
    const ProcessResult opened = run_process(dump);
    EXPECT_NE(opened.output.find("<title>overflow false fetched 0 dark true readable true</title>"),
              std::string::npos)
        << opened.output.substr(
               opened.output.find("<!DOCTYPE") == std::string::npos ? 0 : opened.output.find("<!DOCTYPE"));
    EXPECT_EQ(opened.output.find("CONSOLE"), std::string::npos) << opened.output;
    std::vector<std::string> shoot = chromium;
    shoot.insert(shoot.end(), {"--screenshot=" + screenshot, "file://" + page()});
    const ProcessResult shot = run_process(shoot);
    EXPECT_EQ(shot.output.find("CONSOLE"), std::string::npos) << shot.output;
    ASSERT_TRUE(fs::exists(screenshot)) << shot.output;
    EXPECT_GT(fs::file_size(screenshot), 20000u); // an empty page of that size is smaller
}

} // namespace
} // namespace convsmith::autotune
