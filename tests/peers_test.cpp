// Tests of the peers that bench compares with, against the oracle. A peer that is not here skips with the
// reason it gives.
#include "bench/peers/own_plan.h"
#include "bench/peers/peer.h"
#include "generators/conv_shape.h"
#include "tests/error_of.h"

#include <gtest/gtest.h>
#include <ostream>

namespace convsmith::bench {
namespace {

TEST(Peers, UnknownNameListsTheKnownOnes) {
    const std::string message = error_of([] { find_peer("mkl"); });
    EXPECT_NE(message.find("onednn, xnnpack"), std::string::npos) << message;
}

TEST(Peers, OwnPlanComputesWhatItIsAskedForAndSaysWhyNot) {
    const ConvDesc desc = ConvDesc::parse("conv_ci8_i6x6_co16_k3_p1_bias_relu");
    const Problem problem = make_problem(desc, Fill::Uniform, 1);
    PlanRequest request;
    request.variant = "direct";
    const Peer peer = make_own_plan_peer("db:x.jsonl", request, host_target());
    PreparedPeer prepared = std::get<PreparedPeer>(peer.prepare(desc, problem.view(), 1));
    EXPECT_EQ(prepared.implementation.rfind("direct/", 0), 0u) << prepared.implementation;
    const Tensor output = prepared.output();
    EXPECT_TRUE(judge(desc, problem.view(), output.view()).ok());
    prepared.call();
    EXPECT_TRUE(judge(desc, problem.view(), output.view()).ok()) << "calls write elsewhere";

    request.variant = "winograd";
    request.params["tile_p"] = 1000;
    const auto refused = std::get<NotPrepared>(
        make_own_plan_peer("default", request, host_target()).prepare(desc, problem.view(), 1));
    EXPECT_FALSE(refused.reason.empty());
}

struct PeerCase {
    std::string peer;
    std::string key;
};

std::ostream &operator<<(std::ostream &out, const PeerCase &one) {
    return out << one.peer << " on " << one.key;
}

/// Why an absent peer is absent.
std::string reason_of(const Peer &peer) {
    const Problem problem = make_problem(ConvDesc::parse("conv_ci1_i1_co1_k1"), Fill::Uniform, 1);
    return std::get<NotPrepared>(peer.prepare(problem.desc, problem.view(), 1)).reason;
}

class PeerComputes : public testing::TestWithParam<PeerCase> {};

TEST_P(PeerComputes, WhatTheOracleComputes) {
    const Peer &peer = find_peer(GetParam().peer);
    if (peer.version.empty())
        GTEST_SKIP() << reason_of(peer);
    const ConvDesc desc = ConvDesc::parse(GetParam().key);
    const Problem problem = make_problem(desc, Fill::Uniform, 7);
    const PeerResult result = peer.prepare(desc, problem.view(), 1);
    ASSERT_TRUE(std::holds_alternative<PreparedPeer>(result)) << std::get<NotPrepared>(result).reason;
    const auto &prepared = std::get<PreparedPeer>(result);
    prepared.call(); // a residual that is added in place must not leak into output()
    const Tensor output = prepared.output();
    const Judgement judgement = judge(desc, problem.view(), output.view());
    EXPECT_TRUE(judgement.ok()) << judgement.first_wrong;
    EXPECT_EQ(judgement.checked, output.elements());
}

INSTANTIATE_TEST_SUITE_P(
    Peers, PeerComputes,
    testing::Values(
        PeerCase{"onednn", "conv_ci8_i9x7_co16_k3_p1_bias_relu"},
        PeerCase{"onednn", "conv_ci8_i9x7_co16_k3x2_s2x1_p1x0x2x1_d1x2_nchw_bias_residual_relu"},
        PeerCase{"onednn", "conv_ci6_i9x7_co6_k3_p1_g6_bias_relu6"},
        PeerCase{"onednn", "conv_ci8_i12_co8_k3_d2_g2_bias_clamp_vm1p5_v1"},
        PeerCase{"onednn", "conv_ci4_i5x6x7_co8_k3_p1_bias_silu"},
        PeerCase{"onednn", "conv_n2_ci8_i9x7_co16_k1_hard_swish"},
        PeerCase{"onednn", "conv_ci8_i9x7_co16_k1_hard_sigmoid_v0p3_v0p4"},
        PeerCase{"onednn", "conv_ci8_i9x7_co16_k1_leaky_relu_v0p1"},
        PeerCase{"xnnpack", "conv_ci8_i9x7_co16_k3_p1_bias_relu"},
        PeerCase{"xnnpack", "conv_n2_ci8_i9x7_co16_k3x2_s2x1_p1x0x2x1_d1x2_bias"},
        PeerCase{"xnnpack", "conv_ci6_i9x7_co6_k3_p1_g6_bias_relu6"},
        PeerCase{"xnnpack", "conv_ci8_i12_co8_k3_d2_g2_clamp_vm1p5_v1"},
        PeerCase{"onednn", "deconv_ci8_i5x4_co16_k3_s2_p1_o1_bias_relu"},
        PeerCase{"onednn", "deconv_ci8_i5x4_co4_k3x2_s2x1_d1x2_g2_nchw"},
        PeerCase{"onednn", "maxpool_ci8_i9x9_k3_s2_p1"}, PeerCase{"onednn", "maxpool_ci10_i9x8_k3_s2_ceil"},
        PeerCase{"onednn", "maxpool_ci8_i9x9_k2_d2_nchw"}, PeerCase{"onednn", "avgpool_ci8_i9x9_k3_s2_p1"},
        PeerCase{"onednn", "avgpool_ci8_i9x9_k3_s2_p1_zeros"}, PeerCase{"onednn", "avgpool_ci16_i7x7_k7"},
        PeerCase{"onednn", "avgpool_ci6_i5x6x7_k2_s2_ceil"},
        PeerCase{"onednn", "conv_ci8_i9x7_co16_k3_p1_into32x8"},
        PeerCase{"onednn", "conv_ci8_i9x7_co16_k1_into32x8_nchw_relu"},
        PeerCase{"onednn", "conv_ci16_i9x7_co16_k3_p1_g16_bias_relu6_then_conv_co24_k1_bias"},
        PeerCase{"onednn", "conv_ci8_i9x7_co8_k1_residual_relu_then_maxpool_k2_s2_then_conv_co8_k3"},
        PeerCase{"xnnpack", "deconv_ci8_i5x4_co16_k3_s2_p1_o1_bias_relu"},
        PeerCase{"xnnpack", "deconv_ci8_i5_co4_k3_s2_d2_g2"},
        PeerCase{"xnnpack", "maxpool_ci8_i9x9_k3_s2_p1"}, PeerCase{"xnnpack", "maxpool_ci10_i9x8_k3_s2_ceil"},
        PeerCase{"xnnpack", "maxpool_ci8_i9x9_k2_d2"}, PeerCase{"xnnpack", "avgpool_ci8_i9x9_k3_s2_p1"},
        PeerCase{"xnnpack", "avgpool_n2_ci16_i7x7_k7"},
        PeerCase{"xnnpack", "conv_ci8_i9x7_co16_k3_p1_into32x8"},
        PeerCase{"xnnpack", "conv_ci16_i9x7_co16_k3_p1_g16_bias_relu6_then_conv_co24_k1_bias"},
        PeerCase{"onnxruntime", "conv_ci8_i9x7_co16_k3_p1_bias_relu"},
        PeerCase{"onnxruntime", "conv_n2_ci3_i9x7_co16_k3x2_s2x1_p1x0x2x1_d1x2_nchw_bias_residual_relu"},
        PeerCase{"onnxruntime", "conv_ci6_i9x7_co6_k3_p1_g6_bias_relu6"},
        PeerCase{"onnxruntime", "conv_ci16_i9x7_co32_k1_residual_silu"},
        PeerCase{"onnxruntime", "conv_ci4_i5x6x7_co8_k3_p1_bias_hard_sigmoid"},
        PeerCase{"onnxruntime", "conv_ci8_i12_co8_k3_p2_reflect_prelu"},
        PeerCase{"onnxruntime", "conv_ci8_i6x6_co8_k1_channel_scale_gate_gelu"},
        PeerCase{"onnxruntime", "conv_ci8_i5x5_co8_k1_shuffle2_relu"},
        PeerCase{"onnxruntime", "conv_ci8_i5x5_co8_k1_pixelshuffle2"},
        PeerCase{"onnxruntime", "conv_ci8_i9x7_co16_k3_p1_into32x8"},
        PeerCase{"onnxruntime", "deconv_ci8_i5x4_co16_k3_s2_p1_o1_bias_relu"},
        PeerCase{"onnxruntime", "deconv_ci8_i5x4_co4_k3x2_s2x1_d1x2_g2_nchw"},
        PeerCase{"onnxruntime", "deform_ci4_i6x6_co4_k3_p1_mask_bias"},
        PeerCase{"onnxruntime", "maxpool_ci10_i9x8_k3_s2_ceil"},
        PeerCase{"onnxruntime", "avgpool_ci8_i9x9_k3_s2_p1"},
        PeerCase{"onnxruntime", "avgpool_ci8_i9x9_k3_s2_p1_zeros"},
        PeerCase{"onnxruntime", "avgpool_ci16_i7x7_k7"}, PeerCase{"onnxruntime", "lppool_ci4_i7x7_k3_s2"},
        PeerCase{"onnxruntime", "identity_ci4_i5x5_p1_replicate_relu"},
        PeerCase{"onnxruntime", "conv_ci16_i9x7_co16_k3_p1_g16_bias_relu6_then_conv_co24_k1_bias"},
        PeerCase{"onnxruntime", "concat_ci8_i9x9_of_conv_co8_k1_relu_and_conv_co8_k1_relu_then_conv_co16_k3_"
                                "p1_relu_and_maxpool_k3_p1"},
        PeerCase{"onnxruntime", "excite_ci16_i6x6_of_avgpool_k6_then_conv_co8_k1_relu_then_conv_co16_k1_hard_"
                                "sigmoid_next_conv_co24_k1"}),
    [](const auto &info) { return info.param.peer + "_" + info.param.key; });

TEST(Peers, OnnxruntimeIsNotTimedWhileItReorders) {
    const Peer &peer = find_peer("onnxruntime");
    if (peer.version.empty())
        GTEST_SKIP() << reason_of(peer);
    const ConvDesc desc = ConvDesc::parse("conv_ci16_i9x7_co32_k3_p1_bias_residual_relu");
    const Problem problem = make_problem(desc, Fill::Uniform, 7);
    const PeerResult result = peer.prepare(desc, problem.view(), 1);
    ASSERT_TRUE(std::holds_alternative<PreparedPeer>(result)) << std::get<NotPrepared>(result).reason;
    const auto &prepared = std::get<PreparedPeer>(result);
    EXPECT_EQ(prepared.implementation.find("Reorder"), std::string::npos) << prepared.implementation;
    EXPECT_EQ(prepared.implementation.find("MaxPool"), std::string::npos) << prepared.implementation;
    EXPECT_GT(prepared.block(10), 0);
}

TEST(Peers, WhatAPeerCannotComputeHasAReason) {
    const PeerCase cases[] = {{"onednn", "conv_ci2_i5x5_co2_k3_p1_reflect"},
                              {"onednn", "conv_ci2_i5x5_co2_k3_f64"},
                              {"onednn", "conv_ci2_i5x5_co2_k3_selu"},
                              {"onednn", "conv_ci2_i5x5_co2_k3_relu_bias"},
                              {"onednn", "lppool_ci2_i5x5_k3"},
                              {"onednn", "maxpool_ci2_i5x5_k3_indices"},
                              {"onednn", "maxpool_ci2_i5x5_k3_p1_zeros"},
                              {"onednn", "conv_ci8_i5x5_co8_k1_shuffle2"},
                              {"onednn", "conv_ci2_i5x5_co2_k3_p1_g2_then_conv_co4_k1_selu"},
                              {"onednn", "concat_ci2_i5x5_of_conv_co2_k1_and_conv_co2_k3_p1"},
                              {"xnnpack", "avgpool_ci2_i5x5_k2_d2"},
                              {"xnnpack", "maxpool_ci2_i5x5_k3_p1_zeros"},
                              {"xnnpack", "identity_ci2_i5x5_relu"},
                              {"xnnpack", "conv_ci2_i5x5_co2_k3_nchw"},
                              {"xnnpack", "conv_ci2_i5x5x5_co2_k3"},
                              {"xnnpack", "conv_ci2_i5x5_co2_k3_bias_residual_relu"}};
    for (const PeerCase &one : cases) {
        const ConvDesc desc = ConvDesc::parse(one.key);
        const Problem problem = make_problem(desc, Fill::Uniform, 7);
        const PeerResult result = find_peer(one.peer).prepare(desc, problem.view(), 1);
        ASSERT_TRUE(std::holds_alternative<NotPrepared>(result)) << one.peer << " " << one.key;
        EXPECT_NE(std::get<NotPrepared>(result).reason, "");
    }
}

} // namespace
} // namespace convsmith::bench
