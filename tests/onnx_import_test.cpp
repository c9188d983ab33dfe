// The ONNX importer on small models made here: attributes of Conv, constants, sizes, what is listed instead
// of imported, and which files are refused with which words. Folding and fusing have onnx_fuse_test.cpp.
#include "generators/conv_shape.h"
#include "tests/onnx_fixture.h"

namespace convsmith {
namespace {

std::string key_of(const Network &network) {
    return network.layers.at(0).desc.key();
}

TEST_F(OnnxImport, DefaultsAreThoseOfTheStandard) {
    const Network network = import(conv_model().output("c"));
    EXPECT_EQ(key_of(network), "conv_n1_ci4_i9x8_co6_k3x3_s1x1_p0x0x0x0_d1x1_g1_f32_nchw_zeros");
    EXPECT_EQ(network.layers[0].name, "node_c");
    EXPECT_EQ(network.name, "model");
    EXPECT_TRUE(network.skipped.empty());
    ASSERT_TRUE(network.layers[0].values("filter"));
    EXPECT_EQ(network.layers[0].values("filter")->shape(), (std::vector<int64_t>{6, 4, 3, 3}));
    EXPECT_EQ(network.layers[0].values("filter")->get(17), 0.5);
    EXPECT_FALSE(network.layers[0].values("bias"));
}

TEST_F(OnnxImport, AttributesReachTheDescriptor) {
    const OnnxBuilder builder = conv_model([](onnx::NodeProto &conv) {
                                    OnnxBuilder::ints(conv, "strides", {2, 1});
                                    OnnxBuilder::ints(conv, "dilations", {1, 2});
                                    OnnxBuilder::ints(conv, "pads", {1, 2, 3, 4});
                                    OnnxBuilder::ints(conv, "kernel_shape", {3, 3});
                                }).output("c");
    EXPECT_EQ(key_of(import(builder)), "conv_n1_ci4_i9x8_co6_k3x3_s2x1_p1x2x3x4_d1x2_g1_f32_nchw_zeros");
}

TEST_F(OnnxImport, GroupsDivideTheInputChannels) {
    OnnxBuilder builder;
    builder.input("x", {2, 6, 5, 5}).weights("w", {12, 2, 1, 1}).output("c");
    OnnxBuilder::integer(builder.node("Conv", {"x", "w"}, "c"), "group", 3);
    EXPECT_EQ(key_of(import(builder)), "conv_n2_ci6_i5x5_co12_k1x1_s1x1_p0x0x0x0_d1x1_g3_f32_nchw_zeros");
}

TEST_F(OnnxImport, OneAndThreeSpatialDimensions) {
    OnnxBuilder one;
    one.input("x", {1, 2, 9}).weights("w", {3, 2, 4}).output("c").node("Conv", {"x", "w"}, "c");
    EXPECT_EQ(key_of(import(one)), "conv_n1_ci2_i9_co3_k4_s1_p0x0_d1_g1_f32_ncw_zeros");
    OnnxBuilder three;
    three.input("x", {1, 2, 5, 6, 7}).weights("w", {3, 2, 1, 2, 3}).output("c").node("Conv", {"x", "w"}, "c");
    EXPECT_EQ(key_of(import(three)),
              "conv_n1_ci2_i5x6x7_co3_k1x2x3_s1x1x1_p0x0x0x0x0x0_d1x1x1_g1_f32_ncdhw_zeros");
}

/// pad_begin and pad_end of both axes for a mode, strides 2x3 on 9x8 with an effective kernel of 3x5.
std::vector<int> auto_pads(const ConvDesc &desc) {
    return {desc.pad_begin[0], desc.pad_begin[1], desc.pad_end[0], desc.pad_end[1]};
}

TEST_F(OnnxImport, AutoPadModes) {
    const auto desc = [&](const std::string &mode) {
        const auto attributes = [&](onnx::NodeProto &conv) {
            OnnxBuilder::text(conv, "auto_pad", mode);
            OnnxBuilder::ints(conv, "strides", {2, 3});
            OnnxBuilder::ints(conv, "dilations", {1, 2});
            if (mode == "NOTSET") {
                OnnxBuilder::ints(conv, "pads", {1, 0, 0, 2});
            }
        };
        return import(conv_model(attributes).output("c")).layers.at(0).desc;
    };
    // Axis 0: 9 in, stride 2 -> 5 out need 4 * 2 + 3 = 11 cells: 2 more. Axis 1: 8 in, stride 3 -> 3 out need
    // 2 * 3 + 5 = 11 cells: 3 more, the odd one at the end (upper) or the begin (lower).
    EXPECT_EQ(auto_pads(desc("SAME_UPPER")), (std::vector<int>{1, 1, 1, 2}));
    EXPECT_EQ(auto_pads(desc("SAME_LOWER")), (std::vector<int>{1, 2, 1, 1}));
    EXPECT_EQ(auto_pads(desc("VALID")), (std::vector<int>{0, 0, 0, 0}));
    EXPECT_EQ(auto_pads(desc("NOTSET")), (std::vector<int>{1, 0, 0, 2}));
    EXPECT_EQ(out_extents(desc("SAME_LOWER"))[1], 3);
    const OnnxBuilder unknown =
        conv_model([](onnx::NodeProto &conv) { OnnxBuilder::text(conv, "auto_pad", "SAME"); }).output("c");
    EXPECT_TRUE(has(error(unknown), {"node_c", "auto_pad", "'SAME'", "SAME_UPPER"}));
}

TEST_F(OnnxImport, BiasIsTakenFromTheThirdInput) {
    OnnxBuilder builder;
    builder.input("x", {1, 1, 4, 4}).weights("w", {2, 1, 1, 1}).constant("b", {2}, {3, -4}).output("c");
    builder.node("Conv", {"x", "w", "b"}, "c");
    const Layer layer = import(builder).layers.at(0);
    EXPECT_EQ(layer.desc.epilogue, (Stages{{"bias", {}}}));
    ASSERT_TRUE(layer.values("bias"));
    EXPECT_EQ(layer.values("bias")->get(1), -4);
}

TEST_F(OnnxImport, WeightsMayBeConstantNodesAndTheirIdentity) {
    OnnxBuilder builder;
    builder.input("x", {1, 1, 4, 4}).output("c");
    builder.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
        onnx::TensorProto::DOUBLE);
    builder.graph().mutable_output(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
        onnx::TensorProto::DOUBLE);
    onnx::NodeProto &constant = builder.node("Constant", {}, "k");
    onnx::TensorProto &tensor =
        *OnnxBuilder::attribute(constant, "value", onnx::AttributeProto::TENSOR).mutable_t();
    tensor.set_data_type(onnx::TensorProto::DOUBLE);
    for (const int64_t dim : {2, 1, 1, 1}) {
        tensor.add_dims(dim);
    }
    tensor.add_double_data(0.1);
    tensor.add_double_data(-3);
    builder.node("Identity", {"k"}, "w");
    builder.node("Conv", {"x", "w"}, "c");
    const Network network = import(builder);
    EXPECT_TRUE(network.skipped.empty());
    EXPECT_EQ(network.layers.at(0).desc.weight_type, DType::F64);
    EXPECT_EQ(network.layers.at(0).values("filter")->get(0), 0.1);
}

TEST_F(OnnxImport, ComputedWeightsAndUnsupportedNodesAreListed) {
    OnnxBuilder builder;
    builder.input("x", {1, 2, 6, 6}).input("w", {2, 2, 1, 1}).weights("k", {2, 2, 2, 2}).output("y");
    builder.node("Conv", {"x", "w"}, "a");
    builder.node("LRN", {"a"}, "b");
    OnnxBuilder::integer(*builder.graph().mutable_node(1), "size", 3);
    builder.node("ConvInteger", {"b", "k"}, "c");
    builder.node("Twist", {"c"}, "d").set_domain("com.example");
    builder.node("Conv", {"d", "k"}, "y");
    const Network network = import(builder);
    EXPECT_TRUE(network.layers.empty());
    ASSERT_EQ(network.skipped.size(), 5u);
    EXPECT_TRUE(has(network.skipped[0].reason, {"'w'", "computed"}));
    EXPECT_TRUE(has(network.skipped[1].reason, {"no operation"}));
    EXPECT_TRUE(has(network.skipped[2].reason, {"quantised"}));
    EXPECT_TRUE(has(network.skipped[3].reason, {"com.example"}));
    EXPECT_TRUE(has(network.skipped[4].reason, {"node_d", "Twist", "'d'"}));
}

TEST_F(OnnxImport, HalfPrecisionWeightsAreListed) {
    OnnxBuilder builder = conv_model().output("c");
    builder.graph().mutable_initializer(0)->set_data_type(onnx::TensorProto::FLOAT16);
    EXPECT_TRUE(has(import(builder).skipped.at(0).reason, {"FLOAT16"}));
}

TEST_F(OnnxImport, ShapesGoThroughOtherNodesAndNewOperators) {
    OnnxBuilder builder(20);
    builder.input("x", {1, 2, -1, -1}).weights("w", {2, 2, 3, 3}).output("y");
    builder.node("Mish", {"x"}, "m");
    onnx::NodeProto &pool = builder.node("MaxPool", {"m"}, "p");
    OnnxBuilder::ints(pool, "kernel_shape", {2, 2});
    OnnxBuilder::ints(pool, "strides", {2, 2});
    builder.node("Conv", {"p", "w"}, "c");
    onnx::TensorProto &axes = *builder.graph().add_initializer();
    axes.set_name("axes");
    axes.set_data_type(onnx::TensorProto::INT64);
    axes.add_dims(2);
    axes.add_int64_data(2);
    axes.add_int64_data(3);
    builder.node("ReduceMean", {"c", "axes"}, "r"); // axes are an input since operator set 18
    builder.weights("w1", {5, 2, 1, 1}).node("Conv", {"r", "w1"}, "y");
    ImportOptions options;
    options.shapes["x"] = {1, 2, 20, 14};
    const Network network = import(builder, options);
    ASSERT_EQ(network.layers.size(), 4u);
    EXPECT_EQ(key_of(network), "identity_n1_ci2_i20x14_p0x0x0x0_f32_nchw_zeros_mish");
    EXPECT_EQ(network.layers[2].desc.key(),
              "conv_n1_ci2_i10x7_co2_k3x3_s1x1_p0x0x0x0_d1x1_g1_f32_nchw_zeros");
    EXPECT_EQ(network.layers[3].desc.key(), "conv_n1_ci2_i1x1_co5_k1x1_s1x1_p0x0x0x0_d1x1_g1_f32_nchw_zeros");
}

TEST_F(OnnxImport, OpenInputDimensionsAskForTheOption) {
    OnnxBuilder builder;
    builder.input("image", {-1, 4, 9, -1})
        .weights("w", {6, 4, 3, 3})
        .output("c")
        .node("Conv", {"image", "w"}, "c");
    EXPECT_TRUE(has(error(builder), {"'image'", "[open, 4, 9, open]", "--shape image="}));
    ImportOptions options;
    options.shapes["image"] = {1, 3, 9, 9};
    EXPECT_TRUE(has(error(builder, options), {"'image'", "[1, 3, 9, 9]", "[open, 4, 9, open]"}));
    options.shapes["image"] = {1, 4, 9};
    EXPECT_TRUE(has(error(builder, options), {"[1, 4, 9]"}));
    options.shapes = {{"picture", {1, 4, 9, 9}}, {"image", {1, 4, 9, 9}}};
    EXPECT_TRUE(has(error(builder, options), {"'picture'", "image"}));
    options.shapes = {{"image", {3, 4, 9, 7}}};
    EXPECT_EQ(key_of(import(builder, options)),
              "conv_n3_ci4_i9x7_co6_k3x3_s1x1_p0x0x0x0_d1x1_g1_f32_nchw_zeros");
}

TEST_F(OnnxImport, SizesStoredInTheModelDoNotOverrideTheGivenOnes) {
    OnnxBuilder builder;
    builder.input("x", {1, 2, -1, -1}).weights("w", {2, 2, 1, 1}).output("y");
    builder.node("Relu", {"x"}, "r");
    builder.node("Conv", {"r", "w"}, "y");
    OnnxBuilder other;
    other.input("r", {1, 2, 64, 64});
    *builder.graph().add_value_info() = other.graph().input(0);
    ImportOptions options;
    options.shapes["x"] = {1, 2, 8, 8};
    EXPECT_EQ(import(builder, options).layers.at(0).desc.in[0], 8);
}

TEST_F(OnnxImport, ContradictionsNameTheNode) {
    const auto with_attribute = [&](const std::function<void(onnx::NodeProto &)> &attributes) {
        return error(conv_model(attributes).output("c"));
    };
    EXPECT_TRUE(
        has(with_attribute([](auto &n) { OnnxBuilder::integer(n, "group", 3); }), {"node_c", "3 groups"}));
    EXPECT_TRUE(has(with_attribute([](auto &n) { OnnxBuilder::integer(n, "group", 0); }),
                    {"node_c", "group is [0]"}));
    EXPECT_TRUE(has(with_attribute([](auto &n) {
                        OnnxBuilder::ints(n, "kernel_shape", {5, 5});
                    }),
                    {"node_c", "kernel_shape", "[5, 5]", "[3, 3]"}));
    EXPECT_TRUE(has(with_attribute([](auto &n) {
                        OnnxBuilder::ints(n, "strides", {0, 1});
                    }),
                    {"strides", "[0, 1]"}));
    EXPECT_TRUE(
        has(with_attribute([](auto &n) { OnnxBuilder::ints(n, "strides", {1}); }), {"strides", "1 numbers"}));
    EXPECT_TRUE(has(with_attribute([](auto &n) {
                        OnnxBuilder::ints(n, "pads", {1, 1});
                    }),
                    {"pads", "2 numbers"}));
    EXPECT_TRUE(has(with_attribute([](auto &n) {
                        OnnxBuilder::ints(n, "pads", {-2, 0, 0, 0});
                    }),
                    {"node_c"}));
    EXPECT_TRUE(has(with_attribute([](auto &n) { OnnxBuilder::ints(n, "dilations", {9, 9}); }), {"node_c"}));
    EXPECT_TRUE(has(with_attribute([](auto &n) { OnnxBuilder::number(n, "group", 1); }),
                    {"'group'", "FLOAT", "INT"}));
}

TEST_F(OnnxImport, BrokenTensorsAndGraphsAreRefused) {
    OnnxBuilder short_data = conv_model().output("c");
    short_data.graph().mutable_initializer(0)->mutable_raw_data()->resize(100);
    EXPECT_TRUE(has(error(short_data), {"'w'", "25 elements", "216"}));
    OnnxBuilder external = conv_model().output("c");
    external.graph().mutable_initializer(0)->set_data_location(onnx::TensorProto::EXTERNAL);
    EXPECT_TRUE(has(error(external), {"'w'", "external"}));
    OnnxBuilder dangling = conv_model().output("c");
    dangling.graph().mutable_node(0)->set_input(0, "nowhere");
    EXPECT_TRUE(has(error(dangling), {"node_c", "'nowhere'"}));
    OnnxBuilder short_bias;
    short_bias.input("x", {1, 1, 4, 4}).weights("w", {2, 1, 1, 1}).constant("b", {3}, {1, 2, 3}).output("c");
    short_bias.node("Conv", {"x", "w", "b"}, "c");
    EXPECT_TRUE(has(error(short_bias), {"node_c", "bias has 3", "want 2"}));
}

TEST_F(OnnxImport, FileCutAnywhereIsRefused) {
    OnnxBuilder builder = with_tail([](OnnxBuilder &b) { b.node("Relu", {"c"}, "y"); });
    const std::string bytes = builder.model.SerializeAsString();
    ASSERT_EQ(error_of_bytes(bytes), "");
    for (size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_TRUE(has(error_of_bytes(bytes.substr(0, size)), {"ONNX model"}))
            << size << " of " << bytes.size();
    }
}

TEST_F(OnnxImport, OtherFilesAreRefused) {
    EXPECT_TRUE(has(error_of_bytes("hello, this is a text file, not a model\n"), {"no ONNX model"}));
    EXPECT_TRUE(has(error_of_bytes(std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16)), {"no ONNX model"}));
    EXPECT_TRUE(has(error_of_bytes("{\"layers\": []}"), {"no ONNX model"}));
    EXPECT_TRUE(has(error_of_bytes(std::string(5000, '\0')), {"no ONNX model"}));
    for (const std::string &path : {dir_.string(), (dir_.path() / "absent.onnx").string()}) {
        try {
            import_onnx(path);
            ADD_FAILURE() << path << " was imported";
        } catch (const Error &error) {
            EXPECT_EQ(error.code(), ErrorCode::Io);
            EXPECT_TRUE(has(error.what(), {path, "cannot read"}));
        }
    }
}

} // namespace
} // namespace convsmith
