// Equality, names and validation of the descriptor: impossible problems are refused with an error that names
// field, got and want. Keys are judged in key_test.cpp, arithmetic in shape_test.cpp.
#include "tests/desc_samples.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace convsmith {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(ConvDesc, EqualityIgnoresWhatHasNoMeaning) {
    ConvDesc a = resnet_layer(), b = a;
    b.kernel[2] = 7, b.in[2] = 9, b.pad_value = 3;
    EXPECT_TRUE(a == b);
    b.pad_mode = a.pad_mode = PadMode::Constant;
    EXPECT_TRUE(a != b);
    a.pad_value = 3;
    EXPECT_TRUE(a == b);
    b.kernel[1] = 7;
    EXPECT_TRUE(a != b);
}

TEST(ConvDesc, EveryFieldDistinguishes) {
    const ConvDesc base = resnet_layer();
    const std::function<void(ConvDesc &)> changes[] = {
        [](ConvDesc &d) { d.n = 2; },
        [](ConvDesc &d) { d.ci = 32; },
        [](ConvDesc &d) { d.co = 32; },
        [](ConvDesc &d) { d.groups = 2; },
        [](ConvDesc &d) { d.in[0] = 55; },
        [](ConvDesc &d) { d.in[1] = 55; },
        [](ConvDesc &d) { d.kernel[0] = 1; },
        [](ConvDesc &d) { d.stride[1] = 2; },
        [](ConvDesc &d) { d.dilation[0] = 2; },
        [](ConvDesc &d) { d.pad_begin[1] = 0; },
        [](ConvDesc &d) { d.pad_end[0] = 0; },
        [](ConvDesc &d) { d.pad_mode = PadMode::Reflect; },
        [](ConvDesc &d) { d.acc_type = DType::F64; },
        [](ConvDesc &d) { d.acc_type = d.in_type = DType::F64; },
        [](ConvDesc &d) { d.acc_type = d.weight_type = DType::F64; },
        [](ConvDesc &d) { d.acc_type = d.out_type = DType::F64; },
        [](ConvDesc &d) { d.in_layout = Layout::ChannelsFirst; },
        [](ConvDesc &d) { d.out_layout = Layout::ChannelsFirst; },
        [](ConvDesc &d) { d.epilogue.pop_back(); },
    };
    std::vector<std::string> keys = {base.key()};
    for (const auto &change : changes) {
        ConvDesc d = base;
        change(d);
        EXPECT_TRUE(d != base) << d.key();
        EXPECT_EQ(std::count(keys.begin(), keys.end(), d.key()), 0) << d.key();
        keys.push_back(d.key());
    }
}

TEST(ConvDesc, ImpossibleProblemsNameFieldGotAndWant) {
    const struct {
        std::function<void(ConvDesc &)> change;
        std::vector<std::string> message;
    } rows[] = {
        {[](ConvDesc &d) { d.rank = 0; }, {"spatial rank: got 0, want 1 to 3"}},
        {[](ConvDesc &d) { d.rank = 4; }, {"spatial rank: got 4"}},
        {[](ConvDesc &d) { d.n = -1; }, {"batch n", "got -1, want at least 0"}},
        {[](ConvDesc &d) { d.ci = 0; }, {"input channels ci: got 0, want at least 1"}},
        {[](ConvDesc &d) { d.co = -4; }, {"output channels co: got -4"}},
        {[](ConvDesc &d) { d.groups = 0; }, {"groups g: got 0"}},
        {[](ConvDesc &d) { d.groups = 3; }, {"input channels ci: got 64, want a multiple of groups 3"}},
        {[](ConvDesc &d) { d.ci = 96, d.groups = 3; },
         {"output channels co: got 64, want a multiple of groups 3"}},
        {[](ConvDesc &d) { d.in[0] = -1; }, {"input extent", "axis h", "got -1"}},
        {[](ConvDesc &d) { d.kernel[1] = 0; }, {"kernel of axis w: got 0, want at least 1"}},
        {[](ConvDesc &d) { d.stride[0] = 0; }, {"stride of axis h: got 0"}},
        {[](ConvDesc &d) { d.dilation[0] = -2; }, {"dilation of axis h: got -2"}},
        {[](ConvDesc &d) { d.pad_begin[1] = -1; }, {"begin padding of axis w: got -1"}},
        {[](ConvDesc &d) { d.pad_end[1] = -1; }, {"end padding of axis w: got -1"}},
        {[](ConvDesc &d) { d.kernel[0] = 59; },
         {"effective kernel of axis h: got 59 cells (kernel 59, dilation 1), want at most the padded input "
          "58"}},
        {[](ConvDesc &d) { d.dilation[1] = 29; },
         {"effective kernel of axis w: got 59", "dilation 29", "58"}},
        {[](ConvDesc &d) { d.dilation[1] = 2147483647; }, {"kernel of axis w", "dilation 2147483647"}},
        {[](ConvDesc &d) { d.in[0] = 2147483647; }, {"padded input of axis h: got 2147483649"}},
        {[](ConvDesc &d) { d.pad_mode = PadMode::Reflect, d.pad_end[0] = 56; },
         {"padding of axis h: got 56, want at most 55", "reflect"}},
        {[](ConvDesc &d) { d.pad_mode = PadMode::Circular, d.pad_begin[1] = 57; },
         {"padding of axis w: got 57, want at most 56", "circular"}},
        {[](ConvDesc &d) { d.pad_mode = PadMode::Symmetric, d.pad_begin[1] = 57; },
         {"padding of axis w: got 57, want at most 56", "symmetric"}},
        {[](ConvDesc &d) { d.pad_mode = PadMode::Constant, d.pad_value = kInf; }, {"padding value: got inf"}},
        {[](ConvDesc &d) { d.pad_mode = PadMode::Constant, d.pad_value = 1e300; },
         {"padding value", "finite f32"}},
        {[](ConvDesc &d) { d.n = 1 << 20; }, {"input: shape 1048576x56x56x64", "fewer than 2^31"}},
        {[](ConvDesc &d) {
             d.co = 1 << 25, d.kernel = {3, 3};
         },
         {"output: shape 1x56x56x33554432"}},
        {[](ConvDesc &d) {
             d.ci = d.co = 1 << 16, d.in = {3, 3};
         },
         {"filter: shape 65536x65536x3x3"}},
        {[](ConvDesc &d) {
             d.epilogue = {{"relu7", {}}};
         },
         {"'relu7'", "relu6"}},
        {[](ConvDesc &d) {
             d.epilogue = {{"clamp", {1}}};
         },
         {"epilogue clamp: got 1 numbers, want 2"}},
        {[](ConvDesc &d) {
             d.epilogue = {{"clamp", {2, 1}}};
         },
         {"epilogue clamp: min 2 is greater than max 1"}},
        {[](ConvDesc &d) {
             d.epilogue = {{"clamp", {kInf, kInf}}};
         },
         {"epilogue clamp: min is inf"}},
        {[](ConvDesc &d) {
             d.epilogue = {{"clamp", {std::nan(""), 1}}};
         },
         {"epilogue clamp: min is nan"}},
        {[](ConvDesc &d) {
             d.epilogue = {{"elu", {kInf}}};
         },
         {"epilogue elu: alpha is inf, want a finite f32"}},
        {[](ConvDesc &d) {
             d.epilogue = {{"leaky_relu", {1e39}}};
         },
         {"alpha is 1e+39, want a finite f32"}},
        {[](ConvDesc &d) {
             d.epilogue = {{"bias", {}}, {"relu", {}}, {"bias", {}}};
         },
         {"epilogue bias: a second"}},
    };
    for (const auto &row : rows) {
        ConvDesc d = resnet_layer();
        row.change(d);
        SCOPED_TRACE(row.message[0]);
        expect_contains(error_of([&] { d.validate(); }), row.message);
    }
}

TEST(ConvDesc, TypesWithoutKernelsAreUnsupported) {
    ConvDesc d = resnet_layer();
    d.weight_type = DType::I8;
    expect_contains(error_of([&] { d.validate(); }, ErrorCode::Unsupported),
                    {"weight type: got i8", "f32 and f64"});
    d = resnet_layer();
    d.out_type = DType::F64;
    expect_contains(error_of([&] { d.validate(); }, ErrorCode::Unsupported),
                    {"accumulator type: got f32, want at least as wide as the output type f64"});
}

TEST(ConvDesc, LimitsAreInclusive) {
    ConvDesc d = resnet_layer();
    d.kernel = {58, 58};
    EXPECT_NO_THROW(d.validate()) << "a kernel as large as the padded input";
    d = resnet_layer();
    d.pad_mode = PadMode::Reflect, d.pad_begin[0] = 55;
    EXPECT_NO_THROW(d.validate());
    d.pad_mode = PadMode::Circular, d.pad_begin[0] = 56;
    EXPECT_NO_THROW(d.validate());
    d = ConvDesc::parse("conv_ci1_i2147483646_co1_k1");
    EXPECT_NO_THROW(d.validate()) << "2^31 - 2 elements";
    d.epilogue = {{"clamp", {-kInf, kInf}}};
    EXPECT_NO_THROW(d.validate());
}

TEST(ConvDesc, OpenExtentsAreCheckedAsFarAsTheyAreKnown) {
    EXPECT_NO_THROW(ConvDesc::parse("conv_n0_ci3_i0x0_co16_k99"));
    EXPECT_NO_THROW(ConvDesc::parse("conv_n0_ci3_i0_co16_k3_p9_reflect"));
    expect_contains(error_of([] { ConvDesc::parse("conv_n0_ci3_i0x4_co16_k5"); }),
                    {"effective kernel of axis w"});
    expect_contains(error_of([] { ConvDesc::parse("conv_n0_ci65536_i0_co65536_k3"); }), {"filter: shape"});
}

TEST(ConvDesc, PaddedFilterIsBounded) {
    // 2^31 / 64 input channels: the filter of one output channel fits, 64 of them do not.
    expect_contains(error_of([] { ConvDesc::parse("conv_ci33554432_i1_co1_k1"); }), {"packed filter: shape"});
}

TEST(ConvDesc, LayoutNamesFollowTheRank) {
    EXPECT_EQ(layout_name(Layout::ChannelsLast, 1), "nwc");
    EXPECT_EQ(layout_name(Layout::ChannelsLast, 2), "nhwc");
    EXPECT_EQ(layout_name(Layout::ChannelsLast, 3), "ndhwc");
    EXPECT_EQ(layout_name(Layout::ChannelsFirst, 1), "ncw");
    EXPECT_EQ(layout_name(Layout::ChannelsFirst, 2), "nchw");
    EXPECT_EQ(layout_name(Layout::ChannelsFirst, 3), "ncdhw");
}

} // namespace
} // namespace convsmith
