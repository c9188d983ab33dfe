// Libraries as their users meet them: C programs against the generated header, on this machine and under an
// emulator, judged by the oracle; results of wrong calls; baked weights.
#include "runtime/library/model.h"
#include "tests/library_support.h"

#include <HalideRuntime.h>
#include <nlohmann/json.hpp>

#include <cstddef>
#include <memory>

namespace convsmith {
namespace {

constexpr uint64_t kSeed = 7;

const std::vector<Layer> &demo_layers() {
    static const std::vector<Layer> kLayers = {
        layer("stem",
              "conv_ci3_i9x11_co20_k3x3_s2x2_p1_f32_nhwc_zeros_bias_relu"), // co: no multiple of a block
        layer("stem again", "conv_ci3_i9x11_co20_k3x3_s2x2_p1_f32_nhwc_zeros_bias_relu"),
        layer("any/size", "conv_n0_ci4_i0x0_co8_k3x3_p1_f32_nhwc_reflect"),
        layer("any_pixels", "conv_ci8_i0x0_co16_k1x1_f32_nchw_zeros_residual"),
        layer("volume", "conv_n2_ci4_i3x4x5_co6_k2x3x3_p0x1x1x1x0x2_g2_f64_ndhwc_replicate_bias"),
        layer("wave", "conv_ci5_i31_co3_k4_s3_d2_f32_ncw"),
        layer("groups", "conv_ci10_i6x7_co40_k3x3_p1_g2_f32_nhwc_zeros_bias_residual"), // packed by group
    };
    return kLayers;
}

/// Builds the demo library once for all tests of this file.
class Library : public testing::Test {
protected:
    static void SetUpTestSuite() {
        dir_ = std::make_unique<TempDir>();
        report_ =
            build_library(demo_layers(), library_options("demo", dir_->path(), {"x86_avx2", "arm_neon"}));
    }
    static void TearDownTestSuite() { dir_.reset(); }

    static BuiltLibrary demo() { return {"demo", dir_->path()}; }

    static std::vector<CCall> calls() {
        const auto call = [](const char *id, size_t index, const Sizes &sizes) {
            const ConvDesc &desc = demo_layers()[index].desc;
            return CCall{id, desc,
                         make_problem(with_sizes(desc, resolve_sizes(desc, sizes)), Fill::Uniform, kSeed)};
        };
        Sizes image, pixels;
        image.n = 3, image.in = {5, 8, 1};
        pixels.in = {4, 7, 1};
        Sizes none;
        std::vector<CCall> calls; // problems are move-only
        calls.push_back(call("stem", 0, none));
        calls.push_back(call("stem_again", 1, none));
        calls.push_back(call("any_size", 2, image));
        calls.push_back(call("any_pixels", 3, pixels));
        calls.push_back(call("volume", 4, none));
        calls.push_back(call("wave", 5, none));
        calls.push_back(call("groups", 6, none));
        return calls;
    }

    static std::unique_ptr<TempDir> dir_;
    static LibraryReport report_;
};

std::unique_ptr<TempDir> Library::dir_;
LibraryReport Library::report_;

TEST_F(Library, WritesExactlyTheFilesItReports) {
    std::vector<std::string> files;
    for (const std::string &path : tree(dir_->path())) {
        if (!std::filesystem::is_directory(dir_->path() / path))
            files.push_back(path);
    }
    EXPECT_EQ(files, report_.files);
    EXPECT_EQ(files.size(), 8u);
    EXPECT_EQ(report_.layers, 7);
    EXPECT_EQ(report_.kernels, 6) << "two layers have the same descriptor";
}

TEST_F(Library, CProgramMatchesOracleOnThisMachine) {
    expect_calls_match_oracle(native_toolchain(), demo(), calls());
}

TEST_F(Library, CProgramMatchesOracleUnderEmulation) {
    if (!can_emulate_arm())
        GTEST_SKIP() << "needs the packages gcc-aarch64-linux-gnu and qemu-user";
    expect_calls_match_oracle(arm_toolchain(), demo(), calls());
}

TEST_F(Library, BaselineAloneMatchesOracle) {
    const TempDir dir;
    const std::vector<Layer> layers = {demo_layers()[0]};
    build_library(layers, library_options("plain", dir.path(), {"x86_64"}));
    std::vector<CCall> stem;
    stem.push_back(std::move(calls()[0]));
    expect_calls_match_oracle(native_toolchain(), {"plain", dir.path()}, stem);
}

TEST_F(Library, WrongCallsReturnDistinctCodes) {
    const std::string program = R"(
#include "demo.h"
#include <stdio.h>
#include <string.h>
static float input[4096], output[4096], filter[4096 + 16], bias[64];
int main(void) {
    demo_stem_args stem;
    demo_any_size_args any;
    float *aligned = filter;
    while ((size_t)aligned % DEMO_FILTER_ALIGNMENT != 0)
        aligned++;
    printf("%d ", demo_stem(NULL));
    stem.input = NULL; stem.filter = aligned; stem.bias = bias; stem.output = output;
    printf("%d ", demo_stem(&stem));
    stem.input = input; stem.filter = NULL;
    printf("%d ", demo_stem(&stem));
    stem.filter = aligned; stem.bias = NULL;
    printf("%d ", demo_stem(&stem));
    stem.bias = bias; stem.output = NULL;
    printf("%d ", demo_stem(&stem));
    stem.output = output; stem.filter = aligned + 1;
    printf("%d ", demo_stem(&stem));
    stem.filter = aligned; stem.output = input;
    printf("%d ", demo_stem(&stem));
    stem.output = output;
    printf("%d\n", demo_stem(&stem));
    any.input = input; any.filter = aligned; any.output = output; any.n = 0; any.h = 4; any.w = 4;
    printf("%d ", demo_any_size(&any));
    any.n = 1; any.h = -1;
    printf("%d ", demo_any_size(&any));
    any.h = 4; any.w = 1;
    printf("%d ", demo_any_size(&any));
    any.n = 2147483647; any.h = 2147483647; any.w = 2147483647;
    printf("%d ", demo_any_size(&any));
    any.n = 1; any.h = 4; any.w = 4;
    printf("%d\n", demo_any_size(&any));
    printf("%d\n", strcmp(demo_error_text(demo_error_w), demo_error_text(demo_error_h)) != 0);
    return 0;
}
)";
    EXPECT_EQ(run_c(native_toolchain(), program, {demo()}), "1 2 3 4 6 13 12 0\n7 9 10 11 0\n1\n");
}

TEST_F(Library, HeaderIsCppAndItsBufferIsHalides) {
    const TempDir dir;
    write_text(dir.path() / "check.cpp", R"text(
#include "demo.h"
#include <cstddef>
#include <cstdio>
#define PRINT(member) std::printf("%d ", static_cast<int>(offsetof(demo_buffer, member)))
int call(const demo_stem_args &args) { return demo_stem(&args); }
int main() {
    PRINT(device); PRINT(device_interface); PRINT(host); PRINT(flags); PRINT(type_code); PRINT(dimensions);
    PRINT(dim); PRINT(padding);
    std::printf("%d ", static_cast<int>(sizeof(demo_buffer)));
    std::printf("%d ", static_cast<int>(offsetof(demo_dim, extent)));
    std::printf("%d ", static_cast<int>(offsetof(demo_dim, stride)));
    std::printf("%d ", static_cast<int>(sizeof(demo_dim)));
}
)text");
    const std::string program = (dir.path() / "check").string();
    output_of({"c++", "-std=c++11", "-Wall", "-Wextra", "-pedantic", "-Werror",
               "-I" + (dir_->path() / "include").string(), "-o", program, (dir.path() / "check.cpp").string(),
               (dir_->path() / "lib/x86-64-linux/libdemo.a").string(),
               (dir_->path() / "lib/x86-64-linux/libconvsmith_runtime.a").string(), "-lpthread", "-ldl"});
    std::string want;
    for (const size_t offset :
         {offsetof(halide_buffer_t, device), offsetof(halide_buffer_t, device_interface),
          offsetof(halide_buffer_t, host), offsetof(halide_buffer_t, flags), offsetof(halide_buffer_t, type),
          offsetof(halide_buffer_t, dimensions), offsetof(halide_buffer_t, dim),
          offsetof(halide_buffer_t, padding), sizeof(halide_buffer_t), offsetof(halide_dimension_t, extent),
          offsetof(halide_dimension_t, stride), sizeof(halide_dimension_t)})
        want += std::to_string(offset) + " ";
    EXPECT_EQ(output_of({program}), want);
}

TEST_F(Library, ManifestTellsDescPlanTargetPackingAndVersions) {
    const auto json = nlohmann::json::parse(read_text(dir_->path() / "manifest.json"));
    EXPECT_EQ(json["name"], "demo");
    for (const char *what : {"convsmith", "halide", "llvm", "algorithm"})
        EXPECT_FALSE(json["versions"][what].get<std::string>().empty()) << what;
    ASSERT_EQ(json["kernels"].size(), 6u);
    const auto &stem = json["kernels"][0];
    EXPECT_EQ(stem["desc"], demo_layers()[0].desc.key());
    EXPECT_EQ(stem["layers"].size(), 2u);
    const auto &x86 = stem["platforms"]["x86-64-linux"];
    ASSERT_EQ(x86["members"].size(), 2u);
    EXPECT_EQ(x86["members"][0]["target"], "x86_avx2");
    EXPECT_EQ(x86["members"][1]["target"], "x86_64") << "the baseline comes last";
    const PlanChoice best = make_plan(demo_layers()[0].desc, parse_target("x86_avx2"));
    EXPECT_EQ(x86["members"][0]["plan"], best.plan.text());
    EXPECT_EQ(x86["packing"]["co_block"], best.plan.packing(demo_layers()[0].desc).co_block);
    EXPECT_EQ(x86["packing"]["by_group"], false);
    EXPECT_EQ(json["kernels"][5]["platforms"]["x86-64-linux"]["packing"]["by_group"], true);
    EXPECT_EQ(stem["platforms"]["arm-64-linux"]["members"].size(), 1u);
}

/// A library of layers whose trained values are those of random problems, called on both platforms.
LibraryReport
expect_baked_layers_match_oracle(const std::vector<std::pair<std::string, std::string>> &named_keys) {
    std::vector<Layer> layers;
    std::vector<CCall> calls;
    for (const auto &[name, key] : named_keys) {
        Layer baked = layer(name, key);
        CCall call{name, baked.desc, make_problem(baked.desc, Fill::Uniform, kSeed + layers.size())};
        for (const TensorSpec &spec : tensor_specs(baked.desc, Packing())) {
            if (!library::is_trained(spec))
                continue;
            const Tensor &from = call.problem[spec.name];
            auto to = std::make_shared<Tensor>(from.dtype(), from.shape());
            std::copy(from.as<char>(), from.as<char>() + from.bytes(), to->as<char>());
            baked.trained[spec.name] = to;
        }
        layers.push_back(baked);
        calls.push_back(std::move(call));
    }
    const TempDir dir;
    LibraryOptions options = library_options("net", dir.path(), {"x86_avx2", "arm_neon"});
    options.weights = WeightMode::Baked;
    LibraryReport report = build_library(layers, options);
    expect_calls_match_oracle(native_toolchain(), {"net", dir.path()}, calls, true);
    if (can_emulate_arm())
        expect_calls_match_oracle(arm_toolchain(), {"net", dir.path()}, calls, true);
    return report;
}

TEST(BakedLibrary, LayersWithOneKernelKeepTheirOwnWeights) {
    const std::string key = "conv_ci6_i5x7_co10_k3x3_p1_f32_nhwc_zeros_bias_relu";
    EXPECT_EQ(expect_baked_layers_match_oracle({{"first", key}, {"second", key}}).kernels, 1);
}

TEST(BakedLibrary, EveryTrainedTensorIsPartOfIt) {
    expect_baked_layers_match_oracle(
        {{"pool", "maxpool_ci5_i6x6_k2_s2_channel_scale_bias_prelu"},
         {"pair", "conv_ci9_i6x7_co9_k3_p1_g9_bias_relu_then_conv_co20_k1_bias_prelu"},
         {"squeeze", "excite_ci8_i6x5_of_avgpool_k6x5_then_conv_co4_k1_bias_relu_then_conv_co8_k1_sigmoid"}});
}

} // namespace
} // namespace convsmith
