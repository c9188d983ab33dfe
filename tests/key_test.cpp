// The canonical key: it round-trips, leaves nothing to guess, and malformed keys are refused by the name of
// the token that is wrong. What a descriptor may say is judged in desc_test.cpp.
#include "tests/desc_samples.h"

#include <algorithm>
#include <limits>
#include <random>

namespace convsmith {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

/// Uniform integers from a printed seed.
class Dice {
public:
    explicit Dice(uint64_t seed) : engine_(seed) {}
    int between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine_); }
    bool flip() { return between(0, 1) == 1; }
    double number() {
        const double magnitudes[] = {1, 0.1, 1e-7, 12345.678, 1e20, 0x1p-30};
        const double unit = std::uniform_real_distribution<double>(-1, 1)(engine_);
        return flip() ? between(-3, 3) : unit * magnitudes[between(0, 5)];
    }

private:
    std::mt19937_64 engine_;
};

void roll_axis(Dice &dice, ConvDesc &d, int axis) {
    d.kernel[axis] = dice.between(1, 5);
    d.stride[axis] = dice.between(1, 3);
    d.dilation[axis] = dice.between(1, 3);
    d.in[axis] = dice.between(0, 4) == 0 ? 0 : d.dilation[axis] * (d.kernel[axis] - 1) + dice.between(1, 40);
    const int most_padding = d.in[axis] == 0 ? 6 : std::min(d.in[axis] - 1, 6);
    d.pad_begin[axis] = dice.between(0, most_padding);
    d.pad_end[axis] = dice.between(0, most_padding);
}

std::vector<EpilogueStage> roll_epilogue(Dice &dice) {
    std::vector<EpilogueStage> chain;
    std::vector<Operand> used;
    const auto &table = epilogue_table();
    for (int count = dice.between(0, 4); count > 0; count--) {
        const EpilogueInfo &info = table[dice.between(0, static_cast<int>(table.size()) - 1)];
        if (info.operand != Operand::None && std::count(used.begin(), used.end(), info.operand) != 0)
            continue;
        used.push_back(info.operand);
        EpilogueStage stage = epilogue_stage(info.name);
        for (double &param : stage.params)
            param = dice.flip() ? dice.number() : param;
        if (info.name == "clamp") {
            stage.params[0] = dice.between(0, 3) == 0 ? -kInf : std::min(stage.params[0], stage.params[1]);
            stage.params[1] = dice.between(0, 3) == 0 ? kInf : stage.params[1];
        }
        chain.push_back(stage);
    }
    return chain;
}

ConvDesc roll_desc(Dice &dice) {
    ConvDesc d;
    d.rank = dice.between(1, 3);
    d.n = dice.between(0, 4);
    d.groups = dice.between(1, 4);
    d.ci = d.groups * dice.between(1, 9);
    d.co = d.groups * dice.between(1, 9);
    for (int axis = 0; axis < d.rank; axis++)
        roll_axis(dice, d, axis);
    d.pad_mode = static_cast<PadMode>(dice.between(0, 4));
    d.pad_value = d.pad_mode == PadMode::Constant ? dice.number() : 0;
    const auto type = [&] { return dice.flip() ? DType::F32 : DType::F64; };
    d.in_type = type(), d.weight_type = type(), d.out_type = type();
    const bool wide = d.in_type == DType::F64 || d.weight_type == DType::F64 || d.out_type == DType::F64;
    d.acc_type = wide ? DType::F64 : type();
    d.in_layout = dice.flip() ? Layout::ChannelsLast : Layout::ChannelsFirst;
    d.out_layout = dice.flip() ? Layout::ChannelsLast : Layout::ChannelsFirst;
    d.epilogue = roll_epilogue(dice);
    return d;
}

TEST(ConvKey, IsTheDocumentedText) {
    EXPECT_EQ(resnet_layer().key(),
              "conv_n1_ci64_i56x56_co64_k3x3_s1x1_p1x1x1x1_d1x1_g1_f32_nhwc_zeros_bias_relu");

    ConvDesc d = resnet_layer();
    d.pad_begin = {0, 1}, d.pad_end = {2, 3};
    d.acc_type = DType::F64;
    d.in_layout = Layout::ChannelsFirst;
    d.pad_mode = PadMode::Constant, d.pad_value = -1.5;
    d.epilogue = {{"leaky_relu", {0.01}}, {"clamp", {-kInf, 6}}};
    EXPECT_EQ(d.key(), "conv_n1_ci64_i56x56_co64_k3x3_s1x1_p0x1x2x3_d1x1_g1_f32xf32xf64xf32_nchw2nhwc_"
                       "constant_vm1p5_leaky_relu_v0p01_clamp_vminf_v6");
    EXPECT_EQ(ConvDesc::parse(d.key()), d);
}

TEST(ConvKey, RandomDescriptorsRoundTrip) {
    constexpr uint64_t kSeed = 20240607;
    RecordProperty("seed", std::to_string(kSeed));
    Dice dice(kSeed);
    for (int i = 0; i < 5000; i++) {
        const ConvDesc d = roll_desc(dice);
        const std::string key = d.key();
        SCOPED_TRACE("seed " + std::to_string(kSeed) + ", draw " + std::to_string(i) + ": " + key);
        ASSERT_EQ(key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string::npos);
        ASSERT_NO_THROW(d.validate());
        const ConvDesc back = ConvDesc::parse(key);
        ASSERT_TRUE(back == d);
        ASSERT_EQ(back.key(), key);
    }
}

TEST(ConvKey, EveryStageRoundTripsWithAndWithoutItsNumbers) {
    for (const EpilogueInfo &info : epilogue_table()) {
        SCOPED_TRACE(info.name);
        ConvDesc d = resnet_layer();
        d.epilogue = {epilogue_stage(info.name)};
        EXPECT_TRUE(ConvDesc::parse(d.key()) == d);
        EXPECT_TRUE(ConvDesc::parse("conv_ci64_i56x56_co64_k3_p1_" + info.name) == d);
    }
}

TEST(ConvKey, NoTwoStagesSpellAnother) {
    for (const EpilogueInfo &first : epilogue_table()) {
        for (const EpilogueInfo &second : epilogue_table()) {
            if (first.operand != Operand::None && first.operand == second.operand)
                continue;
            ConvDesc d = resnet_layer();
            d.epilogue = {epilogue_stage(first.name), epilogue_stage(second.name)};
            EXPECT_TRUE(ConvDesc::parse("conv_ci64_i56x56_co64_k3_p1_" + first.name + "_" + second.name) == d)
                << first.name << " " << second.name;
        }
    }
}

TEST(ConvKey, LeftOutFieldsTakeTheirDefaults) {
    ConvDesc d;
    d.ci = 3, d.co = 16;
    d.in = {14, 14};
    d.kernel = {5, 5};
    EXPECT_TRUE(ConvDesc::parse("conv_ci3_i14x14_co16_k5x5") == d);
    EXPECT_TRUE(ConvDesc::parse("conv_k5_co16_i14x14_ci3") == d) << "fields in any order";
}

TEST(ConvKey, OneNumberServesAllAxes) {
    ConvDesc d;
    d.rank = 3;
    d.ci = 3, d.co = 16;
    d.in = {10, 20, 30};
    d.kernel = {3, 3, 3}, d.stride = {2, 2, 2}, d.dilation = {2, 2, 2};
    d.pad_begin = d.pad_end = {1, 1, 1};
    EXPECT_TRUE(ConvDesc::parse("conv_ci3_i10x20x30_co16_k3_s2_d2_p1") == d);
}

TEST(ConvKey, ZeroExtentsAreOpen) {
    const ConvDesc d = ConvDesc::parse("conv_n0_ci3_i0x14_co16_k5");
    EXPECT_TRUE(d.is_open());
    EXPECT_EQ(d.key(), "conv_n0_ci3_i0x14_co16_k5x5_s1x1_p0x0x0x0_d1x1_g1_f32_nhwc_zeros");
    EXPECT_FALSE(ConvDesc::parse("conv_ci3_i14x14_co16_k5").is_open());
}

TEST(ConvKey, MalformedKeysNameTheToken) {
    const struct {
        const char *key;
        std::vector<std::string> message;
    } rows[] = {
        {"", {"token 1 ''", "want one of 'conv', 'deconv'"}},
        {"pool_ci3", {"token 1 'pool'", "want one of 'conv', 'deconv'"}},
        {"maxpool_ci3_i8_k3_co3", {"token 5 'co3'", "op maxpool has no field co"}},
        {"maxpool_ci3_i8", {"field k is missing"}},
        {"conv_ci3_i8_co4_k3_o1", {"token 6 'o1'", "op conv has no field o"}},
        {"conv_ci3_i8_co4_k3_into8", {"token 6 'into8'", "two numbers"}},
        {"conv_ci4_i8_co4_k3_shuffle2x2", {"token 6 'shuffle2x2'", "2 numbers, want 1"}},
        {"conv_ci4_i8_co4_k3_shuffle2_pixelshuffle2", {"token 7 'pixelshuffle2'", "a second rearrangement"}},
        {"conv", {"end", "field ci is missing"}},
        {"conv_ci3_co4_k3", {"field i is missing"}},
        {"conv_ci3_i8_k3", {"field co is missing"}},
        {"conv_ci3_i8_co4", {"field k is missing"}},
        {"conv_ci3_i8_co4_k3_", {"token 6 ''", "empty"}},
        {"conv__ci3_i8_co4_k3", {"token 2 ''", "empty"}},
        {"conv_ci3_i8_co4_k3_banana", {"token 6 'banana'"}},
        {"conv_ci3_i8_co4_k3_relu_banana", {"token 7 'banana'", "epilogue stage"}},
        {"conv_ci3_i8_co4_k3_relu_s2", {"token 7 's2'", "fields come before the epilogue"}},
        {"conv_ci3_i8_co4_k3_K3", {"token 6 'K3'"}},
        {"conv_ci3_i8_co4_k3 ", {"token 5 'k3 '"}},
        {"conv_ci3_i8_co4_k3\n", {"token 5 'k3?'"}},
        {"conv_ci3_ci4_i8_co4_k3", {"token 3 'ci4'", "field ci is given twice"}},
        {"conv_ci3_i8_co4_k3_f32_f64", {"token 7 'f64'", "types is given twice"}},
        {"conv_ci3_i8_co4_k3_nwc_ncw", {"token 7 'ncw'", "layout is given twice"}},
        {"conv_ci3_i8_co4_k3_zeros_reflect", {"token 7 'reflect'", "padding mode is given twice"}},
        {"conv_ci03_i8_co4_k3", {"token 2 'ci03'", "'03'", "leading zeros"}},
        {"conv_ci3_i08_co4_k3", {"token 3 'i08'", "leading zeros"}},
        {"conv_ci3_i2147483648_co4_k3", {"token 3 'i2147483648'", "2147483647"}},
        {"conv_ci99999999999999999999_i8_co4_k3", {"token 2", "2147483647"}},
        {"conv_cim3_i8_co4_k3", {"token 2 'cim3'"}},
        {"conv_ci3x4_i8_co4_k3", {"token 2 'ci3x4'", "2 numbers, want 1"}},
        {"conv_ci3_i8x_co4_k3", {"token 3 'i8x'", "''"}},
        {"conv_ci3_i8xx8_co4_k3", {"token 3 'i8xx8'", "''"}},
        {"conv_ci3_i8x8x8x8_co4_k3", {"token 3 'i8x8x8x8'", "4 extents, want 1 to 3"}},
        {"conv_ci3_i8x8_co4_k3x3x3", {"token 5 'k3x3x3'", "3 numbers, want 2"}},
        {"conv_ci3_i8_co4_k3_s1x1", {"token 6 's1x1'", "2 numbers, want 1"}},
        {"conv_ci3_i8x8_co4_k3_p1x1", {"token 6 'p1x1'", "2 numbers, want 4"}},
        {"conv_ci3_i8_co4_k3_nhwc", {"token 6 'nhwc'", "layout of 2 spatial axes, but i has 1"}},
        {"conv_ci3_i8_co4_k3_nwc2nchw", {"token 6 'nwc2nchw'", "different ranks"}},
        {"conv_ci3_i8_co4_k3_nwc2", {"token 6 'nwc2'"}},
        {"conv_ci3_i8_co4_k3_f32xf32", {"token 6 'f32xf32'", "2 types, want 1 or 4"}},
        {"conv_ci3_i8_co4_k3_constant", {"token 6 'constant'", "followed by 0 numbers, want 1"}},
        {"conv_ci3_i8_co4_k3_constant_v1_v2", {"token 6 'constant'", "followed by 2 numbers, want 1"}},
        {"conv_ci3_i8_co4_k3_constant_vbanana", {"token 7 'vbanana'", "want 'v' and a number"}},
        {"conv_ci3_i8_co4_k3_zeros_v1", {"token 6 'zeros'", "followed by 1 numbers, want none"}},
        {"conv_ci3_i8_co4_k3_v1", {"token 6 'v1'"}},
        {"conv_ci3_i8_co4_k3_clamp_v1", {"token 6 'clamp'", "followed by 1 numbers, want 2"}},
        {"conv_ci3_i8_co4_k3_relu_v1", {"token 6 'relu'", "followed by 1 numbers, want 0"}},
        {"conv_ci3_i8_co4_k3_leaky_relu_vnan", {"token 8 'vnan'"}},
        {"conv_ci3_i8_co4_k3_leaky_relu_v1e999", {"token 8 'v1e999'"}},
        {"conv_ci3_i8_co4_k3_leaky", {"token 6 'leaky'"}},
    };
    for (const auto &row : rows) {
        SCOPED_TRACE(row.key);
        expect_contains(error_of([&] { ConvDesc::parse(row.key); }), row.message);
    }
}

TEST(ConvKey, ErrorsAboutTheProblemQuoteTheKey) {
    expect_contains(error_of([] { ConvDesc::parse("conv_ci6_i8_co4_k3_g4"); }),
                    {"key 'conv_ci6_i8_co4_k3_g4'", "input channels ci: got 6, want a multiple of groups 4"});
    expect_contains(
        error_of([] { ConvDesc::parse("conv_ci6_i8_co4_k3_i8xi8xi32xi8"); }, ErrorCode::Unsupported),
        {"types: got i8 input, i8 weights, i32 accumulator, i8 output",
         "op conv has kernels for f32 and f64"});
}

TEST(ConvKey, VeryLongKeysAreShortenedInMessages) {
    EXPECT_LT(error_of([] { ConvDesc::parse(std::string(1'000'000, 'x')); }).size(), 1000u);
}

TEST(NumberToken, IsShortAndReadsBack) {
    const struct {
        double value;
        const char *token;
    } rows[] = {{0, "0"},         {-0.0, "0"},           {1, "1"},
                {-1.5, "m1p5"},   {0.01, "0p01"},        {1e-5, "1em5"},
                {1e20, "1e20"},   {kInf, "inf"},         {-kInf, "minf"},
                {1e100, "1e100"}, {-2.5e-10, "m2p5em10"}};
    for (const auto &row : rows) {
        EXPECT_EQ(number_token(row.value), row.token);
        EXPECT_EQ(parse_number_token(row.token), row.value) << row.token;
    }
    for (const double value : {0.1 + 0.2, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0x1.fffffep-127})
        EXPECT_EQ(parse_number_token(number_token(value)), value);
}

TEST(NumberToken, RefusesEverythingElse) {
    for (const char *text :
         {"",    "m",        "mm1", "p5",  "1p", "1p5p5", "01",   "00", "1e", "1em",  "e5",
          "nan", "infinity", "-1",  "1.5", "+1", "1e999", "0x10", "1 ", " 1", "1pe5", "1m2"})
        EXPECT_FALSE(parse_number_token(text)) << text;
}

} // namespace
} // namespace convsmith
