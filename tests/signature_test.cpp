// The calling contract of a kernel: which tensors, in which order, and how each lies in memory.
#include "generators/signature.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <string>
#include <utility>
#include <vector>

namespace convsmith {
namespace {

using Shape = std::vector<int64_t>;

ConvDesc desc(const std::string &key) {
    return ConvDesc::parse(key);
}

TEST(PackedFilter, ShapeRoundsChannelsUpToTheBlock) {
    const ConvDesc d = desc("conv_ci6_i9x9_co20_k3x5_g2");
    EXPECT_EQ(packed_filter_shape(d, {16}), (Shape{2, 3, 5, 3, 16}));
    EXPECT_EQ(packed_filter_shape(d, {1}), (Shape{20, 3, 5, 3, 1}));
    EXPECT_EQ(packed_filter_elements(d, {16}), 2 * 3 * 5 * 3 * 16);
}

TEST(PackedFilter, HasWholeBlocksOfEachGroup) {
    const ConvDesc d = desc("conv_ci6_i9x9_co40_k3x5_g2");
    EXPECT_EQ(packed_filter_shape(d, {16, 1, true}), (Shape{4, 3, 5, 3, 16}));
    EXPECT_EQ(packed_filter_shape(groups_as_images(d), {16, 1, true}), (Shape{4, 3, 5, 3, 16}));
    EXPECT_EQ(packed_filter_shape(d, {16}), (Shape{3, 3, 5, 3, 16}));
}

TEST(TensorSpecs, ListTheCallInOrder) {
    const std::vector<TensorSpec> specs =
        tensor_specs(desc("conv_n2_ci3_i8x9_co5_k3_f32xf32xf64xf32_residual_bias_relu"), {8});
    std::vector<std::string> names;
    for (const TensorSpec &spec : specs)
        names.push_back(spec.name);
    ASSERT_EQ(names, (std::vector<std::string>{"input", "filter", "bias", "residual", "output"}));
    EXPECT_EQ(specs[0].shape, (Shape{2, 8, 9, 3}));
    EXPECT_EQ(specs[1].shape, (Shape{1, 3, 3, 3, 8}));
    EXPECT_EQ(specs[2].shape, (Shape{5}));
    EXPECT_EQ(specs[2].dtype, DType::F64) << "a bias has the accumulator's type";
    EXPECT_EQ(specs[3].shape, specs[4].shape);
    EXPECT_EQ(specs[3].dtype, DType::F32);
    EXPECT_EQ(tensor_specs(desc("conv_ci3_i8_co5_k3"), {8}).size(), 3u);
}

std::vector<std::pair<int, int64_t>> dims_of(const std::string &key, const Packing &packing,
                                             const std::string &name) {
    const std::vector<TensorSpec> specs = tensor_specs(desc(key), packing);
    const auto spec = std::find_if(specs.begin(), specs.end(), [&](const auto &s) { return s.name == name; });
    if (spec == specs.end()) {
        ADD_FAILURE() << key << " has no tensor " << name;
        return {};
    }
    const BufferDims dims = buffer_dims(desc(key), packing, *spec);
    std::vector<std::pair<int, int64_t>> out;
    for (int i = 0; i < dims.count; i++)
        out.emplace_back(dims.dims[i].extent, dims.dims[i].stride);
    return out;
}

TEST(BufferDims, GroupsAreImagesWhereWeightsArePackedByGroup) {
    using Dims = std::vector<std::pair<int, int64_t>>;
    const std::string last = "conv_ci6_i8x9_co40_k3_g2_bias_channel_scale_residual";
    const Packing packing = {16, 1, true};
    EXPECT_EQ(dims_of(last, packing, "input"), (Dims{{3, 1}, {9, 6}, {8, 54}, {2, 3}}));
    EXPECT_EQ(dims_of(last, packing, "output"), (Dims{{20, 1}, {42, 40}, {2, 20}}));
    EXPECT_EQ(dims_of(last, packing, "residual"), (Dims{{20, 1}, {42, 40}, {2, 20}}));
    EXPECT_EQ(dims_of(last, packing, "bias"), (Dims{{20, 1}, {2, 20}}));
    EXPECT_EQ(dims_of(last, packing, "scale"), (Dims{{20, 1}, {2, 20}}));
    EXPECT_EQ(dims_of(last, packing, "filter"), (Dims{{16, 1}, {3, 16}, {3, 48}, {3, 144}, {4, 432}}));
    const std::string first = "conv_ci6_i8x9_co40_k3_g2_nchw";
    EXPECT_EQ(dims_of(first, packing, "input"), (Dims{{3, 72}, {9, 1}, {8, 9}, {2, 216}}));
    EXPECT_EQ(dims_of(first, packing, "output"), (Dims{{20, 42}, {42, 1}, {2, 840}}));
}

TEST(BufferDims, ALayoutIsOnlyStrides) {
    using Dims = std::vector<std::pair<int, int64_t>>;
    const std::string last = "conv_n2_ci3_i8x9_co5_k3", first = last + "_nchw";
    EXPECT_EQ(dims_of(last, {8}, "input"), (Dims{{3, 1}, {9, 3}, {8, 27}, {2, 216}}));
    EXPECT_EQ(dims_of(first, {8}, "input"), (Dims{{3, 72}, {9, 1}, {8, 9}, {2, 216}}));
    EXPECT_EQ(dims_of(last, {8}, "output"), (Dims{{5, 1}, {42, 5}, {2, 210}}));
    EXPECT_EQ(dims_of(first, {8}, "output"), (Dims{{5, 42}, {42, 1}, {2, 210}}));
    EXPECT_EQ(dims_of(last + "_residual", {8}, "residual"), dims_of(last, {8}, "output"));
    EXPECT_EQ(dims_of(last + "_bias", {8}, "bias"), (Dims{{5, 1}}));
    EXPECT_EQ(dims_of(last, {4}, "filter"), (Dims{{4, 1}, {3, 4}, {3, 12}, {3, 36}, {2, 108}}));
}

TEST(BufferDims, ThreeDimensionsAndMergedAxes) {
    EXPECT_EQ(dims_of("conv_ci2_i4x5x6_co3_k1x2x3", {1}, "filter").size(), 6u);
    EXPECT_EQ(dims_of("conv_ci2_i4x5x6_co3_k2", {1}, "input").size(), 5u);
    EXPECT_EQ(dims_of("conv_ci2_i4x5x6_co3_k1", {1}, "input"), dims_of("conv_ci2_i120_co3_k1", {1}, "input"));
}

} // namespace
} // namespace convsmith
