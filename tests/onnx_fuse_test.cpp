// What the ONNX importer folds into weights and bias, what it fuses into the epilogue, and what it must leave
// alone.
#include "tests/onnx_fixture.h"

#include <cmath>
#include <limits>
#include <set>

namespace convsmith {
namespace {

class OnnxFuse : public OnnxImport {};

TEST_F(OnnxFuse, BatchNormIsFoldedIntoWeightsAndBias) {
    OnnxBuilder builder;
    const std::vector<float> bias = {0.5, -1, 2}, gamma = {1.5, -0.25, 3}, beta = {0.125, 7, -2};
    const std::vector<float> mean = {0.3f, -0.2f, 11}, variance = {0.7f, 4, 1e-7f};
    const float epsilon = 0.001f;
    builder.input("x", {1, 2, 4, 4}).weights("w", {3, 2, 2, 2}).constant("b", {3}, bias).output("y");
    builder.constant("g", {3}, gamma)
        .constant("be", {3}, beta)
        .constant("m", {3}, mean)
        .constant("v", {3}, variance);
    builder.node("Conv", {"x", "w", "b"}, "c");
    OnnxBuilder::number(builder.node("BatchNormalization", {"c", "g", "be", "m", "v"}, "y"), "epsilon",
                        epsilon);
    const Network network = import(builder);
    EXPECT_TRUE(network.skipped.empty());
    const Layer &layer = network.layers.at(0);
    EXPECT_EQ(layer.desc.epilogue, (Stages{{"bias", {}}}));
    for (int co = 0; co < 3; ++co) {
        // Exact formula in double, one rounding to float: half a unit in the last place.
        const double scale = double(gamma[co]) / std::sqrt(double(variance[co]) + 0.001);
        const double want = (double(bias[co]) - mean[co]) * scale + beta[co];
        EXPECT_NEAR(layer.values("bias")->get(co), want, std::fabs(want) * 6e-8 * 2) << co;
        for (int i = 0; i < 8; ++i) {
            const double weight = 0.25 * ((co * 8 + i) % 16 + 1) * scale;
            EXPECT_NEAR(layer.values("filter")->get(co * 8 + i), weight, std::fabs(weight) * 6e-8 * 2)
                << co << " " << i;
        }
    }
}

TEST_F(OnnxFuse, PerChannelConstantsAreFoldedInOrder) {
    const OnnxBuilder builder = with_tail([](OnnxBuilder &b) {
        b.constant("two", {}, {2}).constant("shift", {6, 1, 1}, {1, 2, 3, 4, 5, 6});
        b.constant("scale", {1, 6, 1, 1}, {1, 2, 4, 8, 16, 32}).constant("four", {1}, {4});
        b.node("Mul", {"two", "c"}, "t0");
        b.node("Add", {"t0", "shift"}, "t1");
        b.node("Div", {"t1", "four"}, "t2");
        b.node("Sub", {"t2", "two"}, "t3");
        b.node("Mul", {"t3", "scale"}, "y");
    });
    const Network network = import(builder);
    EXPECT_TRUE(network.skipped.empty());
    const Layer &layer = network.layers.at(0);
    for (int co = 0; co < 6; ++co) {
        const double scale = std::ldexp(1.0, co); // ((2 c + shift) / 4 - 2) * scale
        EXPECT_EQ(layer.values("bias")->get(co), ((co + 1) / 4.0 - 2) * scale);
        EXPECT_EQ(layer.values("filter")->get(co * 36), 0.25 * (co * 36 % 16 + 1) / 2 * scale);
    }
}

TEST_F(OnnxFuse, ConstantAlongAnotherAxisIsNotFolded) {
    OnnxBuilder builder; // shape [6] broadcasts over the width, which is 6 as well as the channels
    builder.input("x", {1, 4, 8, 8})
        .weights("w", {6, 4, 3, 3})
        .constant("s", {6}, {1, 2, 3, 4, 5, 6})
        .output("y");
    builder.node("Conv", {"x", "w"}, "c");
    builder.node("Add", {"c", "s"}, "y");
    const Network network = import(builder);
    EXPECT_TRUE(network.layers.at(0).desc.epilogue.empty());
    ASSERT_EQ(network.skipped.size(), 1u);
    EXPECT_TRUE(has(network.skipped[0].reason, {"cannot be fused"}));
}

struct SingleCase {
    std::string op;
    int64_t opset;
    std::function<void(onnx::NodeProto &)> attributes;
    EpilogueStage want;
};

TEST_F(OnnxFuse, EachActivationOperatorIsFused) {
    const auto none = [](onnx::NodeProto &) {};
    const auto number = [](const char *name, float value) {
        return [=](onnx::NodeProto &node) { OnnxBuilder::number(node, name, value); };
    };
    const std::vector<SingleCase> cases = {
        {"Relu", 13, none, {"relu", {}}},
        {"Sigmoid", 13, none, {"sigmoid", {}}},
        {"Tanh", 13, none, {"tanh", {}}},
        {"LeakyRelu", 13, none, {"leaky_relu", {0.01}}},
        {"LeakyRelu", 13, number("alpha", 0.1f), {"leaky_relu", {0.1}}},
        {"Elu", 13, none, {"elu", {1}}},
        {"Elu", 13, number("alpha", 0.5f), {"elu", {0.5}}},
        {"Selu", 13, none, {"selu", {}}},
        {"HardSigmoid", 13, none, {"hard_sigmoid", {0.2, 0.5}}},
        {"HardSigmoid", 13, number("alpha", 0.25f), {"hard_sigmoid", {0.25, 0.5}}},
        {"HardSwish", 14, none, {"hard_swish", {}}},
        {"Mish", 18, none, {"mish", {}}},
        {"Gelu", 20, none, {"gelu", {}}},
        {"Gelu",
         20,
         [](onnx::NodeProto &n) { OnnxBuilder::text(n, "approximate", "tanh"); },
         {"fast_gelu", {}}},
        {"Clip",
         6,
         [](onnx::NodeProto &n) {
             OnnxBuilder::number(n, "min", 0);
             OnnxBuilder::number(n, "max", 6);
         },
         {"relu6", {}}},
    };
    for (const SingleCase &c : cases) {
        SCOPED_TRACE(c.op + " -> " + c.want.name);
        const Network network =
            import(with_tail([&](OnnxBuilder &b) { c.attributes(b.node(c.op, {"c"}, "y")); }, c.opset));
        EXPECT_TRUE(network.skipped.empty());
        EXPECT_EQ(network.layers.at(0).desc.epilogue, (Stages{c.want}));
    }
}

TEST_F(OnnxFuse, ClipWithConstantBoundsIsAClamp) {
    const auto clip = [&](std::vector<std::string> inputs) {
        return import(with_tail([&](OnnxBuilder &b) {
            b.constant("zero", {}, {0}).constant("six", {}, {6}).constant("low", {}, {-1.5f});
            b.node("Clip", inputs, "y");
        }));
    };
    EXPECT_EQ(clip({"c", "zero", "six"}).layers[0].desc.epilogue, (Stages{{"relu6", {}}}));
    EXPECT_EQ(clip({"c", "low", "six"}).layers[0].desc.epilogue, (Stages{{"clamp", {-1.5, 6}}}));
    EXPECT_EQ(clip({"c", "zero"}).layers[0].desc.epilogue, (Stages{{"relu", {}}}));
    const Network open = clip({"c", "", "six"});
    const double infinity = std::numeric_limits<double>::infinity();
    EXPECT_EQ(open.layers[0].desc.epilogue, (Stages{{"clamp", {-infinity, 6}}}));
    EXPECT_EQ(clip({"c", "six", "zero"}).layers[0].desc.epilogue, (Stages{{"clamp", {0, 0}}}));
    const Network unbounded = clip({"c"});
    EXPECT_TRUE(unbounded.layers[0].desc.epilogue.empty());
    EXPECT_TRUE(unbounded.skipped.empty());
}

TEST_F(OnnxFuse, SpelledOutActivationsAreRecognised) {
    using Follow = std::function<void(OnnxBuilder &)>;
    const auto hard_swish_after_product = [](OnnxBuilder &b) { // c * clip(c + 3, 0, 6) / 6
        b.node("Add", {"c", "three"}, "a");
        b.node("Clip", {"a", "zero", "six"}, "b");
        b.node("Mul", {"c", "b"}, "m");
        b.node("Div", {"m", "six"}, "y");
    };
    const auto hard_swish_by_sigmoid = [](OnnxBuilder &b) {
        onnx::NodeProto &node = b.node("HardSigmoid", {"c"}, "a");
        OnnxBuilder::number(node, "alpha", 1.0f / 6);
        OnnxBuilder::number(node, "beta", 0.5f);
        b.node("Mul", {"a", "c"}, "y");
    };
    const auto silu = [](OnnxBuilder &b) {
        b.node("Sigmoid", {"c"}, "a");
        b.node("Mul", {"c", "a"}, "y");
    };
    const auto mish = [](OnnxBuilder &b) {
        b.node("Softplus", {"c"}, "a");
        b.node("Tanh", {"a"}, "b");
        b.node("Mul", {"c", "b"}, "y");
    };
    const auto gelu = [](OnnxBuilder &b) {
        b.node("Div", {"c", "root2"}, "a");
        b.node("Erf", {"a"}, "b");
        b.node("Add", {"b", "one"}, "d");
        b.node("Mul", {"c", "d"}, "e");
        b.node("Mul", {"e", "half"}, "y");
    };
    const std::vector<std::pair<std::string, Follow>> cases = {{"hard_swish", hard_swish_after_product},
                                                               {"hard_swish", hard_swish_by_sigmoid},
                                                               {"silu", silu},
                                                               {"mish", mish},
                                                               {"gelu", gelu}};
    for (const auto &[name, follow] : cases) {
        SCOPED_TRACE(name);
        const Network network = import(with_tail([&, f = follow](OnnxBuilder &b) {
            b.constant("zero", {}, {0})
                .constant("one", {}, {1})
                .constant("three", {}, {3})
                .constant("six", {}, {6});
            b.constant("half", {}, {0.5f}).constant("root2", {}, {1.41421356f});
            f(b);
        }));
        EXPECT_TRUE(network.skipped.empty());
        EXPECT_EQ(network.layers.at(0).desc.epilogue, (Stages{{name, {}}}));
    }
}

TEST_F(OnnxFuse, AlmostAnActivationIsNotMistakenForOne) {
    const Network network = import(with_tail([](OnnxBuilder &b) {
        b.constant("three", {}, {3})
            .constant("zero", {}, {0})
            .constant("six", {}, {6})
            .constant("seven", {}, {7});
        b.node("Add", {"c", "three"}, "a");
        b.node("Clip", {"a", "zero", "six"}, "b");
        b.node("Mul", {"c", "b"}, "m");
        b.node("Div", {"m", "seven"}, "y");
    }));
    EXPECT_TRUE(network.layers.at(0).desc.epilogue.empty());
    EXPECT_EQ(network.layers.at(1).desc.epilogue, (Stages{{"relu6", {}}})); // the Clip alone
    EXPECT_EQ(network.skipped.size(), 3u);
}

TEST_F(OnnxFuse, ValuesWithOtherUsesAreNotFused) {
    OnnxBuilder two_uses = with_tail([](OnnxBuilder &b) {
        b.node("Relu", {"c"}, "y");
        b.node("LRN", {"c"}, "z");
    });
    EXPECT_TRUE(import(two_uses).layers.at(0).desc.epilogue.empty());
    OnnxBuilder is_output = with_tail([](OnnxBuilder &b) { b.node("Relu", {"c"}, "y"); });
    is_output.output("c");
    const Network network = import(is_output);
    EXPECT_TRUE(network.layers.at(0).desc.epilogue.empty());
    EXPECT_EQ(network.layers.at(1).desc.op, Op::Identity);
    EXPECT_EQ(network.layers[1].desc.epilogue, (Stages{{"relu", {}}}));
}

TEST_F(OnnxFuse, UseInsideASubgraphCountsAsUse) {
    OnnxBuilder builder = with_tail([](OnnxBuilder &b) {
        b.node("Relu", {"c"}, "y");
        onnx::NodeProto &branch = b.node("If", {"condition"}, "z");
        for (const char *name : {"then_branch", "else_branch"}) {
            onnx::GraphProto &graph =
                *OnnxBuilder::attribute(branch, name, onnx::AttributeProto::GRAPH).mutable_g();
            onnx::NodeProto &inner = *graph.add_node();
            inner.set_op_type("Neg");
            inner.add_input("c");
            inner.add_output("inner");
            graph.add_output()->set_name("inner");
        }
    });
    builder.constant("condition", {}, {1});
    const Network network = import(builder);
    EXPECT_TRUE(network.layers.at(0).desc.epilogue.empty());
    std::set<std::string> ops;
    for (const SkippedNode &node : network.skipped) {
        ops.insert(node.op);
    }
    EXPECT_EQ(ops, (std::set<std::string>{"If"}));
}

TEST_F(OnnxFuse, ResidualJoinsTheLaterOfTwoConvolutions) {
    OnnxBuilder builder;
    builder.input("x", {1, 4, 6, 6}).weights("w1", {4, 4, 1, 1}).weights("w2", {4, 4, 1, 1}).output("y");
    builder.node("Conv", {"x", "w1"}, "short");
    builder.node("Conv", {"x", "w2"}, "long");
    builder.node("Add", {"long", "short"}, "sum");
    builder.node("Relu", {"sum"}, "y");
    const Network network = import(builder);
    EXPECT_TRUE(network.skipped.empty());
    EXPECT_TRUE(network.layers.at(0).desc.epilogue.empty());
    EXPECT_EQ(network.layers.at(1).desc.epilogue, (Stages{{"residual", {}}, {"relu", {}}}));
}

TEST_F(OnnxFuse, BroadcastAdditionIsNoResidual) {
    OnnxBuilder builder;
    builder.input("x", {1, 4, 6, 6}).input("row", {1, 4, 1, 6}).weights("w", {4, 4, 1, 1}).output("y");
    builder.node("Conv", {"x", "w"}, "c");
    builder.node("Add", {"c", "row"}, "y");
    EXPECT_TRUE(import(builder).layers.at(0).desc.epilogue.empty());
}

} // namespace
} // namespace convsmith
