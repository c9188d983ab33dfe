// Which layers the ONNX importer makes of windows other than Conv, of padding, batch norm, index maps and
// concatenations, and which mistakes it names. Conv itself has onnx_import_test.cpp.
#include "generators/conv_shape.h"
#include "tests/onnx_fixture.h"

#include <cmath>
#include <limits>

namespace convsmith {
namespace {

class OnnxLayers : public OnnxImport {
protected:
    using Attributes = std::function<void(onnx::NodeProto &)>;

    /// x of `dims` -> op with input x and `others` -> y.
    static OnnxBuilder one(const std::string &op, const std::vector<int64_t> &dims,
                           const Attributes &attributes = {}, const std::vector<std::string> &others = {},
                           int64_t opset = 13) {
        OnnxBuilder builder(opset);
        builder.input("x", dims).output("y");
        std::vector<std::string> inputs = {"x"};
        inputs.insert(inputs.end(), others.begin(), others.end());
        onnx::NodeProto &node = builder.node(op, inputs, "y");
        if (attributes)
            attributes(node);
        return builder;
    }

    std::vector<std::string> keys(const OnnxBuilder &builder) const {
        std::vector<std::string> all;
        for (const Layer &layer : import(builder).layers)
            all.push_back(layer.desc.key());
        return all;
    }
    std::string key(const OnnxBuilder &builder) const {
        const std::vector<std::string> all = keys(builder);
        EXPECT_EQ(all.size(), 1u);
        return all.empty() ? "" : all[0];
    }
    static std::string canonical(const std::string &key) { return ConvDesc::parse(key).key(); }
};

void add_integers(OnnxBuilder &builder, const std::string &name, const std::vector<int64_t> &values) {
    onnx::TensorProto &tensor = *builder.graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::INT64);
    tensor.add_dims(static_cast<int64_t>(values.size()));
    for (const int64_t value : values)
        tensor.add_int64_data(value);
}

void add_batch_norm(OnnxBuilder &builder, const std::string &from, const std::string &to, int channels) {
    const std::vector<float> ones(channels, 1);
    std::vector<float> scale;
    for (int c = 0; c < channels; ++c)
        scale.push_back(static_cast<float>(c + 2));
    builder.constant("bn_scale", {channels}, scale).constant("bn_shift", {channels}, scale);
    builder.constant("bn_mean", {channels}, ones).constant("bn_variance", {channels}, ones);
    OnnxBuilder::number(
        builder.node("BatchNormalization", {from, "bn_scale", "bn_shift", "bn_mean", "bn_variance"}, to),
        "epsilon", 0);
}

TEST_F(OnnxLayers, TransposedConvolutionTakesItsPaddingFromThreePlaces) {
    const auto deconv = [&](const Attributes &attributes) {
        OnnxBuilder builder = one("ConvTranspose", {1, 4, 5, 6}, attributes, {"w"});
        return key(builder.weights("w", {4, 3, 3, 3}));
    };
    EXPECT_EQ(deconv({}), canonical("deconv_ci4_i5x6_co3_k3_nchw"));
    EXPECT_EQ(deconv([](auto &n) {
                  OnnxBuilder::ints(n, "strides", {2, 3});
                  OnnxBuilder::ints(n, "pads", {1, 0, 0, 2});
                  OnnxBuilder::ints(n, "output_padding", {1, 0});
              }),
              canonical("deconv_ci4_i5x6_co3_k3_s2x3_p1x0x0x2_o1x0_nchw"));
    const auto same = [](const char *mode) {
        return [mode](onnx::NodeProto &n) {
            OnnxBuilder::ints(n, "strides", {2, 2});
            OnnxBuilder::text(n, "auto_pad", mode);
        };
    };
    EXPECT_EQ(deconv(same("SAME_UPPER")), canonical("deconv_ci4_i5x6_co3_k3_s2_p0x0x1x1_nchw"));
    EXPECT_EQ(deconv(same("SAME_LOWER")), canonical("deconv_ci4_i5x6_co3_k3_s2_p1x1x0x0_nchw"));
    EXPECT_EQ(deconv([](auto &n) {
                  OnnxBuilder::ints(n, "strides", {2, 2});
                  OnnxBuilder::ints(n, "output_shape", {8, 15}); // 11 and 13 as they come
              }),
              canonical("deconv_ci4_i5x6_co3_k3_s2_p2x0x1x0_o0x2_nchw"));
}

TEST_F(OnnxLayers, BatchNormAfterAGroupedTransposedConvolutionScalesItsOutputChannels) {
    OnnxBuilder builder;
    builder.input("x", {1, 4, 3, 3}).weights("w", {4, 2, 1, 2}).output("y");
    OnnxBuilder::integer(builder.node("ConvTranspose", {"x", "w"}, "c"), "group", 2);
    add_batch_norm(builder, "c", "y", 4);
    const Network network = import(builder);
    ASSERT_EQ(network.layers.size(), 1u);
    EXPECT_TRUE(network.skipped.empty());
    for (int ci = 0; ci < 4; ++ci) {
        for (int i = 0; i < 4; ++i) {
            const int channel = ci / 2 * 2 + i / 2;
            EXPECT_EQ(network.layers[0].values("filter")->get(ci * 4 + i),
                      0.25 * (ci * 4 + i + 1) * (channel + 2));
        }
    }
    EXPECT_EQ(network.layers[0].values("bias")->get(3), 0); // 5 - 1 * 5
}

TEST_F(OnnxLayers, DeformableConvolutionAndWhatFollowsItAreLayers) {
    OnnxBuilder builder(19); // newer than the operators that shape inference knows
    builder.input("x", {1, 4, 6, 6}).weights("w0", {36, 4, 3, 3}).weights("w1", {8, 4, 3, 3});
    builder.weights("w2", {2, 8, 1, 1}).constant("b", {8}, {1, 2, 3, 4, 5, 6, 7, 8}).output("y");
    OnnxBuilder::ints(builder.node("Conv", {"x", "w0"}, "offset"), "pads", {1, 1, 1, 1});
    onnx::NodeProto &deform = builder.node("DeformConv", {"x", "w1", "offset", "b"}, "d");
    OnnxBuilder::ints(deform, "pads", {1, 1, 1, 1});
    OnnxBuilder::integer(deform, "offset_group", 2);
    builder.node("Relu", {"d"}, "r");
    builder.node("Conv", {"r", "w2"}, "y");
    const Network network = import(builder);
    ASSERT_EQ(network.layers.size(), 3u);
    EXPECT_EQ(network.layers[1].desc.key(), canonical("deform_ci4_i6x6_co8_k3_p1_og2_nchw_bias_relu"));
    EXPECT_EQ(network.layers[1].values("bias")->get(7), 8);
    EXPECT_EQ(network.layers[2].desc.key(), canonical("conv_ci8_i6x6_co2_k1_nchw"));
}

TEST_F(OnnxLayers, PoolsHaveTheDefaultsOfTheStandard) {
    const auto window = [](const char *extra, int64_t value) {
        return [=](onnx::NodeProto &n) {
            OnnxBuilder::ints(n, "kernel_shape", {3, 2});
            OnnxBuilder::ints(n, "strides", {2, 2});
            OnnxBuilder::ints(n, "pads", {1, 0, 1, 1});
            OnnxBuilder::integer(n, extra, value);
        };
    };
    EXPECT_EQ(key(one("MaxPool", {2, 5, 8, 7}, window("ceil_mode", 1))),
              canonical("maxpool_n2_ci5_i8x7_k3x2_s2_p1x0x1x1_ceil_nchw"));
    EXPECT_EQ(key(one("AveragePool", {2, 5, 8, 7}, window("count_include_pad", 0))),
              canonical("avgpool_n2_ci5_i8x7_k3x2_s2_p1x0x1x1_nchw"));
    EXPECT_EQ(key(one("AveragePool", {2, 5, 8, 7}, window("count_include_pad", 1))),
              canonical("avgpool_n2_ci5_i8x7_k3x2_s2_p1x0x1x1_nchw_zeros"));
    EXPECT_EQ(key(one("LpPool", {2, 5, 8, 7}, window("p", 3))),
              canonical("lppool_n2_ci5_i8x7_k3x2_s2_p1x0x1x1_l3_nchw"));
    EXPECT_EQ(key(one("GlobalAveragePool", {2, 5, 8, 7})), canonical("avgpool_n2_ci5_i8x7_k8x7_nchw"));
    EXPECT_EQ(key(one("GlobalMaxPool", {2, 5, 9})), canonical("maxpool_n2_ci5_i9_k9_ncw"));
}

TEST_F(OnnxLayers, SecondOutputOfAMaximumIsItsIndices) {
    OnnxBuilder builder = one("MaxPool", {1, 2, 6, 6}, [](auto &n) {
        OnnxBuilder::ints(n, "kernel_shape", {2, 2});
        OnnxBuilder::integer(n, "storage_order", 1);
        n.add_output("z");
    });
    EXPECT_EQ(key(builder), canonical("maxpool_ci2_i6x6_k2_nchw")) << "nothing reads them";
    builder.output("z");
    builder.graph().mutable_output(1)->mutable_type()->mutable_tensor_type()->set_elem_type(
        onnx::TensorProto::INT64);
    EXPECT_EQ(key(builder), canonical("maxpool_ci2_i6x6_k2_colindices_nchw"));
}

TEST_F(OnnxLayers, SizesBehindADilatedAverageAreRight) {
    OnnxBuilder builder(19); // libonnx of operator set 17 does not see these dilations
    builder.input("x", {1, 2, 12, 12}).weights("w", {3, 2, 1, 1}).output("y");
    onnx::NodeProto &pool = builder.node("AveragePool", {"x"}, "p");
    OnnxBuilder::ints(pool, "kernel_shape", {3, 3});
    OnnxBuilder::ints(pool, "dilations", {4, 5});
    builder.node("Conv", {"p", "w"}, "y");
    EXPECT_EQ(keys(builder).at(1), canonical("conv_ci2_i4x2_co3_k1_nchw"));
}

TEST_F(OnnxLayers, BatchNormThatCannotBeFoldedBecomesStages) {
    OnnxBuilder alone;
    alone.input("x", {2, 3, 4, 5}).output("y");
    add_batch_norm(alone, "x", "y", 3);
    const Network network = import(alone);
    ASSERT_EQ(network.layers.size(), 1u);
    EXPECT_EQ(network.layers[0].desc.key(), canonical("identity_n2_ci3_i4x5_nchw_channel_scale_bias"));
    EXPECT_EQ(network.layers[0].values("scale")->get(1), 3);
    EXPECT_EQ(network.layers[0].values("bias")->get(1), 0);
    const Network after = import(with_tail([](OnnxBuilder &b) {
        b.node("Relu", {"c"}, "r");
        add_batch_norm(b, "r", "y", 6);
    }));
    ASSERT_EQ(after.layers.size(), 1u);
    EXPECT_EQ(after.layers[0].desc.epilogue, (Stages{{"relu", {}}, {"channel_scale", {}}, {"bias", {}}}));
    EXPECT_EQ(after.layers[0].values("filter")->get(3), 1); // as it was
}

TEST_F(OnnxLayers, SlopesPerChannelAreAStageAndOneSlopeIsALeakyRelu) {
    const auto prelu = [&](const std::vector<int64_t> &dims, const std::vector<float> &slopes) {
        return import(with_tail([&](OnnxBuilder &b) {
            b.constant("slope", dims, slopes).node("PRelu", {"c", "slope"}, "y");
        }));
    };
    const Network varied = prelu({6, 1, 1}, {1, 2, 3, 4, 5, 6});
    EXPECT_EQ(varied.layers.at(0).desc.epilogue, (Stages{{"prelu", {}}}));
    EXPECT_EQ(varied.layers[0].values("slope")->get(4), 5);
    EXPECT_EQ(prelu({1}, {0.1F}).layers.at(0).desc.epilogue, (Stages{{"leaky_relu", {0.1}}}));
    const Network along_width = prelu({6}, {1, 2, 3, 4, 5, 6});
    EXPECT_TRUE(along_width.layers.at(0).desc.epilogue.empty());
    EXPECT_EQ(along_width.skipped.at(0).op, "PRelu");
}

// ---- padding ----

struct PadCase {
    std::string mode;
    std::vector<int64_t> pads;
    float value;
    std::string op;
    std::vector<std::string> want;
};

TEST_F(OnnxLayers, PadJoinsTheWindowAfterItWhereThatIsTheSame) {
    const float lowest = std::numeric_limits<float>::lowest();
    const float minus_infinity = -std::numeric_limits<float>::infinity();
    const std::vector<int64_t> pads = {0, 0, 1, 2, 0, 0, 0, 1};
    const std::vector<PadCase> cases = {
        {"constant", pads, 0, "Conv", {"conv_ci4_i9x8_co6_k3_p1x2x0x1_nchw"}},
        {"constant", pads, 1.5F, "Conv", {"conv_ci4_i9x8_co6_k3_p1x2x0x1_nchw_constant_v1p5"}},
        {"reflect", pads, 0, "Conv", {"conv_ci4_i9x8_co6_k3_p1x2x0x1_nchw_reflect"}},
        {"edge", pads, 0, "Conv", {"conv_ci4_i9x8_co6_k3_p1x2x0x1_nchw_replicate"}},
        {"wrap", pads, 0, "Conv", {"conv_ci4_i9x8_co6_k3_p1x2x0x1_nchw_circular"}},
        {"constant", pads, 0, "AveragePool", {"avgpool_ci4_i9x8_k3_p1x2x0x1_nchw_zeros"}},
        {"constant", pads, 0, "MaxPool", {"maxpool_ci4_i9x8_k3_p1x2x0x1_nchw_zeros"}},
        {"constant", pads, lowest, "MaxPool", {"maxpool_ci4_i9x8_k3_p1x2x0x1_nchw"}},
        {"constant", pads, minus_infinity, "MaxPool", {"maxpool_ci4_i9x8_k3_p1x2x0x1_nchw"}},
        {"constant",
         {0, 0, -1, 2, 0, 0, 0, 1},
         0,
         "Conv",
         {"identity_ci4_i9x8_pm1x2x0x1_nchw", "conv_ci4_i8x11_co6_k3_nchw"}},
        {"constant",
         {0, 1, 0, 0, 0, 0, 0, 0},
         0,
         "MaxPool",
         {"identity_ci1_i4x9x8_p1x0x0x0x0x0_ncdhw", "maxpool_ci5_i9x8_k3_nchw"}},
    };
    for (const PadCase &c : cases) {
        SCOPED_TRACE(c.op + " after " + c.mode);
        OnnxBuilder builder(19);
        builder.input("x", {1, 4, 9, 8}).constant("value", {}, {c.value}).output("y");
        add_integers(builder, "pads", c.pads);
        OnnxBuilder::text(builder.node("Pad", {"x", "pads", "value"}, "p"), "mode", c.mode);
        if (c.op == "Conv") {
            builder.weights("w", {6, 4, 3, 3}).node("Conv", {"p", "w"}, "y");
        } else {
            OnnxBuilder::ints(builder.node(c.op, {"p"}, "y"), "kernel_shape", {3, 3});
        }
        std::vector<std::string> want;
        for (const std::string &key : c.want)
            want.push_back(canonical(key));
        EXPECT_EQ(keys(builder), want);
        EXPECT_TRUE(import(builder).skipped.empty());
    }
}

TEST_F(OnnxLayers, PadStaysALayerWhereTheWindowHasPaddingOfItsOwn) {
    OnnxBuilder builder;
    builder.input("x", {1, 4, 9, 8}).weights("w", {6, 4, 3, 3}).output("y");
    add_integers(builder, "pads", {0, 0, 1, 1, 0, 0, 1, 1});
    OnnxBuilder::text(builder.node("Pad", {"x", "pads"}, "p"), "mode", "reflect");
    OnnxBuilder::ints(builder.node("Conv", {"p", "w"}, "y"), "pads", {1, 1, 1, 1});
    EXPECT_EQ(keys(builder), (std::vector<std::string>{canonical("identity_ci4_i9x8_p1_nchw_reflect"),
                                                       canonical("conv_ci4_i11x10_co6_k3_p1_nchw")}));
    builder.graph().mutable_node(0)->clear_attribute(); // zeros: both paddings add up
    EXPECT_EQ(key(builder), canonical("conv_ci4_i9x8_co6_k3_p2_nchw"));
    builder.output("p");
    EXPECT_EQ(keys(builder).size(), 2u) << "the padded value is an output";
}

// ---- index maps and parts ----

TEST_F(OnnxLayers, ShufflesAfterAConvolutionAreItsStore) {
    const auto shuffled = [&](const std::vector<int64_t> &split, const std::vector<int64_t> &order,
                              const std::vector<int64_t> &to) {
        return import(with_tail([&](OnnxBuilder &b) {
            add_integers(b, "split", split);
            add_integers(b, "to", to);
            b.node("Reshape", {"c", "split"}, "s");
            OnnxBuilder::ints(b.node("Transpose", {"s"}, "t"), "perm", order);
            b.node("Reshape", {"t", "to"}, "u");
            b.node("Relu", {"u"}, "y");
        }));
    };
    const Network shuffle = shuffled({1, 2, 3, 7, 6}, {0, 2, 1, 3, 4}, {1, 6, 7, 6});
    EXPECT_TRUE(shuffle.skipped.empty());
    EXPECT_EQ(shuffle.layers.at(0).desc.key(), canonical("conv_ci4_i9x8_co6_k3_shuffle2_nchw_relu"));
    EXPECT_EQ(shuffled({1, 3, 2, -1}, {0, 2, 1, 3}, {1, 6, 7, 6}).layers.at(0).desc.rearrange_factor, 3);
    const Network other = shuffled({1, 6, 6, 7}, {0, 1, 3, 2}, {1, 6, 7, 6}); // a transposed image
    EXPECT_EQ(other.layers.at(0).desc.rearrange, Rearrange::None);
    EXPECT_EQ(other.skipped.at(0).op, "Reshape");
}

TEST_F(OnnxLayers, DepthToSpaceAfterAConvolutionIsItsStore) {
    OnnxBuilder builder;
    builder.input("x", {1, 4, 5, 5}).weights("w", {12, 4, 3, 3}).output("y");
    builder.node("Conv", {"x", "w"}, "c");
    onnx::NodeProto &node = builder.node("DepthToSpace", {"c"}, "y");
    OnnxBuilder::integer(node, "blocksize", 2);
    EXPECT_EQ(key(builder), canonical("conv_ci4_i5x5_co12_k3_depthtospace2_nchw"));
    OnnxBuilder::text(node, "mode", "CRD");
    EXPECT_EQ(key(builder), canonical("conv_ci4_i5x5_co12_k3_pixelshuffle2_nchw"));
}

TEST_F(OnnxLayers, ConcatenatedLayersWriteTheirParts) {
    const auto concat = [&](const std::vector<std::string> &inputs) {
        OnnxBuilder builder;
        builder.input("x", {1, 4, 6, 6}).weights("w1", {3, 4, 1, 1}).weights("w2", {5, 4, 3, 3}).output("y");
        builder.node("Conv", {"x", "w1"}, "a");
        OnnxBuilder::ints(builder.node("Conv", {"x", "w2"}, "b"), "pads", {1, 1, 1, 1});
        builder.node("Relu", {"b"}, "r");
        onnx::NodeProto &pool = builder.node("MaxPool", {"x"}, "m");
        OnnxBuilder::ints(pool, "kernel_shape", {3, 3});
        OnnxBuilder::ints(pool, "pads", {1, 1, 1, 1});
        OnnxBuilder::integer(builder.node("Concat", inputs, "y"), "axis", 1);
        return import(builder);
    };
    const Network joined = concat({"a", "r", "m"});
    EXPECT_TRUE(joined.skipped.empty());
    ASSERT_EQ(joined.layers.size(), 3u);
    EXPECT_EQ(joined.layers[0].desc.key(), canonical("conv_ci4_i6x6_co3_k1_into12x0_nchw"));
    EXPECT_EQ(joined.layers[1].desc.key(), canonical("conv_ci4_i6x6_co5_k3_p1_into12x3_nchw_relu"));
    EXPECT_EQ(joined.layers[2].desc.key(), canonical("maxpool_ci4_i6x6_k3_p1_into12x8_nchw"));
    const Network with_input = concat({"a", "x", "r"});
    EXPECT_EQ(with_input.layers.at(0).desc.co_total, 0);
    EXPECT_TRUE(has(with_input.skipped.at(0).reason, {"'x'", "one layer"}));
    EXPECT_EQ(concat({"a", "a", "r"}).layers.at(0).desc.co_total, 0);
}

// ---- mistakes ----

TEST_F(OnnxLayers, MistakesNameNodeAndAttribute) {
    const auto kernel = [](onnx::NodeProto &n) { OnnxBuilder::ints(n, "kernel_shape", {2, 2}); };
    const auto pool = [&](const Attributes &more) {
        return error(one("MaxPool", {1, 2, 6, 6}, [&](auto &n) {
            kernel(n);
            more(n);
        }));
    };
    EXPECT_TRUE(has(error(one("MaxPool", {1, 2, 6, 6})), {"node_y", "kernel_shape", "missing"}));
    EXPECT_TRUE(has(pool([](auto &n) {
                        OnnxBuilder::ints(n, "pads", {1, 1, 1});
                    }),
                    {"node_y", "pads has 3 numbers", "want 4"}));
    EXPECT_TRUE(has(pool([](auto &n) { OnnxBuilder::ints(n, "dilations", {1}); }),
                    {"node_y", "dilations has 1 numbers", "want 2"}));
    EXPECT_TRUE(has(pool([](auto &n) { OnnxBuilder::text(n, "auto_pad", "FULL"); }),
                    {"node_y", "auto_pad", "'FULL'", "SAME_LOWER"}));
    EXPECT_TRUE(has(pool([](auto &n) { OnnxBuilder::ints(n, "pads", {2, 0, 0, 0}); }), {"node_y", "no tap"}));
    const auto deconv = [&](const Attributes &attributes, const std::vector<int64_t> &weights) {
        OnnxBuilder builder = one("ConvTranspose", {1, 4, 5, 5}, attributes, {"w"});
        return error(builder.weights("w", weights));
    };
    EXPECT_TRUE(has(deconv({}, {3, 4, 3, 3}), {"node_y", "3 input channels", "has 4"}));
    EXPECT_TRUE(has(deconv([](auto &n) { OnnxBuilder::text(n, "auto_pad", "SAME"); }, {4, 3, 3, 3}),
                    {"node_y", "auto_pad", "'SAME'"}));
    EXPECT_TRUE(has(deconv([](auto &n) { OnnxBuilder::ints(n, "output_shape", {9}); }, {4, 3, 3, 3}),
                    {"node_y", "output_shape has 1 numbers", "want 2"}));
    EXPECT_TRUE(has(deconv(
                        [](auto &n) {
                            OnnxBuilder::ints(n, "output_padding", {0, -1});
                        },
                        {4, 3, 3, 3}),
                    {"node_y", "output_padding is [0, -1]"}));
    OnnxBuilder deform = one("DeformConv", {1, 4, 5, 5}, {}, {"w", "offset"}, 19);
    deform.weights("w", {2, 4, 2, 2}).input("offset", {1, 8, 5, 5});
    EXPECT_TRUE(has(error(deform), {"node_y", "offset is [1, 8, 5, 5]", "want [1, 8, 4, 4]"}));
}

TEST_F(OnnxLayers, MistakesOfOtherOperatorsNameThem) {
    const auto pad = [&](const std::vector<int64_t> &pads, const std::string &mode) {
        OnnxBuilder builder =
            one("Pad", {1, 2, 4, 4}, [&](auto &n) { OnnxBuilder::text(n, "mode", mode); }, {"pads"});
        add_integers(builder, "pads", pads);
        return error(builder);
    };
    EXPECT_TRUE(has(pad({1, 1, 1, 1}, "edge"), {"node_y", "pads has 4 numbers", "want 8"}));
    EXPECT_TRUE(has(pad({0, 0, 1, 1, 0, 0, 1, 1}, "mirror"), {"node_y", "mode", "'mirror'", "reflect"}));
    EXPECT_TRUE(has(pad({0, 0, 4, 0, 0, 0, 0, 0}, "reflect"), {"node_y", "axis h", "at most 3"}));
    EXPECT_TRUE(has(error(one("DepthToSpace", {1, 8, 4, 4},
                              [](auto &n) {
                                  OnnxBuilder::integer(n, "blocksize", 2);
                                  OnnxBuilder::text(n, "mode", "RCD");
                              })),
                    {"node_y", "mode", "'RCD'", "CRD"}));
    OnnxBuilder norm;
    norm.input("x", {1, 2, 4, 4}).output("y");
    add_batch_norm(norm, "x", "y", 3);
    EXPECT_TRUE(has(error(norm), {"node_y", "scale has 3 elements", "want 2"}));
}

} // namespace
} // namespace convsmith
