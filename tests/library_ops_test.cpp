// One library of every op, from C: each layer judged by the oracle natively and under emulation, each tensor
// missed when it is null, what is written kept apart from everything else, open sizes checked.
#include "tests/library_support.h"

#include <fmt/format.h>

#include <memory>

namespace convsmith {
namespace {

constexpr uint64_t kSeed = 11;

/// A layer and the sizes of its call.
struct OpLayer {
    const char *id;
    const char *key;
    Sizes sizes;
};

const std::vector<OpLayer> &op_layers() {
    static const std::vector<OpLayer> kLayers = {
        {"up", "deconv_ci6_i4x5_co8_k3_s2_p1_o1_g2_bias", {}},
        {"up_open", "deconv_n0_ci4_i0x0_co6_k3_s2_p1_o1_nchw", {2, {3, 4}}},
        {"up_pixels", "deconv_n0_ci4_i0x5_co6_k1", {2, {3, 0}}}, // axes that the kernel sees as one
        {"moved", "deform_ci8_i6x7_co6_k3_p1_og2_mask_bias", {}},
        {"moved_open", "deform_n0_ci4_i0x0_co8_k3x2_s2x1_p1_g2_mask_nchw", {2, {6, 5}}},
        {"largest", "maxpool_n2_ci3_i6x5_k2_s2_ceil_indices_nchw", {}},
        {"largest_open", "maxpool_n0_ci8_i0x0_k3_s2_p1_ceil_indices", {2, {6, 9}}},
        {"mean", "avgpool_ci7_i9x8_k3_s2_p1_i8xi8xi32xi8", {}},
        {"mean_unsigned", "avgpool_ci5_i0_k4_s2_p2_u8xu8xi32xu8_ncw", {0, {11}}},
        {"norm", "lppool_ci5_i12_k3_s2_l3_f64", {}},
        {"frame", "identity_n2_ci3_i5x4_pm1x0x2x1_constant_v1p5", {}},
        {"frame_open", "identity_n0_ci5_i0x4_p2_i32", {3, {6, 0}}},
        {"normalise", "identity_n2_ci9_i5_channel_scale_bias_prelu", {}},
        {"shuffled", "conv_ci6_i0x5_co12_k3_p1_pixelshuffle2_bias_residual_relu", {0, {4, 0}}},
        {"folded", "conv_ci3_i8x6_co5_k3_p1_spacetodepth2_bias", {}},
        {"range", "conv_ci8_i6x7_co16_k3_p1_into40x16_bias", {}},
        {"range_open", "conv_n2_ci5_i0x5_co3_k1_into7x2_nchw", {0, {5, 0}}},
        {"depthwise", "conv_ci9_i6x7_co9_k3_p1_g9_bias_prelu", {}},
        {"gated", "conv_n3_ci4_i5x6_co8_k3_p1_bias_gate_residual", {}},
        {"pair", "conv_n2_ci9_i6x7_co9_k3_p1_g9_bias_relu_then_conv_co20_k1_bias_residual", {}},
        {"inception",
         "concat_ci6_i9x8_nchw_of_conv_co4_k1_bias_and_conv_co3_k1_then_conv_co8_k3_p1_prelu_and_"
         "maxpool_k3_p1",
         {}},
        {"squeeze",
         "excite_ci8_i6x5_of_avgpool_k6x5_then_conv_co4_k1_bias_relu_then_conv_co8_k1_bias_sigmoid_next_"
         "conv_co3_k1",
         {}},
    };
    return kLayers;
}

ConvDesc desc_of(const OpLayer &op) {
    return ConvDesc::parse(op.key);
}

/// Builds the library once for all tests of this file.
class OpsLibrary : public testing::Test {
protected:
    static void SetUpTestSuite() {
        dir_ = std::make_unique<TempDir>();
        build_ops(dir_->path(), {"x86_avx2", "arm_neon"});
    }
    static void TearDownTestSuite() { dir_.reset(); }

    static void build_ops(const std::filesystem::path &directory, const std::vector<std::string> &targets) {
        std::vector<Layer> layers;
        for (const OpLayer &op : op_layers())
            layers.push_back(layer(op.id, op.key));
        LibraryOptions options = library_options("ops", directory, targets);
        options.add_baseline = false; // library_test.cpp has it
        build_library(layers, options);
    }

    static BuiltLibrary ops() { return {"ops", dir_->path()}; }

    static std::vector<CCall> calls() {
        std::vector<CCall> calls;
        for (const OpLayer &op : op_layers()) {
            const ConvDesc desc = desc_of(op);
            const ConvDesc closed = with_sizes(desc, resolve_sizes(desc, op.sizes));
            calls.push_back(CCall{op.id, desc, make_problem(closed, Fill::Uniform, kSeed)});
        }
        return calls;
    }

    static std::unique_ptr<TempDir> dir_;
};

std::unique_ptr<TempDir> OpsLibrary::dir_;

TEST_F(OpsLibrary, CProgramMatchesOracleOnThisMachine) {
    expect_calls_match_oracle(native_toolchain(), ops(), calls());
}

TEST_F(OpsLibrary, CProgramMatchesOracleUnderEmulation) {
    if (!can_emulate_arm())
        GTEST_SKIP() << "needs the packages gcc-aarch64-linux-gnu and qemu-user";
    expect_calls_match_oracle(arm_toolchain(), ops(), calls());
}

TEST_F(OpsLibrary, CProgramMatchesOracleOnAGpu) {
    if (!has_cuda())
        GTEST_SKIP() << "no CUDA device and no emulator";
    const TempDir dir;
    build_ops(dir.path(), {"x86-64-linux-cuda"});
    expect_calls_match_oracle(cuda_toolchain(), {"ops", dir.path()}, calls());
}

/// Declares `args` of a layer, good in every member: tensors of a mebibyte each, the sizes of `op`.
std::string good_args(const OpLayer &op) {
    const ConvDesc desc = desc_of(op);
    std::string text = fmt::format("    {{\n        ops_{}_args args;\n", op.id);
    int memory = 0;
    for (const TensorSpec &spec : tensor_specs(desc, Packing()))
        text += fmt::format("        args.{} = (void *)memory[{}];\n", spec.name, memory++);
    if (desc.n == 0)
        text += fmt::format("        args.n = {};\n", op.sizes.n);
    for (int axis = 0; axis < desc.rank; axis++) {
        if (desc.in[axis] == 0)
            text += fmt::format("        args.{} = {};\n", axis_name(axis, desc.rank), op.sizes.in[axis]);
    }
    return text;
}

/// A statement that demands `code` of a call after `change`, and undoes the change.
std::string expect_code(const OpLayer &op, const std::string &member, const std::string &value,
                        const std::string &code) {
    return fmt::format("        saved = args.{1}; args.{1} = {2};\n"
                       "        expect(\"{0}.{1} = {2}\", ops_{0}(&args), ops_error_{3}, \"{3}\");\n"
                       "        args.{1} = (void *)(size_t)saved;\n",
                       op.id, member, value, code);
}

/// A program of `blocks` that prints what differs and then "done".
std::string checking_program(const std::string &blocks) {
    return R"(
#include "ops.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void *memory[12];
static void expect(const char *what, int got, int want, const char *named) {
    if (got != want || (named != NULL && strstr(ops_error_text(want), named) == NULL))
        printf("%s: got %d (%s), want %d (%s)\n", what, got, ops_error_text(got), want, ops_error_text(want));
}
int main(void) {
    const void *saved = NULL;
    int i;
    for (i = 0; i < 12; i++)
        if (posix_memalign(&memory[i], 64, 1 << 20) != 0)
            return 1;
    memset(memory[0], 0, 1 << 20);
    expect("nothing", 0, saved != NULL, NULL);
)" + blocks +
           "    puts(\"done\");\n    return 0;\n}\n";
}

TEST_F(OpsLibrary, EveryNullTensorIsNamed) {
    std::string blocks;
    for (const OpLayer &op : op_layers()) {
        blocks += good_args(op);
        for (const TensorSpec &spec : tensor_specs(desc_of(op), Packing()))
            blocks += expect_code(op, spec.name, "NULL", spec.name);
        blocks += "    }\n";
    }
    EXPECT_EQ(run_c(native_toolchain(), checking_program(blocks), {ops()}), "done\n");
}

TEST_F(OpsLibrary, WhatIsWrittenOverlapsNothingElse) {
    std::string blocks;
    for (const OpLayer &op : op_layers()) {
        blocks += good_args(op);
        const std::vector<TensorSpec> specs = tensor_specs(desc_of(op), Packing());
        for (const TensorSpec &spec : specs) {
            if (spec.role != TensorRole::Output && spec.role != TensorRole::Filter)
                blocks += expect_code(op, spec.name, "(void *)(size_t)args.output", "overlap");
            if (spec.role != TensorRole::Indices && specs.back().role == TensorRole::Indices)
                blocks += expect_code(op, spec.name, "(void *)(size_t)args.indices", "overlap");
        }
        blocks += "    }\n";
    }
    EXPECT_EQ(run_c(native_toolchain(), checking_program(blocks), {ops()}), "done\n");
}

TEST_F(OpsLibrary, IndicesMayEndWhereTheOutputBegins) {
    const std::string blocks = good_args(op_layers()[5]) + R"(
        args.output = (float *)memory[1] + 4096;
        args.indices = (int64_t *)memory[1] + 2048 - OPS_LARGEST_OUTPUT_ELEMENTS;
        expect("before", ops_largest(&args), 0, NULL);
        args.indices++;
        expect("into", ops_largest(&args), ops_error_overlap, "overlap");
    }
)";
    EXPECT_EQ(run_c(native_toolchain(), checking_program(blocks), {ops()}), "done\n");
}

} // namespace
} // namespace convsmith
