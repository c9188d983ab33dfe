// Costs and receptive fields of stacks, with the worked examples of the literature: parameter counts, shapes,
// stacked small kernels, gridding, a 3D network for action recognition.
#include "runtime/stack_info.h"

#include "generators/error.h"
#include "runtime/frontend/network.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace convsmith {
namespace {

using Shape = std::vector<int64_t>;
using Ranges = std::vector<std::pair<int64_t, int64_t>>;

/// Keys as SPECs of one stack.
std::vector<Layer> stack(const std::vector<std::string> &keys) {
    std::vector<Layer> layers;
    for (const std::string &key : keys) {
        layers.push_back(load_spec(key).layers.at(0));
    }
    return layers;
}

int64_t parameters(const std::vector<std::string> &keys) {
    return costs_of(stack(keys)).parameters;
}

/// The field of layers that follow each other without a remark.
std::vector<ReceptiveField> field_of(const std::vector<std::string> &keys) {
    const StackField field = stack_field(stack(keys));
    EXPECT_TRUE(field.remarks.empty()) << field.remarks.front();
    return field.axes;
}

std::vector<int64_t> extents(const std::vector<ReceptiveField> &fields) {
    std::vector<int64_t> all;
    for (const ReceptiveField &field : fields) {
        all.push_back(field.extent);
    }
    return all;
}

Shape output(const std::vector<std::string> &keys) {
    field_of(keys);
    return output_shape(stack(keys).back().desc);
}

// 10x10 kernels, 3 -> 30 channels, with bias.
TEST(Costs, ParametersOfTenByTenKernels) {
    EXPECT_EQ(parameters({"conv_ci3_i32x32_co30_k10_bias"}), 9030);
    EXPECT_EQ(parameters({"conv_ci3_i32x32_co30_k10_d2_bias"}), 9030);
    EXPECT_EQ(parameters({"conv_ci3_i32x32_co30_k10_g3_bias"}), 3030);
    EXPECT_EQ(parameters({"conv_ci3_i32x32_co30_k1_bias"}), 120);
    EXPECT_EQ(parameters({"conv_ci3_i32x32_co3_k10_g3_bias"}), 303);
    EXPECT_EQ(parameters({"conv_ci3_i32x32_co3_k10_g3_bias", "conv_ci3_i23x23_co30_k1_bias"}), 423);
    EXPECT_EQ(parameters({"conv_ci300_i1_co3000_k1_bias"}), 903000);
}

TEST(Costs, CountEachLayerAsOftenAsItIsRepeated) {
    std::vector<Layer> layers = stack({"conv_ci4_i8x8_co4_k3_p1_bias", "maxpool_ci4_i8x8_k2_s2"});
    layers[0].multiplicity = 3;
    const Costs once = costs_of(layers[0].desc), pool = costs_of(layers[1].desc), total = costs_of(layers);
    EXPECT_EQ(once.parameters, 4 * 4 * 9 + 4);
    EXPECT_EQ(*once.macs, 8 * 8 * 4 * 4 * 9);
    EXPECT_EQ(*pool.bytes, 4 * (4 * 64 + 4 * 16));
    EXPECT_EQ(total.parameters, 3 * once.parameters);
    EXPECT_EQ(*total.macs, 3 * *once.macs);
    EXPECT_EQ(*total.bytes, 3 * *once.bytes + *pool.bytes);
    EXPECT_DOUBLE_EQ(*operations_per_byte(once), 2.0 * 8 * 8 * 4 * 4 * 9 / (4 * (2 * 256 + 144 + 4)));
    EXPECT_EQ(*operations_per_byte(pool), 0);
}

TEST(Costs, OpenSizesHaveParametersOnly) {
    const Costs costs = costs_of(stack({"conv_ci4_i8x8_co4_k3_p1", "conv_ci4_i0x8_co4_k3_p1"}));
    EXPECT_EQ(costs.parameters, 2 * 4 * 4 * 9);
    EXPECT_FALSE(costs.macs || costs.bytes || operations_per_byte(costs));
}

TEST(Costs, BeyondSixtyFourBitsSaturate) {
    std::vector<Layer> layers = stack({"conv_ci4096_i512x512_co1024_k8"});
    layers[0].multiplicity = std::numeric_limits<int>::max();
    EXPECT_EQ(*costs_of(layers).macs, std::numeric_limits<int64_t>::max());
}

TEST(StackShapes, OneToThreeDimensions) {
    EXPECT_EQ(output({"conv_ci1_i14_co1_k5"}), (Shape{1, 10, 1}));
    EXPECT_EQ(output({"conv_ci1_i14_co16_k5"}), (Shape{1, 10, 16}));
    EXPECT_EQ(output({"conv_ci1_i14_co16_k5", "conv_ci16_i10_co32_k5"}), (Shape{1, 6, 32}));
    EXPECT_EQ(output({"conv_ci3_i14x14_co16_k5"}), (Shape{1, 10, 10, 16}));
    EXPECT_EQ(output({"conv_ci3_i14x14_co16_k5", "conv_ci16_i10x10_co32_k5"}), (Shape{1, 6, 6, 32}));
    EXPECT_EQ(output({"conv_ci1_i14x14x14_co16_k5", "conv_ci16_i10x10x10_co32_k5"}), (Shape{1, 6, 6, 6, 32}));
    EXPECT_EQ(output({"conv_ci3_i6x6_co2_k3"}), (Shape{1, 4, 4, 2}));
    EXPECT_EQ(output({"conv_ci3_i5x5_co2_k3_s2_p1"}), (Shape{1, 3, 3, 2})) << "7x7 with its padding";
}

TEST(StackShapes, VideoWithTwoKernels) {
    EXPECT_EQ(output({"conv_n32_ci3_i10x224x224_co64_k3_s2_p1_ncdhw"}), (Shape{32, 64, 5, 112, 112}));
    EXPECT_EQ(output({"conv_n32_ci3_i10x224x224_co64_k2x3x3_s1x2x2_p0x1x1x0x1x1_ncdhw"}),
              (Shape{32, 64, 9, 112, 112}));
}

TEST(StackField, DilatedKernelsCoverMoreCells) {
    EXPECT_EQ(extents(field_of({"conv_ci1_i32x32_co1_k3_d2"})), (Shape{5, 5}));
    EXPECT_EQ(extents(field_of({"conv_ci1_i32x32_co1_k3_d3"})), (Shape{7, 7}));
    EXPECT_EQ(unseen_ranges(field_of({"conv_ci1_i32x32_co1_k3_d3"})[0]), (Ranges{{1, 2}, {4, 5}}));
}

TEST(StackField, EqualRatesLeaveHolesAndMixedRatesDoNot) {
    const std::vector<ReceptiveField> equal = field_of(
        {"conv_ci4_i32x32_co4_k3_p2_d2", "conv_ci4_i32x32_co4_k3_p2_d2", "conv_ci4_i32x32_co4_k3_p2_d2"});
    EXPECT_EQ(extents(equal), (Shape{13, 13}));
    EXPECT_EQ(unseen_ranges(equal[1]), (Ranges{{1, 1}, {3, 3}, {5, 5}, {7, 7}, {9, 9}, {11, 11}}));
    const std::vector<ReceptiveField> mixed = field_of(
        {"conv_ci4_i32x32_co4_k3_p1", "conv_ci4_i32x32_co4_k3_p2_d2", "conv_ci4_i32x32_co4_k3_p3_d3"});
    EXPECT_EQ(extents(mixed), (Shape{13, 13}));
    EXPECT_EQ(mixed[0].holes() + mixed[1].holes(), 0);
}

// Two 3x3 against one 5x5 and three against one 7x7, 100x100x3 -> 128 channels.
TEST(StackField, StackedSmallKernelsSeeWhatALargeOneSees) {
    const std::string first = "conv_ci3_i100x100_co128_k3_p1", next = "conv_ci128_i100x100_co128_k3_p1";
    const std::string five = "conv_ci3_i100x100_co128_k5_p2", seven = "conv_ci3_i100x100_co128_k7_p3";
    EXPECT_EQ(extents(field_of({first, next})), extents(field_of({five})));
    EXPECT_EQ(extents(field_of({first, next, next})), extents(field_of({seven})));
    EXPECT_EQ(extents(field_of({seven})), (Shape{7, 7}));
    EXPECT_EQ(parameters({first, next}), 3456 + 147456);
    EXPECT_EQ(parameters({five}), 9600);
    EXPECT_EQ(parameters({first, next, next}), 3456 + 2 * 147456);
    EXPECT_EQ(parameters({seven}), 18816);
    EXPECT_EQ(*costs_of(stack({first, next})).macs, (3456ll + 147456) * 10000);
    EXPECT_EQ(*costs_of(stack({five})).macs, 9600ll * 10000);
    EXPECT_EQ(*costs_of(stack({first, next, next})).macs, (3456ll + 2 * 147456) * 10000);
    EXPECT_EQ(*costs_of(stack({seven})).macs, 18816ll * 10000);
}

TEST(StackField, RepeatedLayersCountInARow) {
    std::vector<Layer> layers = stack({"conv_ci4_i8x8_co4_k3_p1"});
    layers[0].multiplicity = 3;
    const StackField field = stack_field(layers);
    EXPECT_TRUE(field.remarks.empty());
    EXPECT_EQ(extents(field.axes), (Shape{7, 7}));
    layers = stack({"conv_ci4_i8x8_co8_k3_p1"});
    layers[0].multiplicity = 2;
    EXPECT_EQ(stack_field(layers).remarks.size(), 1u) << "it gives 8 channels and takes 4";
}

TEST(StackField, StridesMultiply) {
    const std::vector<ReceptiveField> field = field_of(
        {"conv_ci3_i224x224_co64_k7_s2_p3", "maxpool_ci64_i112x112_k3_s2_p1", "conv_ci64_i56x56_co64_k3_p1"});
    EXPECT_EQ(extents(field), (Shape{19, 19}));
    EXPECT_EQ(field[0].stride, 4);
}

// A 3D network for action recognition: 7 frames of 60x40. Gray values and two gradients have 7 maps, two
// optical flows 6: 33 maps. Each of the five channels has kernels of its own, so they are groups.
const std::vector<std::string> kGray = {
    "conv_ci3_i7x60x40_co6_k3x7x7_g3_bias_tanh", "avgpool_ci6_i5x54x34_k1x2x2_s1x2x2",
    "conv_ci6_i5x27x17_co18_k3x7x6_g6_tanh", "avgpool_ci18_i3x21x12_k1x3x3_s1x3x3"};
const std::vector<std::string> kFlow = {
    "conv_ci2_i6x60x40_co4_k3x7x7_g2_bias_tanh", "avgpool_ci4_i4x54x34_k1x2x2_s1x2x2",
    "conv_ci4_i4x27x17_co12_k3x7x6_g4_tanh", "avgpool_ci12_i2x21x12_k1x3x3_s1x3x3"};

/// Frames times channels of layer `i` of both branches, and the extents of its maps.
Shape maps(size_t i) {
    const Shape gray = output_shape(stack(kGray)[i].desc), flow = output_shape(stack(kFlow)[i].desc);
    EXPECT_EQ(gray[2], flow[2]);
    EXPECT_EQ(gray[3], flow[3]);
    return {gray[1] * gray[4] + flow[1] * flow[4], gray[2], gray[3]};
}

TEST(StackShapes, ActionRecognitionNetwork) {
    const ConvDesc gray = stack(kGray)[0].desc, flow = stack(kFlow)[0].desc;
    EXPECT_EQ(gray.in[0] * gray.ci + flow.in[0] * flow.ci, 33);
    EXPECT_EQ(maps(0), (Shape{23 * 2, 54, 34}));
    EXPECT_EQ(maps(1), (Shape{23 * 2, 27, 17}));
    EXPECT_EQ(maps(2), (Shape{13 * 6, 21, 12}));
    EXPECT_EQ(maps(3), (Shape{13 * 6, 7, 4}));
    EXPECT_EQ(output({"conv_ci78_i7x4_co128_k7x4_tanh"}), (Shape{1, 1, 1, 128}));
    EXPECT_EQ(parameters({kGray[0]}) + parameters({kFlow[0]}), 2 * 5 * (7 * 7 * 3 + 1));
}

TEST(StackField, ActionRecognitionNetworkSeesTheWholeFrame) {
    std::vector<std::string> keys = kGray;
    keys.emplace_back("conv_ci18_i3x7x4_co128_k3x7x4_tanh");
    EXPECT_EQ(extents(field_of(keys)), (Shape{7, 60, 40}));
    keys = kFlow;
    keys.emplace_back("conv_ci12_i2x7x4_co128_k2x7x4_tanh");
    EXPECT_EQ(extents(field_of(keys)), (Shape{6, 60, 40}));
}

TEST(StackField, FullyConnectedLayersSeeEverything) {
    const std::vector<ReceptiveField> field =
        field_of({"conv_ci3_i8x6_co4_k3_p1", "conv_ci192_i1_co10_k1", "conv_ci10_i1_co5_k1"});
    EXPECT_EQ(extents(field), (Shape{10, 8}));
}

TEST(StackField, LayersThatDoNotFollowAreRemarkedUpon) {
    const StackField field = stack_field(stack({"conv_ci3_i8x8_co4_k3", "conv_ci5_i6x6_co4_k3"}));
    ASSERT_EQ(field.remarks.size(), 1u);
    EXPECT_NE(field.remarks[0].find("takes 5x6x6"), std::string::npos) << field.remarks[0];
    EXPECT_NE(field.remarks[0].find("gives 4x6x6"), std::string::npos) << field.remarks[0];
    EXPECT_EQ(extents(field.axes), (Shape{5, 5}));
    EXPECT_FALSE(field.is_chain);
    EXPECT_TRUE(stack_field(stack({"conv_ci3_i0x8_co4_k3", "conv_ci4_i9x6_co4_k3"})).remarks.empty())
        << "an open extent fits any";
}

TEST(StackField, LayersWithoutAFieldOfOneSizeSaySo) {
    const auto remark = [](const std::vector<std::string> &keys) {
        const StackField field = stack_field(stack(keys));
        EXPECT_TRUE(field.axes.empty());
        return field.remarks.empty() ? "" : field.remarks.back();
    };
    EXPECT_NE(remark({"deconv_ci3_i8x8_co4_k3_s2"}).find("transposed"), std::string::npos);
    EXPECT_NE(remark({"conv_ci3_i8x8_co4_k3_pixelshuffle2"}).find("rearranges"), std::string::npos);
    EXPECT_NE(remark({"conv_ci3_i8x8_co4_k3", "conv_ci4_i36_co4_k3"}).find("axes"), std::string::npos);
    EXPECT_NE(remark({}).find("no layers"), std::string::npos);
    EXPECT_NE(remark({"maxpool_ci1_i40000000_k20000000", "maxpool_ci1_i20000001_k3"}).find("cells"),
              std::string::npos);
}

TEST(StackField, ManyRepetitionsAreRefusedQuickly) {
    std::vector<Layer> layers = stack({"conv_ci4_i8x8_co4_k3_p1"});
    layers[0].multiplicity = std::numeric_limits<int>::max();
    EXPECT_TRUE(stack_field(layers).axes.empty());
    layers = stack({"conv_ci4_i8x8_co4_k1"});
    layers[0].multiplicity = std::numeric_limits<int>::max();
    EXPECT_EQ(extents(stack_field(layers).axes), (Shape{1, 1}));
}

TEST(StackField, DeformableLayersCountWithoutOffsets) {
    const StackField field = stack_field(stack({"deform_ci4_i8x8_co4_k3_p2_d2"}));
    EXPECT_EQ(extents(field.axes), (Shape{5, 5}));
    ASSERT_EQ(field.remarks.size(), 1u);
    EXPECT_NE(field.remarks[0].find("offsets"), std::string::npos);
}

} // namespace
} // namespace convsmith
