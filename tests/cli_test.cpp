// The `convsmith` program from outside: exit codes, what goes to which stream, JSON files, and that failures
// leave nothing behind. What the subcommands compute is tested with the libraries they call.
#include "runtime/process.h"
#include "tests/cli_support.h"
#include "tests/onnx_builder.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace convsmith {
namespace {

using nlohmann::json;

class Cli : public CliTest {
protected:
    /// x [open][2][open][open] -> Conv 3x3 -> Relu -> MaxPool -> LRN.
    void write_model(const std::string &name) const {
        OnnxBuilder builder;
        builder.input("x", {-1, 2, -1, -1}).weights("w", {4, 2, 3, 3}).output("y");
        builder.node("Conv", {"x", "w"}, "c");
        builder.node("Relu", {"c"}, "r");
        OnnxBuilder::ints(builder.node("MaxPool", {"r"}, "p"), "kernel_shape", {2, 2});
        OnnxBuilder::integer(builder.node("LRN", {"p"}, "y"), "size", 3);
        builder.save(work() / name);
    }
};

TEST_F(Cli, HelpAndVersionSucceed) {
    const Outcome version = run("--version");
    EXPECT_EQ(version.exit_code, 0);
    EXPECT_EQ(version.out.rfind("convsmith ", 0), 0u);
    EXPECT_EQ(run("--help").exit_code, 0);
    for (const char *subcommand : {"list", "explain", "info", "build", "check", "bench", "import", "report",
                                   "tune", "db", "db best"}) {
        const Outcome help = run(std::string(subcommand) + " --help");
        EXPECT_EQ(help.exit_code, 0) << subcommand;
        EXPECT_EQ(help.err, "") << subcommand;
        EXPECT_NE(help.out.find("Examples:"), std::string::npos) << subcommand;
        EXPECT_NE(help.out.find(std::string("convsmith ") + subcommand), std::string::npos) << subcommand;
    }
}

TEST_F(Cli, UsageErrorsExitWithTwo) {
    expect_failure("", 2, {"subcommand"});
    expect_failure("frobnicate", 2, {"frobnicate"});
    expect_failure("explain", 2, {"SPEC"});
    expect_failure("info", 2, {"SPEC"});
    expect_failure("explain --no-such-option conv_ci8_i8_co8_k3", 2, {"--no-such-option"});
    expect_failure("list colours", 2, {"colours", "epilogues"});
    expect_failure("import model.onnx", 2, {"--output"});
}

TEST_F(Cli, MalformedSpecsExitWithTwo) {
    expect_failure("explain conv_ci8_i8x8_co8_q3", 2, {"q3"});
    expect_failure("explain conv_ci8_i8x8_co8_k3x3_g3", 2, {"groups"});
    expect_failure("explain conv_ci8_i2x2_co8_k5x5", 2, {"kernel"});
    expect_failure("explain conv_n4096_ci512_i512x512_co8_k1", 2, {"2^31"});
    expect_failure("info conv_ci8_i8x8_co8_k3_p1 conv_ci8_i8x8_co8_q3", 2, {"q3"});
    expect_failure("explain layers.txt", 2, {"layers.txt", ".json", ".onnx"});
    std::ofstream(work() / "bad.json")
        << R"({"layers": [{"name": "a", "ic": 1, "oc": 1, "iw": "x", "k": [1]}]})";
    expect_failure("explain bad.json", 2, {"bad.json", "'a'", "'iw'"});
    std::ofstream(work() / "cut.json") << R"({"layers": [{"na)";
    expect_failure("explain cut.json", 2, {"cut.json", "JSON"});
}

TEST_F(Cli, MissingFilesExitWithOne) {
    expect_failure("explain absent.json", 1, {"absent.json", "No such file"});
    expect_failure("explain absent.onnx", 1, {"absent.onnx", "No such file"});
    expect_failure("import absent.onnx -o out.json", 1, {"absent.onnx"});
    fs::create_directory(work() / "folder.onnx");
    expect_failure("import folder.onnx -o out.json", 1, {"folder.onnx", "directory"});
}

TEST_F(Cli, UnknownTargetsAndSchedulesExitWithTwo) {
    const std::string key = " conv_ci8_i8x8_co8_k3";
    expect_failure("explain --target z80" + key, 2, {"z80", "arm_neon"});
    expect_failure("check --target z80" + key, 2, {"z80"});
    expect_failure("bench --target z80" + key, 2, {"z80"});
    expect_failure("build --target host,z80 -o out --name x" + key, 2, {"z80"});
    expect_failure("explain --schedule fastest" + key, 2, {"fastest", "generic"});
    expect_failure("explain --param tile_p" + key, 2, {"tile_p", "NAME=N"});
}

TEST_F(Cli, UnwritableOutputsExitWithOneAndLeaveNothing) {
    write_model("m.onnx");
    expect_failure("import m.onnx --shape x=1,2,8,8 -o no/such/out.json", 1, {"no/such/out.json"});
    const Outcome outcome = run("list targets --json no/such.json");
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_NE(outcome.err.find("no/such.json"), std::string::npos);
    EXPECT_EQ(files(), (std::vector<std::string>{"m.onnx"}));
    expect_failure("list targets > /dev/full", 1, {"standard output"});
}

TEST_F(Cli, BrokenModelsAreRefused) {
    write_model("m.onnx");
    const std::string bytes = read(work() / "m.onnx");
    std::ofstream(work() / "cut.onnx") << bytes.substr(0, bytes.size() / 2);
    std::ofstream(work() / "text.onnx") << "not a model";
    expect_failure("import cut.onnx -o out.json", 2, {"cut.onnx", "truncated"});
    expect_failure("import text.onnx -o out.json", 2, {"text.onnx", "no ONNX model"});
    expect_failure("import m.onnx -o out.json", 2, {"'x'", "--shape x="});
    expect_failure("import m.onnx -o out.json --shape x=1,2,8", 2, {"'x'", "[1, 2, 8]"});
    expect_failure("import m.onnx -o out.json --shape x", 2, {"--shape", "NAME=N,C,..."});
    expect_failure("import m.onnx -o out.json --shape x=1,2,a,8", 2, {"'a'", "positive integer"});
    expect_failure("import m.onnx -o out.json --shape x=1,2,8,8 --shape x=1,2,9,9", 2, {"'x'", "twice"});
}

TEST_F(Cli, ImportWritesALayerListThatIsASpec) {
    write_model("m.onnx");
    const Outcome imported = run("import m.onnx --shape x=1,2,8,8 -o layers.json --json summary.json");
    EXPECT_EQ(imported.exit_code, 0) << imported.err;
    EXPECT_EQ(imported.err, "");
    EXPECT_NE(imported.out.find("2 layers"), std::string::npos) << imported.out;
    EXPECT_NE(imported.out.find("LRN"), std::string::npos) << imported.out;
    const json list = json::parse(read(work() / "layers.json"));
    EXPECT_EQ(list["layers"][0]["key"],
              "conv_n1_ci2_i8x8_co4_k3x3_s1x1_p0x0x0x0_d1x1_g1_f32_nchw_zeros_relu");
    EXPECT_EQ(list["layers"][1]["key"], "maxpool_n1_ci4_i6x6_k2x2_s1x1_p0x0x0x0_d1x1_f32_nchw_ignore");
    EXPECT_EQ(list["skipped"][0]["op"], "LRN");
    EXPECT_EQ(json::parse(read(work() / "summary.json"))["skipped"], list["skipped"]);
    const Outcome explained = run("explain layers.json --target arm_neon --json plans.json");
    EXPECT_EQ(explained.exit_code, 0) << explained.err;
    const json plans = json::parse(read(work() / "plans.json"));
    EXPECT_EQ(plans["layers"][0]["key"], list["layers"][0]["key"]);
    EXPECT_EQ(plans["skipped"][0]["op"], "LRN");
}

TEST_F(Cli, CheckSkipsLargeLayersOnRequest) {
    const Outcome outcome =
        run("check conv_ci4_i5x5_co4_k1 conv_ci4_i50x50_co4_k1 --max-macs 400"); // 16 MACs a position
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_NE(outcome.out.find("more than 400 MACs"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("1 passed, 0 failed, 1 skipped"), std::string::npos) << outcome.out;
}

TEST_F(Cli, ExplainStatesTheProblemAndThePlan) {
    const std::string key = "conv_n1_ci64_i56x56_co64_k3x3_s1x1_p1x1x1x1_d1x1_g1_f32_nhwc_zeros_bias_relu";
    const Outcome outcome =
        run("explain conv_ci64_i56x56_co64_k3_p1_bias_relu --target arm_neon --schedule generic "
            "--json e.json");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    const json layer = json::parse(read(work() / "e.json"))["layers"][0];
    EXPECT_EQ(layer["key"], key);
    EXPECT_EQ(layer["macs"], 115605504);
    EXPECT_EQ(layer["parameters"], 36928);
    EXPECT_EQ(layer["bytes"], 4 * (2 * 56 * 56 * 64 + 36928));
    EXPECT_EQ(layer["output"], (std::vector<int>{1, 56, 56, 64}));
    EXPECT_EQ(layer["schedule"], "generic");
    EXPECT_EQ(layer["source"], "explicit");
    EXPECT_FALSE(layer["fallback"].get<bool>());
    for (const std::string &part : {key, std::string("115605504"), layer["plan"].get<std::string>()}) {
        EXPECT_NE(outcome.out.find(part), std::string::npos) << part;
    }
}

TEST_F(Cli, InfoCountsLayersAndTheStack) {
    const Outcome outcome =
        run("info conv_ci8_i32x32_co8_k3_p2_d2_bias conv_ci8_i32x32_co4_k3_p2_d2 --json info.json");
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_NE(outcome.out.find(
                  "receptive field h: 9 cells, stride 1, 4 cells are never seen (gridding): 1, 3, 5, 7"),
              std::string::npos)
        << outcome.out;
    EXPECT_EQ(outcome.out.find("no plain stack"), std::string::npos) << outcome.out;
    const json info = json::parse(read(work() / "info.json"));
    EXPECT_EQ(info["layers"][0]["parameters"], 8 * 8 * 9 + 8);
    EXPECT_EQ(info["layers"][1]["macs"], 32 * 32 * 4 * 8 * 9);
    EXPECT_EQ(info["layers"][1]["output"], (json{1, 32, 32, 4}));
    EXPECT_EQ(info["total"]["parameters"], 8 * 12 * 9 + 8);
    EXPECT_EQ(info["receptive_field"][1], (json{{"axis", "w"},
                                                {"extent", 9},
                                                {"stride", 1},
                                                {"holes", 4},
                                                {"unseen", {{1, 1}, {3, 3}, {5, 5}, {7, 7}}}}));
}

TEST_F(Cli, InfoOfOpenSizesLeavesOutWhatTheyDecide) {
    const Outcome outcome = run("info conv_n0_ci8_i0x0_co8_k3_bias --json info.json");
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_NE(outcome.out.find("?x?x?x8 nhwc"), std::string::npos) << outcome.out;
    const json info = json::parse(read(work() / "info.json"));
    EXPECT_EQ(info["layers"][0]["parameters"], 584);
    EXPECT_TRUE(info["layers"][0]["macs"].is_null());
    EXPECT_EQ(info["receptive_field"][0]["extent"], 3);
}

TEST_F(Cli, ExplainSaysThatAFallbackIsOneAndWhy) {
    // Nothing is tuned for plain x86-64, but the generic schedule takes everything.
    const Outcome outcome = run("explain conv_ci8_i8x8_co8_k3 --target x86_64 --json e.json");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    const json layer = json::parse(read(work() / "e.json"))["layers"][0];
    EXPECT_TRUE(layer["fallback"].get<bool>());
    EXPECT_NE(outcome.out.find("fallback"), std::string::npos);
    ASSERT_FALSE(layer["rejected"].empty());
    EXPECT_NE(outcome.out.find(layer["rejected"][0]["reason"].get<std::string>()), std::string::npos);
}

TEST_F(Cli, ExplainOnThisMachineGivesARoofline) {
    const Outcome outcome = run("explain conv_ci64_i56x56_co64_k3_p1 conv_n0_ci4_i0_co4_k3 --json e.json");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    const json result = json::parse(read(work() / "e.json"));
    EXPECT_GT(result["machine"]["peak_gflops"], 0.1);
    EXPECT_GT(result["layers"][0]["roofline"]["compute_ns"], 0);
    EXPECT_GT(result["layers"][0]["roofline"]["memory_ns"], 0);
    EXPECT_FALSE(result["layers"][1].contains("roofline")); // its sizes are open
}

TEST_F(Cli, BenchWritesWhatItFoundAsJsonAndAsAPage) {
    const Outcome outcome =
        run("bench conv_ci8_i8x8_co8_k1 maxpool_ci8_i8x8_k2_s2 --rounds 2 --against onednn,xnnpack "
            "--json b.json --html b.html");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    const json result = json::parse(read(work() / "b.json"));
    EXPECT_EQ(result["layers"].size(), 2u);
    EXPECT_GT(result["layers"][0]["ns"]["median"], 0);
    EXPECT_EQ(result["layers"][0]["workspace_bytes"], 0) << "a 1x1 convolution reads its input in place";
    EXPECT_NE(outcome.out.find("workspace: 0.00 MiB"), std::string::npos) << outcome.out;
    EXPECT_TRUE(result["machine"]["peers"].contains("onednn"));
    const std::string page = read(work() / "b.html");
    EXPECT_EQ(page.rfind("<!DOCTYPE html>", 0), 0u);
    for (const json &layer : result["layers"])
        EXPECT_NE(page.find(layer["key"].get<std::string>()), std::string::npos) << layer["key"];
}

TEST_F(Cli, BenchComparesPlansOfDifferentRecords) {
    const Outcome outcome =
        run("bench conv_ci8_i8x8_co8_k1 --rounds 2 --against default,db:none.jsonl --json b.json");
    EXPECT_EQ(outcome.exit_code, 1) << "db:none.jsonl is not there";
    EXPECT_NE(outcome.err.find("none.jsonl"), std::string::npos) << outcome.err;
    const Outcome ours = run("bench conv_ci8_i8x8_co8_k1 --rounds 2 --against default --json b.json");
    EXPECT_EQ(ours.exit_code, 0) << ours.err;
    const json layer = json::parse(read(work() / "b.json"))["layers"][0];
    EXPECT_GT(layer["peers"]["default"]["ratio"], 0);
    EXPECT_EQ(layer["peers"]["default"]["implementation"], layer["plan"]);
}

TEST_F(Cli, BenchWithoutOnnxRuntimeSaysHowToInstallIt) {
    const Outcome outcome = run("bench conv_ci8_i8x8_co8_k1 --rounds 1 --against onnxruntime --json b.json",
                                "XDG_CACHE_HOME='" + dir_.string() + "'");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_NE(outcome.out.find("scripts/install_onnxruntime.sh"), std::string::npos) << outcome.out;
    const json result = json::parse(read(work() / "b.json"));
    EXPECT_EQ(result["machine"]["peers"]["onnxruntime"], "");
    EXPECT_TRUE(result["layers"][0]["not_compared"].contains("onnxruntime"));
}

TEST_F(Cli, TuneRecordsWhatItFindsAndDbShowsIt) {
    const std::string key = "conv_ci8_i6x6_co8_k3_p1";
    const Outcome tuned = run("tune " + key + " --schedule generic --budget 20s --db t.jsonl --json t.json");
    ASSERT_EQ(tuned.exit_code, 0) << tuned.err;
    const json result = json::parse(read(work() / "t.json"))["layers"][0];
    EXPECT_GT(result["record"]["ns"]["median"], 0);
    EXPECT_GT(result["tried"], 1);
    const Outcome best = run("db best " + key + " --db t.jsonl --json b.json");
    ASSERT_EQ(best.exit_code, 0) << best.err;
    EXPECT_NE(best.out.find("same hardware"), std::string::npos) << best.out;
    const json found = json::parse(read(work() / "b.json"))["layers"][0];
    EXPECT_EQ(found["record"]["plan"], result["record"]["plan"]);
    EXPECT_EQ(run("db check --db t.jsonl").exit_code, 0);
    EXPECT_EQ(run("db export --db t.jsonl -o best.jsonl").exit_code, 0);
    const Outcome shown = run("db show --db best.jsonl");
    EXPECT_NE(shown.out.find("1 record\n"), std::string::npos) << shown.out;
    expect_failure("tune " + key + " --budget soon", 2, {"soon", "10m"});
    expect_failure("tune " + key + " --shard 3/2", 2, {"3/2", "K/N"});
    expect_failure("tune conv_ci8_i0x0_co8_k3 --db t.jsonl", 2, {"open"});
}

TEST_F(Cli, TuningForACpuThatIsNotAtHandClaimsNoTime) {
    const std::string key = "conv_ci8_i6x6_co8_k3_p1";
    expect_failure("tune " + key + " --cost guessed --db m.jsonl", 2, {"guessed", "static:cortex-a76"});
    expect_failure("tune " + key + " --cost static:z80 --target arm_neon --db m.jsonl", 2,
                   {"z80", "cortex-a72"});
    expect_failure("tune " + key + " --cost static:z80 --target cuda --db m.jsonl", 2, {"z80", "h100"});
    expect_failure("tune " + key + " --cost static --target opencl --db m.jsonl", 1, {"opencl"});
    expect_failure("tune " + key + " --target arm_neon --db m.jsonl", 1, {"does not run", "--cost static"});
    if (!has_program("llvm-mca-14") && !has_program("llvm-mca-19") && !has_program("llvm-mca"))
        GTEST_SKIP() << "needs llvm-mca (packages llvm-14 or llvm-19)";
    const Outcome tuned = run(
        "tune " + key + " --target arm_neon --cost static:cortex-a76 --schedule generic --param co_block=8" +
        " --db m.jsonl --json m.json");
    ASSERT_EQ(tuned.exit_code, 0) << tuned.err;
    EXPECT_NE(tuned.out.find("by the model of cortex-a76, not measured"), std::string::npos) << tuned.out;
    EXPECT_EQ(tuned.out.find(" us"), std::string::npos) << tuned.out;
    const json layer = json::parse(read(work() / "m.json"))["layers"][0];
    EXPECT_EQ(layer["record"]["status"], "modelled");
    EXPECT_FALSE(layer["record"].contains("ns"));
    EXPECT_EQ(layer["model"]["machine"], "cortex-a76");
    const Outcome best = run("db best " + key + " --target arm_neon --db m.jsonl");
    EXPECT_NE(best.out.find("not measured"), std::string::npos) << best.out;
    expect_failure("db fit m.jsonl", 2, {"at least 10"});
    expect_failure("db fit nothing.jsonl", 1, {"nothing.jsonl"});
    expect_failure("db replay m.jsonl", 2, {"at least 10"});
    expect_failure("db replay nothing.jsonl", 1, {"nothing.jsonl"});
}

TEST_F(Cli, ShardsOfATuningRunTakeEveryProblemOnce) {
    std::string specs;
    for (int channels = 1; channels <= 6; channels++)
        specs += fmt::format(" conv_ci{}_i1_co1_k1", channels);
    std::vector<std::string> keys;
    for (int part = 1; part <= 2; part++) {
        const Outcome outcome = run(
            fmt::format("tune{} --shard {}/2 --schedule generic --param co_block=1 --budget 1s --db s.jsonl "
                        "--json s.json",
                        specs, part));
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        const json layers = json::parse(read(work() / "s.json"))["layers"];
        EXPECT_GE(layers.size(), 1u);
        for (const json &layer : layers)
            keys.push_back(layer["key"]);
    }
    EXPECT_EQ(keys.size(), 6u);
    std::sort(keys.begin(), keys.end());
    EXPECT_TRUE(std::adjacent_find(keys.begin(), keys.end()) == keys.end());
}

TEST_F(Cli, DbReportsUnreadableLinesAndKeepsThem) {
    std::ofstream(work() / "a.jsonl") << "{\"v\": 1, \n";
    std::ofstream(work() / "b.jsonl") << "garbage\n";
    const Outcome merged = run("db merge b.jsonl --db a.jsonl");
    EXPECT_EQ(merged.exit_code, 0);
    EXPECT_NE(merged.err.find("b.jsonl:1"), std::string::npos) << merged.err;
    EXPECT_EQ(run("db prune --stale --keep 1 --db a.jsonl").exit_code, 0);
    EXPECT_EQ(read(work() / "a.jsonl"), "{\"v\": 1, \ngarbage\n");
    const Outcome checked = run("db check --db a.jsonl");
    EXPECT_EQ(checked.exit_code, 1);
    EXPECT_NE(checked.out.find("a.jsonl:2"), std::string::npos) << checked.out;
    expect_failure("db merge absent.jsonl --db a.jsonl", 1, {"absent.jsonl"});
    expect_failure("db", 2, {"subcommand"});
}

TEST_F(Cli, ListShowsEveryTable) {
    const std::vector<std::pair<std::string, std::string>> tables = {{"variants", "direct"},
                                                                     {"targets", "arm_neon"},
                                                                     {"schedules", "generic"},
                                                                     {"epilogues", "hard_swish"}};
    for (const auto &[table, row] : tables) {
        const Outcome outcome = run(fmt::format("list {0} --json {0}.json", table));
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        EXPECT_NE(outcome.out.find(row), std::string::npos) << outcome.out;
        const json rows = json::parse(read(work() / (table + ".json")))[table];
        const auto is_row = [name = row](const json &entry) { return entry["name"] == name; };
        EXPECT_TRUE(std::any_of(rows.begin(), rows.end(), is_row)) << rows;
    }
    const json variants = json::parse(read(work() / "variants.json"))["variants"];
    for (const json &variant : variants) {
        for (const char *target : {"cuda", "opencl", "arm_neon"})
            EXPECT_NE(variant["targets"][target], "-") << target;
    }
}

} // namespace
} // namespace convsmith
