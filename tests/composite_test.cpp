// Composites as descriptors: linking, keys, arithmetic, and what is refused. That their kernels are right is
// tested in conv_test.cpp (tests/data/composite_shapes.txt).
#include "generators/composite.h"

#include "generators/conv_shape.h"
#include "generators/signature.h"
#include "tests/desc_samples.h"

namespace convsmith {
namespace {

ConvDesc op(const std::string &key) {
    return ConvDesc::parse(key);
}

/// A follower: what it takes is filled in by chain().
ConvDesc follower(int co, int kernel, int groups = 1) {
    ConvDesc d;
    d.co = co;
    d.groups = groups;
    d.kernel = {kernel, kernel};
    d.pad_begin = d.pad_end = {kernel / 2, kernel / 2};
    return d;
}

std::vector<std::string> tensor_names(const ConvDesc &desc) {
    std::vector<std::string> names;
    for (const TensorSpec &spec : tensor_specs(desc, {8}))
        names.push_back(spec.name);
    return names;
}

TEST(Composite, ChainTakesOverWhatFollows) {
    const ConvDesc pair = chain({op("conv_n2_ci8_i9x7_co8_k3_s2_p1_g8_nchw_relu"), follower(16, 1)});
    ASSERT_EQ(pair.then.size(), 1u);
    EXPECT_EQ(pair.then[0].n, 2);
    EXPECT_EQ(pair.then[0].ci, 8);
    EXPECT_EQ(pair.then[0].in, (Spatial{5, 4, 1}));
    EXPECT_EQ(pair.then[0].in_layout, Layout::ChannelsFirst);
    EXPECT_EQ(output_shape(pair), (std::vector<int64_t>{2, 16, 5, 4}));
    EXPECT_EQ(mac_count(pair), 2 * 20 * (8 * 9 + 8 * 16));
    EXPECT_EQ(parameter_count(pair), 8 * 9 + 8 * 16);
    // input 2*8*63, filters, output 2*16*20; nothing for what lies between.
    EXPECT_EQ(byte_count(pair), 4 * (2 * 8 * 63 + 72 + 128 + 2 * 16 * 20));
}

TEST(Composite, KeysRoundTrip) {
    const char *keys[] = {
        "conv_ci8_i9x7_co8_k3_s2_p1_g8_nchw_relu_then_conv_co16_k1_bias",
        "conv_n3_ci4_i20_co6_k3_then_maxpool_k2_s2_then_conv_co5_k3_p1_reflect_leaky_relu_v0p25",
        "concat_ci6_i9x8_of_conv_co4_k1_bias_and_conv_co3_k1_then_conv_co8_k3_p1_and_maxpool_k3_p1",
        "excite_ci8_i6x5_of_avgpool_k6x5_then_conv_co4_k1_relu_then_conv_co8_k1_sigmoid_next_conv_co3_k1",
    };
    for (const char *key : keys) {
        const ConvDesc desc = op(key);
        EXPECT_EQ(ConvDesc::parse(desc.key()), desc) << desc.key();
        EXPECT_EQ(ConvDesc::parse(desc.key()).key(), desc.key());
        EXPECT_EQ(desc.key().find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string::npos);
    }
    EXPECT_EQ(op("conv_ci8_i9x7_co8_k3_p1_g8_then_conv_co16_k1").key(),
              "conv_n1_ci8_i9x7_co8_k3x3_s1x1_p1x1x1x1_d1x1_g8_f32_nhwc_zeros_then_"
              "conv_co16_k1x1_s1x1_p0x0x0x0_d1x1_g1_zeros");
}

TEST(Composite, TensorsAreNumberedByOp) {
    EXPECT_EQ(
        tensor_names(op("conv_ci8_i9x7_co8_k3_p1_g8_bias_then_conv_co16_k1_bias_residual")),
        (std::vector<std::string>{"input", "filter", "bias", "filter2", "bias2", "residual2", "output"}));
    EXPECT_EQ(tensor_names(op("concat_ci6_i9x8_of_maxpool_k3_p1_and_conv_co3_k1_then_conv_co8_k3_p1_prelu")),
              (std::vector<std::string>{"input", "filter2", "filter3", "slope3", "output"}));
}

TEST(Composite, ConcatAddsUpChannels) {
    const ConvDesc block =
        concat({op("conv_ci6_i9x8_co4_k1"), chain({op("conv_ci6_i9x8_co3_k1"), follower(8, 3)}),
                op("maxpool_ci6_i9x8_k3_p1")});
    EXPECT_EQ(output_shape(block), (std::vector<int64_t>{1, 9, 8, 4 + 8 + 6}));
    EXPECT_EQ(ops_of(block).size(), 4u);
}

TEST(Composite, ExciteKeepsItsInputsShape) {
    const ConvDesc block = excite(chain({op("avgpool_ci8_i6x5_k6x5"), follower(2, 1), follower(8, 1)}));
    EXPECT_EQ(output_shape(block), input_shape(block));
}

TEST(Composite, RefusesWhatDoesNotFit) {
    const struct {
        const char *key;
        std::vector<std::string> message;
        ErrorCode code;
    } rows[] = {
        {"conv_ci8_i9_co8_k3_then", {"end", "want one of 'conv'"}, ErrorCode::BadArgument},
        {"conv_ci8_i9_co8_k3_then_banana", {"token 7 'banana'"}, ErrorCode::BadArgument},
        {"conv_ci8_i9_co8_k3_then_conv_ci8_co4_k1",
         {"token 8 'ci8'", "follows from the op before"},
         ErrorCode::BadArgument},
        {"conv_ci8_i9_co8_k3_then_conv_co4_k1_f64",
         {"token 10 'f64'", "types are those of the first op"},
         ErrorCode::BadArgument},
        {"conv_ci8_i9_co8_k3_then_conv_co4_k1_ncw",
         {"token 10 'ncw'", "the layout is that of the first op"},
         ErrorCode::BadArgument},
        {"conv_ci8_i9_co8_k3_then_conv_co4_k1_g3",
         {"input channels ci: got 8, want a multiple of groups 3"},
         ErrorCode::BadArgument},
        {"conv_ci8_i9_co8_k3_then_conv_co4_k9",
         {"effective kernel", "want at most the padded input 7"},
         ErrorCode::BadArgument},
        {"conv_ci8_i9_co8_k3_into20x4_then_conv_co4_k1",
         {"only the last op writes into a larger tensor"},
         ErrorCode::BadArgument},
        {"conv_ci8_i0_co8_k3_then_conv_co4_k1",
         {"want every extent at compile time"},
         ErrorCode::Unsupported},
        {"maxpool_ci8_i9_k3_then_maxpool_k3_indices", {"cannot have indices"}, ErrorCode::Unsupported},
        {"concat_ci6_i9x8", {"op concat: got 0 branches"}, ErrorCode::BadArgument},
        {"concat_ci6_i9x8_of_conv_co4_k1_and_conv_co4_k3",
         {"a branch has extents 7x6", "want those of the first, 9x8"},
         ErrorCode::BadArgument},
        {"concat_ci6_i9x8_of_conv_co4_k1_next_conv_co4_k1",
         {"nothing can follow it"},
         ErrorCode::Unsupported},
        {"excite_ci8_i6x5_of_conv_co8_k1",
         {"the branch gives 8 channels of 6x5", "want 8 of one position"},
         ErrorCode::BadArgument},
        {"conv_ci8_i9_co8_k3_of_conv_co8_k1", {"op conv: got 1 branches, want none"}, ErrorCode::BadArgument},
        {"chain_ci8_i9", {"op chain: has no key of its own"}, ErrorCode::BadArgument},
    };
    for (const auto &row : rows) {
        SCOPED_TRACE(row.key);
        expect_contains(error_of([&] { ConvDesc::parse(row.key); }, row.code), row.message);
    }
    expect_contains(error_of([] { chain({}); }), {"chain: got no op"});
    ConvDesc unlinked = op("conv_ci8_i9x9_co8_k3");
    unlinked.then = {op("conv_ci5_i7x7_co4_k1")};
    expect_contains(error_of([&] { unlinked.validate(); }), {"build it with chain, concat or excite"});
}

} // namespace
} // namespace convsmith
