// What the records of a database mean: which one a look-up takes, what is stale, what prune and merge leave.
#include "runtime/records/curate.h"
#include "runtime/records/lookup.h"
#include "runtime/temp_dir.h"
#include "tests/record_samples.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace convsmith::autotune {
namespace {

Contents contents_of(const std::string &name, const std::vector<Record> &records) {
    std::string text;
    for (const Record &record : records)
        text += to_line(record) + "\n";
    return parse_contents(name, text);
}

Record elsewhere(Record record, const std::string &microarchitecture) {
    record.hardware.cpu = "another " + microarchitecture;
    record.hardware.microarchitecture = microarchitecture;
    return record;
}

Query sample_query() {
    const Record record = sample_record();
    Query query;
    query.key = record.key;
    query.target = record.target;
    return query;
}

/// Rows of the plan found; 0 for none.
int rows_found(const Layers &layers, const Query &query = sample_query()) {
    const LookUp result = look_up(layers, query);
    return result.found ? result.found->record->params.at("rows") : 0;
}

TEST(LookUp, NearestMachineGoesBeforeTheFastest) {
    const Record exact = sample_record(1, 30);
    const Record same_core = elsewhere(sample_record(2, 20), host_hardware().microarchitecture);
    const Record same_isa = elsewhere(sample_record(3, 10), "othercore");
    EXPECT_EQ(rows_found({contents_of("a", {same_isa, same_core, exact})}), 1);
    EXPECT_EQ(rows_found({contents_of("a", {same_isa, same_core})}), 2);
    EXPECT_EQ(rows_found({contents_of("a", {same_isa})}), 3);
    EXPECT_EQ(look_up({contents_of("a", {same_core})}, sample_query()).found->text(),
              "tuning record of " + same_core.hardware.cpu + " (same microarchitecture) in a");
}

TEST(LookUp, NearestFileGoesBeforeTheFastestOnMachinesEquallyNear) {
    const Contents project = contents_of("project", {sample_record(1, 30), sample_record(2, 25)});
    const Contents user = contents_of("user", {sample_record(3, 10)});
    EXPECT_EQ(rows_found({project, user}), 2);
    EXPECT_EQ(rows_found({contents_of("project", {}), user}), 3);
    EXPECT_EQ(rows_found({contents_of("project", {elsewhere(sample_record(1), "othercore")}), user}), 3);
}

TEST(LookUp, ShippedRecordsAreChoicesThatThisBuildCanMake) {
    const Contents shipped = load_layers().back();
    EXPECT_TRUE(shipped.problems().empty());
    ASSERT_GT(shipped.records().size(), 20u);
    size_t stale = 0;
    for (const Record *record : shipped.records()) {
        const ConvDesc desc = ConvDesc::parse(record->key);
        EXPECT_EQ(desc.key(), record->key);
        EXPECT_TRUE(record->is_chosen) << record->key;
        EXPECT_EQ(record->status, Status::Ok) << record->key;
        stale += is_current(*record) ? 0 : 1;
        if (is_current(*record)) {
            const Plan plan = make_plan(desc, parse_target(record->target), record->request()).plan;
            EXPECT_EQ(plan.text(), record->plan_text()) << record->key;
        }
    }
    // Stale ones do no harm, but no good either: scripts/retime_shipped_records.sh renews them.
    RecordProperty("stale", static_cast<int>(stale));
}

TEST(LookUp, OtherProblemsThreadsAndTargetsDoNotAnswer) {
    const Layers layers = {contents_of("a", {sample_record(1)})};
    Query query = sample_query();
    query.threads = 2;
    EXPECT_EQ(rows_found(layers, query), 0);
    query = sample_query();
    query.target = "arm-64-linux";
    EXPECT_EQ(rows_found(layers, query), 0);
    query = sample_query();
    query.key += "_relu";
    EXPECT_EQ(rows_found(layers, query), 0);
}

TEST(LookUp, ExactAccuracyTakesNoRecordOfAnApproximateVariant) {
    Record winograd = sample_record(5, 1);
    winograd.variant = "winograd";
    Query query = sample_query();
    const Layers layers = {contents_of("a", {winograd, sample_record(1, 10)})};
    EXPECT_EQ(rows_found(layers, query), 5);
    query.accuracy = Accuracy::Exact;
    EXPECT_EQ(rows_found(layers, query), 1);
}

TEST(LookUp, StaleRecordsAreCountedAndNotTaken) {
    Record stale = sample_record(1);
    stale.versions.algorithm = "another";
    const LookUp result = look_up({contents_of("a", {stale})}, sample_query());
    EXPECT_FALSE(result.found);
    EXPECT_EQ(result.stale, 1);
}

TEST(LookUp, WrongResultAnywhereBarsThePlanForEver) {
    const Record right = sample_record(1, 10), slower = sample_record(2, 20);
    const Record wrong = elsewhere(failed_record(Status::WrongResult, 1), "othercore");
    const Layers layers = {contents_of("a", {right, slower}), contents_of("b", {wrong})};
    const LookUp result = look_up(layers, sample_query());
    ASSERT_TRUE(result.found);
    EXPECT_EQ(result.found->record->params.at("rows"), 2);
    EXPECT_EQ(result.wrong, 1);
}

TEST(LookUp, LastMeasurementOfAPlanCounts) {
    Record again = sample_record(1, 40);
    again.time = "2026-01-02T00:00:00Z";
    // The file's order does not matter: files are merged.
    EXPECT_EQ(rows_found({contents_of("a", {again, sample_record(1, 10), sample_record(2, 20)})}), 2);
    Record crashed = failed_record(Status::Crash, 2);
    crashed.time = again.time;
    EXPECT_EQ(rows_found({contents_of("a", {again, sample_record(2, 20), crashed})}), 1);
}

TEST(LookUp, ChoiceOfARunGoesBeforeLuckyTimes) {
    Record chosen = sample_record(1, 30), later = sample_record(2, 40);
    chosen.is_chosen = later.is_chosen = true;
    later.time = "2026-01-02T00:00:00Z";
    EXPECT_EQ(rows_found({contents_of("a", {chosen, sample_record(3, 10)})}), 1);
    EXPECT_EQ(rows_found({contents_of("a", {later, chosen, sample_record(3, 10)})}), 2);
    EXPECT_EQ(best_records(contents_of("a", {chosen, sample_record(3, 10)}), 1)[0]->params.at("rows"), 1);
}

TEST(LookUp, RecordMakesItsPlan) {
    const Record record = sample_record(4);
    const Layers layers = {contents_of("a", {record})};
    const Plan plan = make_plan(ConvDesc::parse(kSampleKey), parse_target(record.target),
                                look_up(layers, sample_query()).found->record->request())
                          .plan;
    EXPECT_EQ(plan.text(), record.plan_text());
}

TEST(LookUp, LayersAreProjectUserAndShipped) {
    const TempDir dir;
    const char *before = std::getenv("XDG_DATA_HOME");
    const std::string kept = before == nullptr ? "" : before;
    setenv("XDG_DATA_HOME", dir.string().c_str(), 1);
    EXPECT_EQ(default_database(), dir / "convsmith/tuning.jsonl");
    Database(default_database()).append(sample_record(2));
    Database(dir / "project.jsonl").append(sample_record(1, 99));
    const Layers layers = load_layers(dir / "project.jsonl");
    if (before == nullptr)
        unsetenv("XDG_DATA_HOME");
    else
        setenv("XDG_DATA_HOME", kept.c_str(), 1);
    ASSERT_EQ(layers.size(), 3u);
    EXPECT_EQ(rows_found(layers), 1);
    EXPECT_EQ(rows_found({layers[1], layers[2]}), 2);
    EXPECT_TRUE(layers[2].problems().empty());
}

TEST(Curate, BestRecordsAreTheFastestOfEachMachine) {
    const Record other = elsewhere(sample_record(3, 99), "othercore");
    const Contents contents = contents_of(
        "a", {sample_record(1, 30), sample_record(2, 20), other, failed_record(Status::Crash, 4)});
    const std::vector<const Record *> best = best_records(contents, 1);
    ASSERT_EQ(best.size(), 2u);
    EXPECT_EQ(best[0]->params.at("rows"), 2);
    EXPECT_EQ(best[1]->params.at("rows"), 3);
    EXPECT_EQ(best_records(contents, 2).size(), 3u);
}

TEST(Curate, MergeAddsEachLineOnceAndUnreadableOnesToo) {
    Contents into = contents_of("a", {sample_record(1)});
    const Contents from =
        parse_contents("b", to_line(sample_record(1)) + "\ngarbage\n" + to_line(sample_record(2)));
    EXPECT_EQ(merge_lines(into.lines, from.lines), 2);
    EXPECT_EQ(merge_lines(into.lines, from.lines), 0);
    EXPECT_EQ(into.lines[1].text, "garbage");
}

TEST(Curate, PruneDropsWhatALaterMeasurementReplacesAndKeepsWrongResults) {
    Record again = sample_record(1, 40);
    again.time = "2026-01-02T00:00:00Z";
    Record stale = sample_record(3);
    stale.versions.halide = "1.0";
    Contents contents = contents_of(
        "a", {sample_record(1), again, failed_record(Status::WrongResult, 2), sample_record(2), stale});
    Line garbage;
    garbage.text = "garbage";
    contents.lines.push_back(garbage);
    std::vector<Line> lines = contents.lines;
    EXPECT_EQ(prune_lines(lines, {}), 1);
    EXPECT_EQ(lines.size(), 5u);
    EXPECT_EQ(lines[0].text, to_line(again));
    EXPECT_EQ(lines[1].record->status, Status::WrongResult);
    EXPECT_EQ(prune_lines(lines, {/* drops_stale */ true}), 1);
    EXPECT_EQ(lines.back().text, "garbage");
}

TEST(Curate, PruneKeepsTheFastest) {
    Contents contents = contents_of("a", {sample_record(1, 30), sample_record(2, 10), sample_record(3, 20),
                                          failed_record(Status::Timeout, 4)});
    EXPECT_EQ(prune_lines(contents.lines, {false, 1}), 2);
    ASSERT_EQ(contents.lines.size(), 2u);
    EXPECT_EQ(contents.lines[0].record->params.at("rows"), 2);
    EXPECT_EQ(contents.lines[1].record->status, Status::Timeout); // else it would be tried again
}

} // namespace
} // namespace convsmith::autotune
