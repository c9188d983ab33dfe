// Layers of an ONNX model that become one: depthwise and pointwise pairs, squeeze-and-excitation; and sums
// and products of computed values that stay alone. Each model is computed by the oracle as imported and one
// layer per operation: the numbers must agree.
#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "generators/signature.h"
#include "runtime/frontend/onnx_layers.h"
#include "runtime/oracle.h"
#include "tests/onnx_fixture.h"

namespace convsmith {
namespace {

using frontend::OnnxGraph;
using frontend::OnnxLayer;

class OnnxComposites : public OnnxImport {
protected:
    static ImportOptions together() {
        ImportOptions options;
        options.composites = true;
        return options;
    }

    static std::vector<OnnxLayer> layers(const OnnxBuilder &builder,
                                         const ImportOptions &options = together()) {
        return frontend::read_layers(OnnxGraph("model.onnx", builder.model), options).layers;
    }

    static std::vector<std::string> keys(const std::vector<OnnxLayer> &layers) {
        std::vector<std::string> keys;
        for (const OnnxLayer &one : layers)
            keys.push_back(one.layer.desc.key());
        return keys;
    }

    static std::string canonical(const std::string &key) { return ConvDesc::parse(key).key(); }

    /// Computes the value `output` from random inputs, layer after layer.
    static std::vector<double> computed(const std::vector<OnnxLayer> &layers, const std::string &output) {
        std::map<std::string, Tensor> values;
        for (const OnnxLayer &one : layers) {
            const ConvDesc &desc = one.layer.desc;
            NamedTensors tensors;
            for (const TensorSpec &spec : tensor_specs(desc, Packing())) {
                const auto value = one.computed.find(spec.name);
                if (spec.role == TensorRole::Output)
                    continue;
                if (value == one.computed.end()) {
                    tensors[spec.name] = one.layer.values(spec.name)->view();
                    continue;
                }
                Tensor &tensor = values[value->second];
                if (tensor.data() == nullptr) { // an input of the graph
                    tensor = Tensor(spec.dtype, spec.shape);
                    fill(tensor, Fill::SmallIntegers, value->second.size());
                }
                tensors[spec.name] = TensorView(tensor.data(), spec.dtype, spec.shape); // a gate has no axes
            }
            Tensor result(desc.out_type, written_shape(desc));
            for (int64_t i = 0; i < result.elements(); ++i)
                result.set(i, oracle_at(desc, tensors, i).value);
            values[one.output] = std::move(result);
        }
        std::vector<double> numbers;
        for (int64_t i = 0; i < values[output].elements(); ++i)
            numbers.push_back(values[output].get(i));
        return numbers;
    }

    static void expect_same_numbers(const OnnxBuilder &builder) {
        const std::vector<double> joined = computed(layers(builder), "y");
        const std::vector<double> separate = computed(layers(builder, ImportOptions()), "y");
        ASSERT_EQ(joined.size(), separate.size());
        ASSERT_FALSE(joined.empty());
        for (size_t i = 0; i < joined.size(); ++i)
            ASSERT_NEAR(joined[i], separate[i], 1e-4 * (1 + std::abs(separate[i]))) << i;
    }
};

/// x [1][4][6][5] -> depthwise 3x3 -> relu -> d.
OnnxBuilder depthwise() {
    OnnxBuilder builder;
    builder.input("x", {1, 4, 6, 5}).weights("w", {4, 1, 3, 3}).constant("b", {4}, {1, 2, 3, 4});
    onnx::NodeProto &conv = builder.node("Conv", {"x", "w", "b"}, "c");
    OnnxBuilder::integer(conv, "group", 4);
    OnnxBuilder::ints(conv, "pads", {1, 1, 1, 1});
    builder.node("Relu", {"c"}, "d");
    return builder;
}

/// depthwise() -> pointwise to 6 channels -> `output`.
OnnxBuilder pair(const std::string &output) {
    OnnxBuilder builder = depthwise();
    builder.weights("w2", {6, 4, 1, 1}).constant("b2", {6}, {1, 0, 0, 0, 0, 9});
    builder.node("Conv", {"d", "w2", "b2"}, output);
    return builder;
}

TEST_F(OnnxComposites, DepthwiseAndPointwiseAreOneLayer) {
    OnnxBuilder builder = pair("p");
    builder.node("HardSwish", {"p"}, "y");
    builder.output("y");
    const Network network = import(builder, together());
    ASSERT_EQ(network.layers.size(), 1u);
    const Layer &layer = network.layers[0];
    EXPECT_EQ(layer.name, "node_c+node_p");
    EXPECT_EQ(layer.desc.key(),
              canonical("conv_ci4_i6x5_co4_k3_p1_g4_nchw_bias_relu_then_conv_co6_k1_bias_hard_swish"));
    EXPECT_EQ(layer.values("bias")->get(3), 4);
    EXPECT_EQ(layer.values("bias2")->get(5), 9);
    EXPECT_EQ(layer.values("filter")->shape(), (std::vector<int64_t>{4, 1, 3, 3}));
    EXPECT_EQ(layer.values("filter2")->shape(), (std::vector<int64_t>{6, 4, 1, 1}));
    EXPECT_TRUE(network.skipped.empty());
    expect_same_numbers(builder);
}

TEST_F(OnnxComposites, APairMayAddAnEarlierValue) {
    OnnxBuilder builder = pair("p");
    builder.input("r", {1, 6, 6, 5}).node("Add", {"p", "r"}, "y");
    builder.output("y");
    const std::vector<OnnxLayer> made = layers(builder);
    ASSERT_EQ(made.size(), 1u);
    EXPECT_EQ(made[0].computed.at("residual2"), "r");
    EXPECT_EQ(made[0].computed.at("input"), "x");
    expect_same_numbers(builder);
}

TEST_F(OnnxComposites, APairCanWriteItsPartOfAConcatenation) {
    OnnxBuilder builder = pair("p");
    builder.weights("w3", {2, 4, 1, 1}).node("Conv", {"x", "w3"}, "q");
    OnnxBuilder::integer(builder.node("Concat", {"q", "p"}, "y"), "axis", 1);
    builder.output("y");
    const std::vector<std::string> made = keys(layers(builder));
    ASSERT_EQ(made.size(), 2u);
    EXPECT_EQ(made[0], canonical("conv_ci4_i6x5_co4_k3_p1_g4_nchw_bias_relu_then_conv_co6_k1_into8x2_bias"));
}

TEST_F(OnnxComposites, WhatOthersReadIsComputedByItself) {
    OnnxBuilder twice = pair("y");
    twice.node("Sigmoid", {"d"}, "z");
    twice.output("y").output("z");
    EXPECT_EQ(layers(twice).size(), 3u);
    OnnxBuilder shown = pair("y");
    shown.output("y").output("d");
    EXPECT_EQ(layers(shown).size(), 2u);
    OnnxBuilder wide = depthwise(); // a 3x3 convolution is not pointwise
    wide.weights("w2", {6, 4, 3, 3}).node("Conv", {"d", "w2"}, "y");
    wide.output("y");
    EXPECT_EQ(layers(wide).size(), 2u);
    OnnxBuilder builder = pair("y");
    builder.output("y");
    EXPECT_EQ(layers(builder, ImportOptions()).size(), 2u);
}

/// depthwise() times what two pointwise convolutions make of its means; `product` in either order of factors.
OnnxBuilder squeeze_and_excite(const std::vector<std::string> &product) {
    OnnxBuilder builder = depthwise();
    builder.weights("w1", {2, 4, 1, 1}).weights("w2", {4, 2, 1, 1});
    builder.constant("b1", {2}, {1, 2}).constant("b2", {4}, {-60, -50, -40, -30});
    builder.node("GlobalAveragePool", {"d"}, "s0");
    builder.node("Conv", {"s0", "w1", "b1"}, "s1");
    builder.node("Relu", {"s1"}, "s2");
    builder.node("Conv", {"s2", "w2", "b2"}, "s3");
    builder.node("HardSigmoid", {"s3"}, "gate");
    builder.node("Mul", product, "m");
    return builder;
}

TEST_F(OnnxComposites, SqueezeAndExcitationIsOneLayer) {
    for (const std::vector<std::string> &product :
         {std::vector<std::string>{"d", "gate"}, std::vector<std::string>{"gate", "d"}}) {
        OnnxBuilder builder = squeeze_and_excite(product);
        builder.node("Relu", {"m"}, "y");
        builder.output("y");
        const Network network = import(builder, together());
        EXPECT_TRUE(network.skipped.empty());
        ASSERT_EQ(network.layers.size(), 2u);
        EXPECT_EQ(network.layers[1].name, "node_m");
        EXPECT_EQ(network.layers[1].desc.key(),
                  canonical("excite_ci4_i6x5_nchw_relu_of_avgpool_k6x5_then_conv_co2_k1_bias_relu_then_"
                            "conv_co4_k1_bias_hard_sigmoid"));
        EXPECT_EQ(network.layers[1].values("bias3")->get(0), -60);
        EXPECT_EQ(layers(builder)[1].computed.at("input"), "d");
        expect_same_numbers(builder);
    }
}

TEST_F(OnnxComposites, AGateThatOthersReadIsATensorOfTheProduct) {
    OnnxBuilder builder = squeeze_and_excite({"gate", "d"});
    builder.node("Relu", {"m"}, "y");
    builder.output("y").output("gate");
    const std::vector<OnnxLayer> made = layers(builder);
    ASSERT_EQ(made.size(), 5u);
    EXPECT_EQ(made[4].layer.desc.key(), canonical("identity_ci4_i6x5_nchw_gate_relu"));
    EXPECT_EQ(made[4].computed.at("gate"), "gate");
    EXPECT_EQ(made[4].computed.at("input"), "d");
}

TEST_F(OnnxComposites, AGateThatIsReadyJoinsTheConvolution) {
    OnnxBuilder builder;
    builder.input("x", {2, 4, 6, 5}).input("g", {2, 6, 1, 1}).weights("w", {6, 4, 1, 1});
    builder.node("Conv", {"x", "w"}, "c");
    builder.node("Mul", {"g", "c"}, "y");
    builder.output("y");
    const std::vector<OnnxLayer> made = layers(builder);
    ASSERT_EQ(made.size(), 1u);
    EXPECT_EQ(made[0].layer.desc.key(), canonical("conv_n2_ci4_i6x5_co6_k1_nchw_gate"));
    EXPECT_EQ(made[0].computed.at("gate"), "g");
}

TEST_F(OnnxComposites, ASumOfComputedValuesIsALayer) {
    OnnxBuilder builder;
    builder.input("x", {2, 4, 6, 5}).input("z", {2, 4, 6, 5});
    builder.node("Add", {"x", "z"}, "s");
    builder.node("Relu", {"s"}, "y");
    builder.output("y");
    const std::vector<OnnxLayer> made = layers(builder);
    ASSERT_EQ(made.size(), 1u);
    EXPECT_EQ(made[0].layer.desc.key(), canonical("identity_n2_ci4_i6x5_nchw_residual_relu"));
    EXPECT_EQ(made[0].computed.at("residual"), "z");
}

TEST_F(OnnxComposites, OtherSumsAndProductsAreListed) {
    const auto skipped = [&](const std::string &op, const std::vector<int64_t> &other) {
        OnnxBuilder builder;
        builder.input("x", {2, 4, 6, 5}).input("z", other);
        builder.node(op, {"x", "z"}, "y");
        builder.output("y");
        return import(builder, together()).skipped.size();
    };
    EXPECT_EQ(skipped("Add", {2, 4, 1, 5}), 1u);
    EXPECT_EQ(skipped("Mul", {2, 1, 6, 5}), 1u);
    EXPECT_EQ(skipped("Mul", {2, 4, 6, 5}), 1u);
    EXPECT_EQ(skipped("Add", {2, 4, 6, 5}), 0u);
    EXPECT_EQ(skipped("Mul", {2, 4, 1, 1}), 0u);
}

TEST_F(OnnxComposites, LayerListsHoldThem) {
    OnnxBuilder builder = pair("p");
    builder.node("Relu", {"p"}, "y");
    builder.output("y");
    const Network network = import(builder, together());
    const std::string path = dir_.path() / "layers.json";
    save_layer_list(network, path);
    const Network read = load_layer_list(path);
    ASSERT_EQ(read.layers.size(), 1u);
    EXPECT_EQ(read.layers[0].desc, network.layers[0].desc);
    EXPECT_EQ(read.layers[0].name, "node_c+node_p");
    std::ofstream(path) << R"({"layers": [{"name": "a", "op": "chain", "ic": 4, "ih": 6, "iw": 5}]})";
    EXPECT_TRUE(
        has(error_of([&] { load_layer_list(path); }), {"'a'", "key", "missing", "chain consists of"}));
}

} // namespace
} // namespace convsmith
