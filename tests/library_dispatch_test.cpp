// A library for three classes of one CPU: every member that can be is tuned, all read the same packed
// weights, and the program that the first call chooses is right here and on a machine with AVX-512.
#include "runtime/library/model.h"
#include "tests/library_support.h"

namespace convsmith {
namespace {

const std::vector<std::string> kClasses = {"x86_avx512", "x86_avx2", "x86_64"};

TEST(DispatchingLibrary, TunedMembersReadOnePacking) {
    for (const char *key :
         {"conv_ci64_i56x56_co64_k3_p1", "conv_ci64_i28x28_co96_k5_p2", "conv_ci48_i14x14_co48_k3_p1_s2",
          "conv_ci256_i14x14_co1024_k1", "conv_ci64_i28x28_co64_k3_p1_g64", "conv_ci512_i1x1_co1000_k1",
          "conv_ci64_i56x56_co64_k3_p1_g64_relu6_then_conv_co128_k1"}) {
        const library::Model model =
            library::plan_library({layer("a", key)}, library_options("n", "unused", kClasses));
        const library::KernelEntry &kernel = model.kernels.at(0);
        const library::PlatformPlan &plans = kernel.plans.at(0);
        ASSERT_EQ(plans.members.size(), 3u) << key;
        EXPECT_EQ(plans.members[0].plan.schedule, "x86_avx512") << key;
        EXPECT_EQ(plans.members[1].plan.schedule, "x86_avx2") << key;
        for (const PlanChoice &choice : plans.members)
            EXPECT_EQ(choice.plan.packing(kernel.desc), plans.packing) << key << " " << choice.plan.text();
    }
}

TEST(DispatchingLibrary, TheBestClassKeepsItsPackingWhereOthersReadIt) {
    const std::string key = "conv_ci64_i56x56_co64_k3_p1";
    const library::Model model =
        library::plan_library({layer("a", key)}, library_options("n", "unused", {"x86_avx512", "x86_64"}));
    const ConvDesc desc = ConvDesc::parse(key);
    EXPECT_EQ(model.kernels.at(0).plans.at(0).packing,
              make_plan(desc, parse_target("x86_avx512")).plan.packing(desc));
}

constexpr const char *kKey = "conv_ci32_i14x15_co64_k3_p1_bias_relu";

/// Calls the layer on input, filter and bias, which its input file holds one after the other.
constexpr const char *kProgram = R"(
#include "three.h"
#include <stdio.h>
#include <stdlib.h>

static float input[14 * 15 * 32], filter[64 * 32 * 9], bias[64], output[14 * 15 * 64];

int main(int argc, char **argv) {
    three_layer_args args;
    FILE *file;
    float *packed;
    int code;
    void *memory = NULL;
    if (argc != 3 || posix_memalign(&memory, 64, THREE_LAYER_FILTER_ELEMENTS * sizeof(float)) != 0)
        return 2;
    packed = (float *)memory;
    file = fopen(argv[1], "rb");
    if (file == NULL || fread(input, sizeof input, 1, file) != 1 || fread(filter, sizeof filter, 1, file) != 1 ||
        fread(bias, sizeof bias, 1, file) != 1)
        return 3;
    code = three_layer_pack(filter, packed);
    args.input = input;
    args.filter = packed;
    args.bias = bias;
    args.output = output;
    if (code == 0)
        code = three_layer(&args);
    printf("code %d\n", code);
    file = fopen(argv[2], "wb");
    if (file == NULL || fwrite(output, sizeof output, 1, file) != 1)
        return 4;
    return fclose(file) == 0 ? code : 5;
}
)";

class ThreeClasses : public testing::TestWithParam<const char *> {};

TEST_P(ThreeClasses, MatchOracle) {
    const bool is_emulated = std::string(GetParam()) == "emulated";
    if (is_emulated && avx512_emulator().empty())
        GTEST_SKIP() << "needs the emulated machine of tests/emulated/setup.sh";
    const TempDir dir;
    build_library({layer("layer", kKey)}, library_options("three", dir.path(), kClasses));
    const Problem problem = make_problem(ConvDesc::parse(kKey), Fill::Uniform, 5);
    std::string values;
    for (const char *name : {"input", "filter", "bias"})
        values.append(problem[name].as<char>(), problem[name].bytes());
    write_text(dir / "values", values);
    const Toolchain tools = {
        "x86-64-linux",
        is_emulated ? std::vector<std::string>{"gcc", "-static"} : std::vector<std::string>{"cc"},
        is_emulated ? std::vector<std::string>{avx512_emulator()} : std::vector<std::string>{}};
    const std::string said =
        run_c(tools, kProgram, {{"three", dir.path()}}, {dir / "values", dir / "output"});
    EXPECT_EQ(said, "code 0\n");
    const std::string bytes = read_text(dir / "output");
    Tensor output(DType::F32, output_shape(problem.desc));
    ASSERT_EQ(bytes.size(), output.bytes());
    std::copy(bytes.begin(), bytes.end(), output.as<char>());
    JudgeOptions options;
    options.relative_error = make_plan(problem.desc, parse_target("x86_avx512")).plan.relative_error();
    const Judgement judgement = judge(problem.desc, problem.view(), output.view(), options);
    EXPECT_TRUE(judgement.ok()) << judgement.first_wrong;
}

INSTANTIATE_TEST_SUITE_P(Machine, ThreeClasses, testing::Values("here", "emulated"),
                         [](const auto &info) { return std::string(info.param); });

} // namespace
} // namespace convsmith
