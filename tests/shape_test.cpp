// Shape arithmetic against numbers worked by hand (parameter tables, published layer shapes, receptive
// fields) and against the layer lists of well-known networks.
#include "generators/conv_shape.h"
#include "generators/error.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>

namespace convsmith {
namespace {

using Shape = std::vector<int64_t>;

ConvDesc desc(const std::string &key) {
    return ConvDesc::parse(key);
}

TEST(OutExtent, FollowsTheFormula) {
    EXPECT_EQ(conv_out_extent(14, 5, 1, 1, 0, 0), 10);
    EXPECT_EQ(conv_out_extent(5, 3, 2, 1, 1, 1), 3);
    EXPECT_EQ(conv_out_extent(224, 7, 2, 1, 3, 3), 112);
    EXPECT_EQ(conv_out_extent(7, 3, 1, 2, 0, 0), 3) << "dilation 2 covers 5";
    EXPECT_EQ(conv_out_extent(6, 3, 2, 1, 0, 1), 3) << "padding at the end only";
    EXPECT_EQ(conv_out_extent(3, 3, 5, 1, 0, 0), 1) << "stride beyond the input";
    EXPECT_LE(conv_out_extent(4, 5, 1, 1, 0, 0), 0) << "does not fit";
    EXPECT_LE(conv_out_extent(4, 2147483647, 2, 2147483647, 0, 0), 0) << "does not fit, without overflow";
}

TEST(OutExtent, CountsTheWindowsThatFit) {
    for (int in = 1; in <= 12; in++) {
        for (int kernel = 1; kernel <= 4; kernel++) {
            for (int stride = 1; stride <= 3; stride++) {
                for (int dilation = 1; dilation <= 3; dilation++) {
                    int windows = 0;
                    for (int begin = -2; begin + dilation * (kernel - 1) < in + 1; begin += stride)
                        windows++;
                    EXPECT_EQ(conv_out_extent(in, kernel, stride, dilation, 2, 1), windows)
                        << in << " " << kernel << " " << stride << " " << dilation;
                }
            }
        }
    }
}

TEST(EffectiveKernel, DilationSpreadsTheTaps) {
    EXPECT_EQ(effective_kernel(3, 1), 3);
    EXPECT_EQ(effective_kernel(3, 2), 5);
    EXPECT_EQ(effective_kernel(3, 3), 7);
    EXPECT_EQ(effective_kernel(1, 9), 1);
    EXPECT_EQ(effective_kernel(2147483647, 2147483647), 2147483647) << "saturates";
}

// 10x10 kernels, 3 -> 30 channels, with bias.
TEST(ParameterCount, TenByTenKernels) {
    EXPECT_EQ(parameter_count(desc("conv_ci3_i32x32_co30_k10_bias")), 9030);
    EXPECT_EQ(parameter_count(desc("conv_ci3_i32x32_co30_k10_d2_bias")), 9030);
    EXPECT_EQ(parameter_count(desc("conv_ci3_i32x32_co30_k10_g3_bias")), 3030);
    EXPECT_EQ(parameter_count(desc("conv_ci3_i32x32_co30_k1_bias")), 120);
    const int64_t depthwise = parameter_count(desc("conv_ci3_i32x32_co3_k10_g3_bias"));
    EXPECT_EQ(depthwise, 303);
    EXPECT_EQ(depthwise + parameter_count(desc("conv_ci3_i32x32_co30_k1_bias")), 423)
        << "depthwise-separable";
    EXPECT_EQ(parameter_count(desc("conv_ci300_i1x1_co3000_k1_bias")), 903000) << "fully connected";
}

TEST(ParameterCount, CountsABiasOnlyIfThereIsOne) {
    EXPECT_EQ(parameter_count(desc("conv_ci3_i32x32_co30_k10")), 9000);
    EXPECT_EQ(parameter_count(desc("conv_ci3_i32x32_co30_k10_residual_relu")), 9000);
}

TEST(MacCount, IsOutputsTimesTaps) {
    // ResNet-50 conv1: 2 * 112 * 112 * 64 outputs, 3 * 7 * 7 taps each.
    EXPECT_EQ(mac_count(desc("conv_n2_ci3_i224x224_co64_k7_s2_p3")), 2ll * 112 * 112 * 64 * 147);
    EXPECT_EQ(mac_count(desc("conv_ci32_i8_co64_k3_g4")), 6 * 64 * 8 * 3);
}

TEST(ByteCount, CountsEveryTensorOnce) {
    // input 8 * 2, filter 3 * 2 * 3, bias 3, residual and output 6 * 3.
    EXPECT_EQ(byte_count(desc("conv_ci2_i8_co3_k3_bias_residual")), 4 * (16 + 18 + 3 + 18 + 18));
    EXPECT_EQ(byte_count(desc("conv_ci2_i8_co3_k3_f32xf32xf64xf32_bias")), 4 * (16 + 18 + 18) + 8 * 3);
}

TEST(OutputShape, OneDimension) {
    EXPECT_EQ(output_shape(desc("conv_ci1_i14_co1_k5")), (Shape{1, 10, 1}));
    EXPECT_EQ(output_shape(desc("conv_ci1_i14_co16_k5_ncw")), (Shape{1, 16, 10}));
    EXPECT_EQ(output_shape(desc("conv_ci16_i10_co32_k5")), (Shape{1, 6, 32}));
}

TEST(OutputShape, TwoDimensions) {
    EXPECT_EQ(output_shape(desc("conv_ci3_i14x14_co16_k5")), (Shape{1, 10, 10, 16}));
    EXPECT_EQ(output_shape(desc("conv_ci16_i10x10_co32_k5")), (Shape{1, 6, 6, 32}));
    EXPECT_EQ(output_shape(desc("conv_ci3_i6x6_co2_k3")), (Shape{1, 4, 4, 2}));
    EXPECT_EQ(output_shape(desc("conv_ci3_i5x5_co2_k3_s2_p1")), (Shape{1, 3, 3, 2})) << "5x5 padded to 7x7";
    EXPECT_EQ(output_shape(desc("conv_ci3_i7x7_co2_k3_s2")), (Shape{1, 3, 3, 2}));
}

TEST(OutputShape, ThreeDimensions) {
    EXPECT_EQ(output_shape(desc("conv_ci1_i14x14x14_co16_k5")), (Shape{1, 10, 10, 10, 16}));
    EXPECT_EQ(output_shape(desc("conv_ci16_i10x10x10_co32_k5")), (Shape{1, 6, 6, 6, 32}));
    EXPECT_EQ(output_shape(desc("conv_n32_ci3_i10x224x224_co64_k3_s2_p1_ncdhw")),
              (Shape{32, 64, 5, 112, 112}));
    EXPECT_EQ(output_shape(desc("conv_n32_ci3_i10x224x224_co64_k2x3x3_s1x2x2_p0x1x1x0x1x1_ncdhw")),
              (Shape{32, 64, 9, 112, 112}));
}

TEST(OutputShape, LayoutsAreIndependent) {
    const ConvDesc d = desc("conv_n2_ci3_i8x9_co5_k3_nchw2nhwc");
    EXPECT_EQ(input_shape(d), (Shape{2, 3, 8, 9}));
    EXPECT_EQ(output_shape(d), (Shape{2, 6, 7, 5}));
    EXPECT_EQ(filter_shape(d), (Shape{5, 3, 3, 3}));
    EXPECT_EQ(filter_shape(desc("conv_ci6_i9_co4_k3_g2")), (Shape{4, 3, 3}));
}

TEST(OutputShape, OpenExtentsAreZero) {
    const ConvDesc d = desc("conv_n0_ci3_i0x9_co5_k3");
    EXPECT_EQ(input_shape(d), (Shape{0, 0, 9, 3}));
    EXPECT_EQ(output_shape(d), (Shape{0, 0, 7, 5}));
}

// A 3D-CNN for action recognition: the window slides over height, width and 3 of the frames of each of five
// hard-wired channels; 7 frames give 3 * 7 + 2 * 6 = 33 maps (optical flow lies between frames).
TEST(OutputShape, ActionRecognitionChain) {
    const auto frames = [](const std::vector<int> &maps, int kernel) {
        int total = 0;
        for (const int m : maps)
            total += static_cast<int>(conv_out_extent(m, kernel, 1, 1, 0, 0));
        return total;
    };
    const std::vector<int> channels = {7, 7, 7, 6, 6};
    EXPECT_EQ(std::accumulate(channels.begin(), channels.end(), 0), 33);
    EXPECT_EQ(frames(channels, 3), 23);
    EXPECT_EQ(frames({5, 5, 5, 4, 4}, 3), 13);

    Spatial map = {60, 40};
    const auto slide = [&map](int kernel_h, int kernel_w, int stride) {
        map = {static_cast<int>(conv_out_extent(map[0], kernel_h, stride, 1, 0, 0)),
               static_cast<int>(conv_out_extent(map[1], kernel_w, stride, 1, 0, 0))};
        return map;
    };
    EXPECT_EQ(slide(7, 7, 1), (Spatial{54, 34})) << "C2, 23x2 maps";
    EXPECT_EQ(slide(2, 2, 2), (Spatial{27, 17})) << "S3";
    EXPECT_EQ(slide(7, 6, 1), (Spatial{21, 12})) << "C4, 13x6 maps";
    EXPECT_EQ(slide(3, 3, 3), (Spatial{7, 4})) << "S5";
    EXPECT_EQ(slide(7, 4, 1), (Spatial{1, 1})) << "C6, 128 maps";

    // The first convolution of one channel as a descriptor: 2 sets of 7x7x3 kernels.
    EXPECT_EQ(output_shape(desc("conv_ci1_i7x60x40_co2_k3x7x7_ncdhw_tanh")), (Shape{1, 2, 5, 54, 34}));
    EXPECT_EQ(output_shape(desc("conv_ci78_i7x4_co128_k7x4_tanh")), (Shape{1, 1, 1, 128}));
}

TEST(ReceptiveField, StacksOfSmallKernels) {
    EXPECT_EQ(receptive_field({{3, 1, 1}, {3, 1, 1}}).extent, 5);
    EXPECT_EQ(receptive_field({{3, 1, 1}, {3, 1, 1}, {3, 1, 1}}).extent, 7);
    EXPECT_EQ(receptive_field({{5, 1, 1}}).extent, 5);
    EXPECT_EQ(receptive_field({{7, 1, 1}}).extent, 7);
    EXPECT_EQ(receptive_field({}).extent, 1);
}

TEST(ReceptiveField, StridesMultiply) {
    // ResNet stem: 7x7 stride 2, 3x3 pooling stride 2, 3x3: 7 + 2 * 2 + 2 * 4.
    const ReceptiveField field = receptive_field({{7, 2, 1}, {3, 2, 1}, {3, 1, 1}});
    EXPECT_EQ(field.extent, 19);
    EXPECT_EQ(field.stride, 4);
    EXPECT_EQ(field.holes(), 0);
}

TEST(ReceptiveField, EqualRatesLeaveHolesMixedRatesDoNot) {
    const ReceptiveField equal = receptive_field({{3, 1, 2}, {3, 1, 2}, {3, 1, 2}});
    EXPECT_EQ(equal.extent, 13);
    EXPECT_EQ(equal.holes(), 6) << "every odd cell";
    const ReceptiveField mixed = receptive_field({{3, 1, 1}, {3, 1, 2}, {3, 1, 3}});
    EXPECT_EQ(mixed.extent, 13);
    EXPECT_EQ(mixed.holes(), 0);
    EXPECT_EQ(receptive_field({{3, 1, 2}}).covered, (std::vector<bool>{true, false, true, false, true}));
}

TEST(ReceptiveField, StrideBeyondTheKernelLeavesHoles) {
    EXPECT_EQ(receptive_field({{1, 3, 1}, {2, 1, 1}}).covered, (std::vector<bool>{true, false, false, true}));
}

TEST(ReceptiveField, RefusesImpossibleLayers) {
    EXPECT_THROW(receptive_field({{3, 1, 1}, {0, 1, 1}}), Error);
    EXPECT_THROW(receptive_field({{3, 0, 1}}), Error);
    EXPECT_THROW(receptive_field({{3, 1, -1}}), Error);
    EXPECT_THROW(receptive_field(std::vector<AxisWindow>(64, {3, 2, 1})), Error) << "2^31 cells";
    EXPECT_THROW(receptive_field({{2147483647, 1, 2147483647}}), Error);
}

// Two 3x3 against one 5x5, three 3x3 against one 7x7, on 100x100x3 -> 128 channels without padding and bias.
TEST(StackedKernels, ParametersAndMacs) {
    const ConvDesc first = desc("conv_ci3_i100x100_co128_k3");
    const ConvDesc second = desc("conv_ci128_i98x98_co128_k3");
    const ConvDesc third = desc("conv_ci128_i96x96_co128_k3");
    const ConvDesc five = desc("conv_ci3_i100x100_co128_k5");
    const ConvDesc seven = desc("conv_ci3_i100x100_co128_k7");
    EXPECT_EQ(output_shape(second), output_shape(five));
    EXPECT_EQ(output_shape(third), output_shape(seven));

    EXPECT_EQ(parameter_count(first), 3456);
    EXPECT_EQ(parameter_count(second), 147456);
    EXPECT_EQ(parameter_count(five), 9600);
    EXPECT_EQ(parameter_count(seven), 18816);
    EXPECT_EQ(mac_count(first), 3456ll * 98 * 98);
    EXPECT_EQ(mac_count(second), 147456ll * 96 * 96);
    EXPECT_EQ(mac_count(five), 9600ll * 96 * 96);
    EXPECT_EQ(mac_count(seven), 18816ll * 94 * 94);
}

TEST(Sizes, FillOpenExtents) {
    const ConvDesc open = desc("conv_n0_ci3_i0x9_co5_k3");
    Sizes sizes;
    sizes.n = 4, sizes.in = {20, 0};
    const ConvDesc closed = with_sizes(open, sizes);
    EXPECT_EQ(input_shape(closed), (Shape{4, 20, 9, 3}));
    EXPECT_FALSE(closed.is_open());
    sizes.in[1] = 9;
    EXPECT_TRUE(with_sizes(open, sizes) == closed) << "repeating a closed extent";
    EXPECT_EQ(resolve_sizes(closed).in, (Spatial{20, 9, 1})) << "a closed descriptor needs nothing";
}

TEST(Sizes, NameTheAxisThatIsWrong) {
    const ConvDesc open = desc("conv_n0_ci3_i0x9_co5_k3");
    const auto message = [&](int n, Spatial in) -> std::string {
        Sizes sizes;
        sizes.n = n, sizes.in = in;
        try {
            with_sizes(open, sizes);
        } catch (const Error &e) {
            return e.what();
        }
        return "no error";
    };
    EXPECT_NE(message(0, {20, 9}).find("batch n"), std::string::npos) << message(0, {20, 9});
    EXPECT_NE(message(1, {0, 9}).find("axis h: open"), std::string::npos) << message(1, {0, 9});
    EXPECT_NE(message(1, {-3, 9}).find("got -3"), std::string::npos) << message(1, {-3, 9});
    EXPECT_NE(message(1, {20, 8}).find("axis w: got 8, want the descriptor's 9"), std::string::npos)
        << message(1, {20, 8});
    EXPECT_NE(message(1, {2, 9}).find("effective kernel of axis h"), std::string::npos)
        << "too small for the kernel";
    EXPECT_THROW(mac_count(open), Error);
    EXPECT_THROW(byte_count(open), Error);
}

TEST(MergeTrivialAxes, PointwiseBecomesOneDimensional) {
    EXPECT_TRUE(merge_trivial_axes(desc("conv_n2_ci8_i4x5x6_co7_k1_bias")) ==
                desc("conv_n2_ci8_i120_co7_k1_bias"));
    EXPECT_TRUE(merge_trivial_axes(desc("conv_ci8_i4x5_co7_k1_d3_nchw2nhwc")) ==
                desc("conv_ci8_i20_co7_k1_ncw2nwc"));
}

TEST(MergeTrivialAxes, OnlyNeighbouringTrivialAxesMerge) {
    EXPECT_TRUE(merge_trivial_axes(desc("conv_ci8_i4x5x6_co7_k1x1x3")) == desc("conv_ci8_i20x6_co7_k1x3"));
    EXPECT_TRUE(merge_trivial_axes(desc("conv_ci8_i4x5x6_co7_k3x1x1")) == desc("conv_ci8_i4x30_co7_k3x1"));
    for (const char *key : {"conv_ci8_i4x5x6_co7_k1x3x1", "conv_ci8_i4x5_co7_k3", "conv_ci8_i4x5_co7_k1_s1x2",
                            "conv_ci8_i4x5_co7_k1_p0x0x0x1", "conv_ci8_i4x5_co7_k1_s2"})
        EXPECT_TRUE(merge_trivial_axes(desc(key)) == desc(key)) << key;
}

TEST(MergeTrivialAxes, OpenExtentsStayOpen) {
    EXPECT_TRUE(merge_trivial_axes(desc("conv_n0_ci8_i0x5_co7_k1")) == desc("conv_n0_ci8_i0_co7_k1"));
}

TEST(MergeTrivialAxes, PaddingModeWithoutPaddingIsDropped) {
    EXPECT_TRUE(merge_trivial_axes(desc("conv_ci8_i9_co7_k3_constant_v2")) == desc("conv_ci8_i9_co7_k3"));
    EXPECT_TRUE(merge_trivial_axes(desc("conv_ci8_i9_co7_k3_p1_reflect")) ==
                desc("conv_ci8_i9_co7_k3_p1_reflect"));
}

TEST(MergeTrivialAxes, KeepsCountsAndAgreesWithSizesFilledLater) {
    constexpr unsigned kSeed = 7;
    std::mt19937 engine(kSeed);
    const auto roll = [&](int low, int high) {
        return std::uniform_int_distribution<int>(low, high)(engine);
    };
    for (int i = 0; i < 2000; i++) {
        ConvDesc d;
        d.rank = roll(1, 3);
        d.n = roll(1, 3), d.ci = roll(1, 5), d.co = roll(1, 5);
        for (int a = 0; a < d.rank; a++) {
            d.in[a] = roll(4, 9);
            d.kernel[a] = roll(0, 2) == 0 ? 3 : 1;
            d.stride[a] = roll(0, 3) == 0 ? 2 : 1;
            d.pad_end[a] = roll(0, 3) == 0 ? 1 : 0;
        }
        SCOPED_TRACE("seed " + std::to_string(kSeed) + ": " + d.key());
        const ConvDesc merged = merge_trivial_axes(d);
        ASSERT_NO_THROW(merged.validate());
        ASSERT_EQ(mac_count(merged), mac_count(d));
        ASSERT_EQ(byte_count(merged), byte_count(d));
        ASSERT_EQ(parameter_count(merged), parameter_count(d));
        ASSERT_TRUE(merge_trivial_axes(merged) == merged);

        ConvDesc open = d;
        open.in[roll(0, d.rank - 1)] = 0;
        Sizes sizes;
        sizes.in = d.in;
        const ConvDesc open_merged = merge_trivial_axes(open);
        ASSERT_EQ(open_merged.rank, merged.rank);
        ASSERT_TRUE(merge_trivial_axes(with_sizes(open, sizes)) == merged);
    }
}

std::filesystem::path shared_directory() {
    const char *set = std::getenv("CONVSMITH_SHARED");
    return set != nullptr ? std::filesystem::path(set)
                          : std::filesystem::path(CONVSMITH_SOURCE_DIR) / "../shared";
}

/// A conv layer of a network file as a descriptor.
ConvDesc layer_desc(const nlohmann::json &layer) {
    ConvDesc d;
    const std::vector<int> kernel = layer.at("k"), stride = layer.at("stride"), pad = layer.at("pad"),
                           dilation = layer.at("dilation");
    d.rank = static_cast<int>(kernel.size());
    d.n = layer.at("n"), d.ci = layer.at("ic"), d.co = layer.at("oc"), d.groups = layer.at("groups");
    for (int a = 0; a < d.rank; a++) {
        d.in[a] = layer.at(std::string("i") + axis_name(a, d.rank));
        d.kernel[a] = kernel[a], d.stride[a] = stride[a], d.dilation[a] = dilation[a];
        d.pad_begin[a] = pad[a], d.pad_end[a] = pad[d.rank + a];
    }
    if (layer.at("bias"))
        d.epilogue = {epilogue_stage("bias")};
    return d;
}

TEST(Networks, PublishedLayerListsAgree) {
    const std::filesystem::path directory = shared_directory() / "cases" / "networks";
    if (!std::filesystem::exists(directory))
        GTEST_SKIP() << "no layer lists at " << directory << " (set CONVSMITH_SHARED)";
    int layers = 0;
    for (const auto &entry : std::filesystem::directory_iterator(directory)) {
        if (entry.path().extension() != ".json")
            continue;
        const nlohmann::json network = nlohmann::json::parse(std::ifstream(entry.path()));
        for (const auto &layer : network.at("layers")) {
            if (layer.at("op") != "conv")
                continue;
            SCOPED_TRACE(entry.path().filename().string() + " " + layer.at("name").get<std::string>());
            const ConvDesc d = layer_desc(layer);
            ASSERT_NO_THROW(d.validate());
            const Spatial out = out_extents(d);
            for (int a = 0; a < d.rank; a++)
                EXPECT_EQ(out[a], layer.at(std::string("o") + axis_name(a, d.rank)).get<int>());
            EXPECT_EQ(mac_count(d), layer.at("macs").get<int64_t>());
            const int64_t batch_norm = layer.at("bn") ? 2 * d.co : 0;
            EXPECT_EQ(parameter_count(d) + batch_norm, layer.at("params").get<int64_t>());
            layers++;
        }
    }
    EXPECT_GE(layers, 400);
}

// A few published numbers that need no file: AlexNet (one tower), ResNet-50, MobileNet, C3D layers.
TEST(Networks, WellKnownLayers) {
    const ConvDesc alexnet = desc("conv_ci3_i224x224_co64_k11_s4_p2_bias_relu");
    EXPECT_EQ(output_shape(alexnet), (Shape{1, 55, 55, 64}));
    EXPECT_EQ(parameter_count(alexnet), 23296);
    EXPECT_EQ(mac_count(alexnet), 70276800);
    const ConvDesc c3d = desc("conv_ci3_i16x112x112_co64_k3_p1_bias_relu");
    EXPECT_EQ(parameter_count(c3d), 5248);
    EXPECT_EQ(mac_count(c3d), 1040449536);
    EXPECT_EQ(mac_count(desc("conv_ci32_i112x112_co32_k3_p1_g32_relu6")), 3612672) << "MobileNet depthwise";
}

TEST(SamePadding, OddCellGoesToTheEndOrTheBegin) {
    // 5 cells, kernel 2, stride 1: 5 outputs reach 6 cells, one of them padding.
    ConvDesc desc = ConvDesc::parse("conv_ci1_i5_co1_k2");
    set_same_padding(desc, true);
    EXPECT_EQ(desc.pad_begin[0], 0);
    EXPECT_EQ(desc.pad_end[0], 1);
    set_same_padding(desc, false);
    EXPECT_EQ(desc.pad_begin[0], 1);
    EXPECT_EQ(desc.pad_end[0], 0);
}

TEST(SamePadding, StrideAndDilationCountAndPaddingIsNeverNegative) {
    // Axis h: 7 cells, stride 3 -> 3 outputs; reach 2 * 3 + (2 * 2 + 1) = 11, padding 4. Axis w: kernel 1,
    // stride 2 on 6 cells -> 3 outputs reach 5 cells: no padding.
    ConvDesc desc = ConvDesc::parse("conv_ci1_i7x6_co1_k3x1_s3x2_d2x1");
    set_same_padding(desc, true);
    EXPECT_EQ(desc.pad_begin[0], 2);
    EXPECT_EQ(desc.pad_end[0], 2);
    EXPECT_EQ(desc.pad_begin[1], 0);
    EXPECT_EQ(desc.pad_end[1], 0);
    EXPECT_EQ(out_extents(desc)[0], 3);
    EXPECT_EQ(out_extents(desc)[1], 3);
}

} // namespace
} // namespace convsmith
