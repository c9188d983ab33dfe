// Tuning records through the `convsmith` program: which subcommands plan with them, what they say about it,
// and that no record makes one fail; `build --tune` and `db check --retime`.
#include "runtime/records/database.h"
#include "tests/cli_support.h"

#include <nlohmann/json.hpp>

namespace convsmith {
namespace {

using autotune::Database;
using autotune::Record;
using nlohmann::json;

const ConvDesc kDesc = ConvDesc::parse("conv_ci8_i6x6_co8_k3_p1");

class CliRecords : public CliTest {
protected:
    /// An Ok record of this machine: generic schedule with that block of output channels.
    static Record record(int co_block) {
        PlanRequest request;
        request.schedule = "generic";
        request.params["co_block"] = co_block;
        Record record = autotune::new_record(kDesc, make_plan(kDesc, host_target(), request).plan, 1);
        record.ns = {990, 1000, 9, 0.5};
        record.probe_ns = 50000;
        return record;
    }

    void add(const std::string &file, const Record &record) const {
        Database((work() / file).string()).append(record);
    }

    /// The only layer of what `explain` writes.
    json explained(const std::string &options, const std::string &environment = "") const {
        const Outcome outcome = run("explain " + kDesc.key() + " --json e.json " + options, environment);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        return json::parse(read(work() / "e.json"))["layers"][0];
    }

    json manifest_members(const std::string &directory) const {
        const json manifest = json::parse(read(work() / directory / "manifest.json"));
        return manifest["kernels"][0]["platforms"]["x86-64-linux"]["members"];
    }
};

TEST_F(CliRecords, ExplainNamesTheRecordAndWhatWasPassedOver) {
    Record stale = record(4), illegal = record(4);
    stale.versions.llvm = "1.0";
    illegal.params["no_such"] = 1;
    illegal.is_chosen = true; // the best, if it were legal
    for (const Record &one : {stale, illegal, record(2)})
        add("t.jsonl", one);
    const json layer = explained("--db t.jsonl");
    EXPECT_EQ(layer["plan"], record(2).plan_text());
    EXPECT_EQ(layer["tuned"], true);
    EXPECT_EQ(layer["fallback"], false) << "it was measured";
    EXPECT_NE(layer["source"].get<std::string>().find("(same hardware) in t.jsonl"), std::string::npos);
    ASSERT_EQ(layer["passed_over"].size(), 2u);
    const Outcome text = run("explain " + kDesc.key() + " --db t.jsonl");
    for (const char *part : {"tuning record of", "1 stale record", "no_such"})
        EXPECT_NE(text.out.find(part), std::string::npos) << "no '" << part << "' in " << text.out;

    EXPECT_EQ(explained("--no-db")["source"], "default");
    EXPECT_EQ(explained("--db t.jsonl --threads 2")["source"], "default")
        << "nothing is known of two threads";
    EXPECT_EQ(explained("--db t.jsonl --schedule " + make_plan(kDesc, host_target()).plan.schedule)["source"],
              "explicit");
}

TEST_F(CliRecords, ProjectGoesBeforeUser) {
    const std::string user = "XDG_DATA_HOME='" + work().string() + "/home'";
    add("home/convsmith/tuning.jsonl", record(2));
    EXPECT_EQ(explained("", user)["plan"], record(2).plan_text());
    add("convsmith_tuning.jsonl", record(4));
    EXPECT_EQ(explained("", user)["plan"], record(4).plan_text());
    add("named.jsonl", record(1));
    EXPECT_EQ(explained("--db named.jsonl", user)["plan"], record(1).plan_text());
    EXPECT_EQ(explained("--no-db", user)["source"], "default");
}

TEST_F(CliRecords, CheckAndBenchRunTheRecordsPlan) {
    add("t.jsonl", record(2));
    const std::string options = kDesc.key() + " --db t.jsonl --threads 1 --json o.json";
    ASSERT_EQ(run("check " + options).exit_code, 0);
    EXPECT_EQ(json::parse(read(work() / "o.json"))["checks"][0]["plan"], record(2).plan_text());
    ASSERT_EQ(run("bench --rounds 1 " + options).exit_code, 0);
    const json timed = json::parse(read(work() / "o.json"))["layers"][0];
    EXPECT_EQ(timed["plan"], record(2).plan_text());
    EXPECT_NE(timed["source"].get<std::string>().find("tuning record"), std::string::npos);
}

TEST_F(CliRecords, MissingFilesAreErrorsAndLeaveNothing) {
    for (const char *command : {"explain", "check", "bench", "build -o out --name demo"})
        expect_failure(std::string(command) + " " + kDesc.key() + " --db absent.jsonl", 1, {"absent.jsonl"});
    expect_failure("explain " + kDesc.key() + " --db a.jsonl --no-db", 2, {"--no-db"});
}

TEST_F(CliRecords, BuildTakesRecordsAndDamagedLinesStopNothing) {
    std::ofstream(work() / "t.jsonl") << "garbage\n";
    add("t.jsonl", record(2));
    std::ofstream(work() / "t.jsonl", std::ios::app) << "{\"v\": 1, ";
    ASSERT_EQ(run("build " + kDesc.key() + " --no-baseline -o out --name demo --db t.jsonl").exit_code, 0);
    const json member = manifest_members("out")[0];
    EXPECT_EQ(member["plan"], record(2).plan_text());
    EXPECT_EQ(member["tuned"], true);
}

TEST_F(CliRecords, BuildTunesFirst) {
    const std::string build = "build " + kDesc.key() + " conv_n0_ci4_i0x0_co4_k3 --target host,arm_neon " +
                              "--schedule generic --param co_block=2 -o out --name demo ";
    const Outcome outcome = run(build + "--tune 4s --db t.jsonl");
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_NE(outcome.err.find("arm_neon does not run on this machine"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find("open"), std::string::npos) << outcome.err;
    const json member = manifest_members("out")[0];
    EXPECT_EQ(member["tuned"], true) << member;
    EXPECT_FALSE(Database((work() / "t.jsonl").string()).read().records().empty());

    expect_failure(build + "--tune soon --db t.jsonl", 2, {"--tune", "soon", "10m"});
    expect_failure(build + "--tune 4s --no-db", 2, {"--no-db"});
    expect_failure(build + "--tune 4s --db t.jsonl/x.jsonl", 1, {"t.jsonl/x.jsonl"});
}

TEST_F(CliRecords, RetimedRecordsAreTrustedAgain) {
    Record stale = record(2), illegal = record(4), elsewhere = record(1);
    for (Record *one : {&stale, &illegal, &elsewhere})
        one->versions.algorithm = "another";
    illegal.params["no_such"] = 1;
    elsewhere.hardware.cpu = "another machine";
    for (const Record &one : {stale, illegal, elsewhere})
        add("t.jsonl", one);
    EXPECT_EQ(explained("--db t.jsonl")["source"], "default");
    const Outcome outcome = run("db check --retime --budget 10s --db t.jsonl");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err << outcome.out;
    for (const char *part : {"1 stale record of other machines", "refused", "no_such", "tried"})
        EXPECT_NE(outcome.out.find(part), std::string::npos) << "no '" << part << "' in " << outcome.out;
    EXPECT_EQ(explained("--db t.jsonl")["tuned"], true);
    const autotune::Contents contents = Database((work() / "t.jsonl").string()).read();
    int current = 0;
    for (const Record *one : contents.records()) {
        EXPECT_EQ(one->status, autotune::Status::Ok) << one->error;
        current += autotune::is_current(*one) && one->plan_text() == stale.plan_text() ? 1 : 0;
    }
    EXPECT_GE(current, 1) << "judged and timed by this build";
    EXPECT_NE(run("db check --retime --budget 10s --db t.jsonl").out.find("refused"), std::string::npos);
    EXPECT_EQ(Database((work() / "t.jsonl").string()).read().records().size(), contents.records().size())
        << "what is timed is not timed again";
}

} // namespace
} // namespace convsmith
