// The check engine: it finds what is wrong, says how to repeat it, and skips nothing silently. Guard pages
// trap.
#include "runtime/check.h"

#include "generators/conv_shape.h"
#include "runtime/frontend/case_files.h"
#include "runtime/fuzz.h"
#include "runtime/guarded_tensor.h"
#include "runtime/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

namespace convsmith {
namespace {

namespace fs = std::filesystem;

constexpr const char *kOwnCases = CONVSMITH_SOURCE_DIR "/tests/data/cases";

// ---- guard pages ----

TEST(GuardedTensorDeathTest, ReadPastTheEndTraps) {
    const GuardedTensor tensor(DType::F32, {3, 5}, Flush::End);
    const volatile float *data = static_cast<const float *>(tensor.view().data);
    EXPECT_TRUE(std::isnan(data[14]));
    EXPECT_DEATH((void)data[15], "");
}

TEST(GuardedTensorDeathTest, WriteBeforeTheBeginningTraps) {
    const GuardedTensor tensor(DType::F64, {7}, Flush::Begin);
    volatile double *data = static_cast<double *>(tensor.view().data);
    data[0] = 1;
    EXPECT_DEATH(data[-1] = 1, "");
}

TEST(GuardedTensorDeathTest, WriteToAnInputTraps) {
    const Tensor source(DType::F32, {4});
    GuardedTensor tensor(DType::F32, {4}, Flush::End);
    tensor.load_read_only(source.view());
    volatile float *data = static_cast<float *>(tensor.view().data);
    EXPECT_EQ(data[3], 0);
    EXPECT_DEATH(data[3] = 1, "");
}

// ---- the engine, with a runner that computes by the oracle ----

/// Returns the oracle's values, changed by `damage`.
class OracleRunner : public Runner {
public:
    using Damage = std::function<void(Tensor &)>;
    explicit OracleRunner(Damage damage = nullptr) : damage_(std::move(damage)) {}

    std::string name() const override { return "oracle"; }
    bool is_timing_real() const override { return false; }
    std::vector<RunResult> run(const std::vector<RunJob> &jobs) override {
        largest_batch = std::max(largest_batch, jobs.size());
        std::vector<RunResult> results;
        for (const RunJob &job : jobs) {
            const Problem &problem = *job.problem;
            RunResult result;
            result.output = Tensor(problem.desc.out_type, output_shape(problem.desc));
            for (int64_t i = 0; i < result.output.elements(); ++i) {
                result.output.set(i, oracle_at(problem.desc, problem.view(), i).value);
            }
            if (damage_) {
                damage_(result.output);
            }
            results.push_back(std::move(result));
        }
        return results;
    }

    size_t largest_batch = 0;

private:
    Damage damage_;
};

Layer layer_of(const std::string &key) {
    Layer layer;
    layer.name = "layer";
    layer.desc = ConvDesc::parse(key);
    return layer;
}

CheckOptions options_with(OracleRunner::Damage damage) {
    CheckOptions options;
    options.seed = 42;
    options.runner = std::make_shared<OracleRunner>(std::move(damage));
    return options;
}

TEST(Check, RightOutputsPass) {
    const CheckReport report =
        check_layers({layer_of("conv_ci3_i5x5_co4_k3_bias_relu")}, options_with(nullptr));
    EXPECT_EQ(report.summary(), "1 passed, 0 failed, 0 skipped");
    EXPECT_EQ(report.outcomes[0].checked, 2 * 3 * 3 * 4); // small integers and uniform
    EXPECT_EQ(report.outcomes[0].detail, "");
}

TEST(Check, OneWrongOutputFailsWithALineThatRepeatsIt) {
    CheckOptions options = options_with([](Tensor &output) { output.set(3, output.get(3) + 1); });
    options.request.schedule = "generic";
    const CheckReport report = check_layers({layer_of("conv_ci3_i5x5_co4_k3")}, options);
    ASSERT_EQ(report.failed, 1);
    const CheckOutcome &outcome = report.outcomes[0];
    EXPECT_EQ(outcome.reproducer, "convsmith check "
                                  "conv_n1_ci3_i5x5_co4_k3x3_s1x1_p0x0x0x0_d1x1_g1_f32_nhwc_zeros"
                                  " --seed 42 --schedule generic");
    EXPECT_NE(outcome.detail.find("small integers: 1 of 36 outputs wrong, first output[0][0][0][3]"),
              std::string::npos)
        << outcome.detail;
}

TEST(Check, UnwrittenOutputFails) {
    const CheckReport report =
        check_layers({layer_of("conv_ci3_i5x5_co4_k3_tanh")},
                     options_with([](Tensor &output) { std::memset(output.data(), 0xff, 4); }));
    ASSERT_EQ(report.failed, 1);
    EXPECT_NE(report.outcomes[0].detail.find("never written"), std::string::npos);
}

TEST(Check, OpenExtentsAreCheckedAtSeveralSizes) {
    const CheckReport report = check_layers({layer_of("conv_n0_ci1_i0x7_co1_k1")}, options_with(nullptr));
    ASSERT_EQ(report.passed, 1);
    EXPECT_GT(report.outcomes[0].checked, 3 * 7);
}

TEST(Check, EmulatorsGetBatches) {
    CheckOptions options = options_with(nullptr);
    const std::vector<Layer> layers(40, layer_of("conv_ci1_i3_co1_k1_tanh"));
    EXPECT_EQ(check_layers(layers, options).passed, 40);
    EXPECT_GT(static_cast<OracleRunner &>(*options.runner).largest_batch, 1u);
}

TEST(Check, ProgressNamesEachCheckBeforeItRuns) {
    std::vector<std::string> seen;
    CheckOptions options = options_with(nullptr);
    options.on_progress = [&](const CheckProgress &progress) { seen.push_back(progress.reproducer); };
    const CheckReport report =
        check_layers({layer_of("conv_ci1_i3_co1_k1"), layer_of("conv_ci1_i4_co1_k1")}, options);
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[0], report.outcomes[0].reproducer);
    EXPECT_EQ(seen[1], report.outcomes[1].reproducer);
}

TEST(Check, UnknownScheduleIsAnErrorNotASkip) {
    CheckOptions options = options_with(nullptr);
    options.request.schedule = "no_such_schedule";
    EXPECT_THROW(check_layers({layer_of("conv_ci1_i3_co1_k1")}, options), Error);
}

TEST(Check, ExactnessNeedsSmallSumsAndIntegerStages) {
    const auto exact = [](const char *key) { return is_exact_on_integers(ConvDesc::parse(key)); };
    EXPECT_TRUE(exact("conv_ci512_i7x7_co8_k3_p1_bias_residual_relu6"));
    EXPECT_TRUE(exact("conv_ci1_i3_co1_k1_clamp_vm2_v3"));
    EXPECT_FALSE(exact("conv_ci1_i3_co1_k1_clamp_vm0p5_v3"));
    EXPECT_FALSE(exact("conv_ci1_i3_co1_k1_tanh"));
    EXPECT_FALSE(exact("conv_ci4194304_i1_co1_k1")); // 4 * 2^22 = 2^24
    EXPECT_TRUE(exact("conv_ci4194304_i1_co1_k1_f64"));
    EXPECT_FALSE(exact("conv_ci1_i3_co1_k3_p1_constant_v0p25"));
}

// ---- the fuzzer ----

TEST(Fuzz, DescriptorsAreValidRepeatableAndVaried) {
    std::set<std::string> keys;
    std::set<std::string> seen;
    for (uint64_t seed = 0; seed < 800; ++seed) {
        Random a(seed);
        Random b(seed);
        const ConvDesc desc = random_desc(a);
        ASSERT_NO_THROW(desc.validate());
        ASSERT_EQ(desc.key(), random_desc(b).key());
        keys.insert(desc.key());
        seen.insert("rank " + std::to_string(desc.rank));
        seen.insert(pad_mode_name(desc.pad_mode));
        seen.insert(desc.then.empty() ? op_info(desc.op).name : "chain");
        if (desc.op == Op::Conv) {
            seen.insert(dtype_name(desc.in_type) + dtype_name(desc.acc_type));
        }
        seen.insert(layout_name(desc.in_layout, 2) + layout_name(desc.out_layout, 2));
        seen.insert("store " + std::to_string(static_cast<int>(desc.rearrange)));
        seen.insert(desc.co_total != 0 ? "part" : "whole");
        seen.insert(is_integer(desc.acc_type) ? "integer" : "real");
        seen.insert(desc.groups == 1 ? "dense" : desc.groups == desc.ci ? "depthwise" : "grouped");
        seen.insert(desc.is_open() ? "open" : "closed");
        for (const EpilogueStage &stage : desc.epilogue) {
            seen.insert(stage.name);
        }
    }
    EXPECT_GT(keys.size(), 780u);
    const size_t kinds = 3 + 7 + 3 + 4 + 3 + 2 + 5 + 2 + 2 + op_table().size() + epilogue_table().size();
    EXPECT_EQ(seen.size(), kinds) << testing::PrintToString(seen);
}

TEST(Fuzz, FortyRandomProblemsPass) {
    CheckOptions options;
    options.seed = 20240;
    RecordProperty("seed", std::to_string(options.seed));
    std::printf("fuzz seed %llu\n", static_cast<unsigned long long>(options.seed));
    const CheckReport report = fuzz(40, options);
    for (const CheckOutcome &outcome : report.outcomes) {
        EXPECT_EQ(outcome.verdict, Verdict::Passed) << outcome.detail << "\n" << outcome.reproducer;
    }
    EXPECT_EQ(report.passed, 40);
}

// ---- case files ----

/// A copy of one of our cases in a directory that the test may damage.
class CaseFile : public testing::Test {
protected:
    void SetUp() override { fs::copy(std::string(kOwnCases) + "/onnx_style/conv_relu", directory_); }

    void replace(const std::string &from, const std::string &to) const {
        const std::string path = (directory_ / "case.json").string();
        std::ifstream in(path);
        std::string text((std::istreambuf_iterator<char>(in)), {});
        const size_t at = text.find(from);
        ASSERT_NE(at, std::string::npos);
        text.replace(at, from.size(), to);
        std::ofstream(path) << text;
    }

    ConformanceCase load() const {
        std::vector<ConformanceCase> cases = load_cases(directory_.string());
        EXPECT_EQ(cases.size(), 1u);
        return std::move(cases[0]);
    }

    /// The case is malformed and the message names the file and `field`.
    void expect_malformed(const std::string &field) const {
        const ConformanceCase broken = load();
        EXPECT_NE(broken.malformed.find("case.json"), std::string::npos) << broken.malformed;
        EXPECT_NE(broken.malformed.find(field), std::string::npos) << broken.malformed;
    }

    const TempDir files_;
    const fs::path &directory_ = files_.path();
};

TEST_F(CaseFile, IsReadAsItStands) {
    const ConformanceCase good = load();
    ASSERT_TRUE(good.is_runnable()) << good.malformed << good.skipped;
    EXPECT_EQ(good.problem.desc, ConvDesc::parse("conv_ci2_i3x3_co1_k2x2_p0x0x1x1_nchw_bias_relu"));
    EXPECT_EQ(good.problem["input"].get(8), 9);
    EXPECT_EQ(good.expected.get(8), 4);
}

TEST_F(CaseFile, MissingFieldNamesIt) {
    replace("\"opset\": 13,", "");
    expect_malformed("'opset'");
}

TEST_F(CaseFile, WrongTypeNamesNodeAndAttribute) {
    replace("[0, 0, 1, 1]", "\"none\"");
    expect_malformed("node 'nodes[0]' (Conv): attribute 'pads' has type STRING, want INTS");
}

TEST_F(CaseFile, WrongPadCountNamesNodeAndAttribute) {
    replace("[0, 0, 1, 1]", "[0, 0, 1]");
    expect_malformed("node 'nodes[0]' (Conv): attribute pads has 3 numbers, want 4");
}

TEST_F(CaseFile, TruncatedTensorNamesFileAndSize) {
    fs::resize_file(directory_ / "x.bin", 71);
    expect_malformed("71 bytes, want 72");
}

TEST_F(CaseFile, MissingTensorFileIsNamed) {
    fs::remove(directory_ / "x.bin");
    const ConformanceCase broken = load();
    EXPECT_NE(broken.malformed.find("x.bin"), std::string::npos) << broken.malformed;
}

TEST_F(CaseFile, ShapeThatContradictsTheAttributesIsNamed) {
    replace("[1, 1, 3, 3]", "[1, 1, 9, 1]");
    expect_malformed("expected output is [1][1][9][1], want [1][1][3][3]");
}

TEST_F(CaseFile, GroupsThatDoNotDivideAreNamed) {
    replace("\"kernel_shape\": [2, 2],", "\"kernel_shape\": [2, 2], \"group\": 3,");
    expect_malformed("groups");
}

TEST_F(CaseFile, GarbageIsNotJson) {
    std::ofstream(directory_ / "case.json") << "{\"op\": ";
    expect_malformed("not JSON");
}

TEST_F(CaseFile, UnsupportedOpIsSkippedWithItsName) {
    replace("{\"op\": \"Conv\"", "{\"op\": \"LRN\"");
    EXPECT_EQ(load().skipped, "op LRN: no operation of a layer");
}

TEST_F(CaseFile, UnsupportedTypeIsSkippedWithItsName) {
    fs::copy(std::string(kOwnCases) + "/onnx_style/relu", directory_,
             fs::copy_options::overwrite_existing | fs::copy_options::recursive);
    replace("\"x\", \"dtype\": \"f32\"", "\"x\", \"dtype\": \"f16\"");
    replace("\"y\", \"dtype\": \"f32\"", "\"y\", \"dtype\": \"f16\"");
    EXPECT_EQ(load().skipped, "op Relu: input 'x' of type FLOAT16 is not supported");
}

TEST_F(CaseFile, UnknownSecondNodeIsSkipped) {
    replace("\"op\": \"Relu\"", "\"op\": \"LRN\"");
    EXPECT_EQ(load().skipped, "op LRN: follows a layer but cannot be fused into it");
}

TEST(CaseFiles, MissingDirectoryIsAnError) {
    EXPECT_THROW(load_cases("/no/such/directory"), Error);
}

TEST(CaseFiles, DirectoryWithoutCasesIsAnError) {
    EXPECT_THROW(load_cases(CONVSMITH_SOURCE_DIR "/cli"), Error);
}

TEST(CaseFiles, HandMadeCasesPassAndTheRestIsSkippedWithReasons) {
    CheckOptions options;
    options.jit.cache_dir = "-";
    const CheckReport report = check_cases(kOwnCases, options);
    for (const CheckOutcome &outcome : report.outcomes) {
        EXPECT_NE(outcome.verdict, Verdict::Failed) << outcome.name << ": " << outcome.detail;
        EXPECT_EQ(outcome.verdict == Verdict::Skipped, !outcome.detail.empty());
    }
    EXPECT_EQ(report.summary(), "75 passed, 0 failed, 3 skipped");
}

TEST(CaseFiles, WrongExpectationFails) {
    const TempDir files;
    const fs::path &directory = files.path();
    fs::copy(std::string(kOwnCases) + "/onnx_style/conv_relu", directory);
    const float wrong[9] = {0, 0, 0, 0, 0, 2, 3, 4.001F, 4};
    std::ofstream(directory / "y.bin", std::ios::binary)
        .write(reinterpret_cast<const char *>(wrong), sizeof wrong);
    CheckOptions options = options_with(nullptr);
    const CheckReport report = check_cases(directory.string(), options);
    ASSERT_EQ(report.failed, 1);
    EXPECT_NE(report.outcomes[0].detail.find("output element 7"), std::string::npos)
        << report.outcomes[0].detail;
    EXPECT_EQ(report.outcomes[0].reproducer, "convsmith check --cases " + (directory / "case.json").string());
}

TEST(CaseFiles, WrongIndexFails) {
    const TempDir files;
    const fs::path &directory = files.path();
    fs::copy(std::string(kOwnCases) + "/onnx_style/max_pool_indices", directory);
    std::fstream(directory / "z.bin", std::ios::binary | std::ios::in | std::ios::out).put(77);
    CheckOptions options;
    options.jit.cache_dir = "-";
    const CheckReport report = check_cases(directory.string(), options);
    ASSERT_EQ(report.failed, 1);
    EXPECT_NE(report.outcomes[0].detail.find("index element 0: got "), std::string::npos)
        << report.outcomes[0].detail;
}

TEST(CaseFiles, SharedCasesHaveNoFailure) {
    const char *shared = std::getenv("CONVSMITH_SHARED");
    const fs::path cases = fs::path(shared != nullptr ? shared : CONVSMITH_SOURCE_DIR "/../shared") / "cases";
    if (!fs::is_directory(cases)) {
        GTEST_SKIP() << cases << " is absent; tests/data/cases covers the same formats";
    }
    CheckOptions options;
    options.jit.cache_dir = "-";
    const CheckReport report = check_cases(cases.string(), options);
    for (const CheckOutcome &outcome : report.outcomes) {
        EXPECT_NE(outcome.verdict, Verdict::Failed) << outcome.name << ": " << outcome.detail;
    }
    EXPECT_GE(report.passed, 270);
}

} // namespace
} // namespace convsmith
