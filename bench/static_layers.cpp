// See static_layers.h.
#include "bench/static_layers.h"

namespace convsmith {

const std::vector<StaticLayer> &static_layers() {
    static const std::vector<StaticLayer> table = {
        {"3x3, 56x56", "conv_ci64_i56x56_co64_k3_p1_bias_relu"},
        {"3x3, 28x28", "conv_ci128_i28x28_co128_k3_p1_bias_relu"},
        {"3x3, 14x14", "conv_ci256_i14x14_co256_k3_p1_bias_relu"},
        {"3x3, 7x7", "conv_ci512_i7x7_co512_k3_p1_bias_relu"},
        {"3x3 stride 2", "conv_ci128_i56x56_co128_k3_s2_p1_bias_relu"},
        {"3x3 Winograd, 56x56", "conv_ci64_i56x56_co64_k3_p1_bias_relu", Accuracy::Fast},
        {"3x3 Winograd, 14x14", "conv_ci256_i14x14_co256_k3_p1_bias_relu", Accuracy::Fast},
        {"1x1, 56x56", "conv_ci64_i56x56_co256_k1_bias_relu"},
        {"1x1, 14x14", "conv_ci256_i14x14_co1024_k1_bias_relu"},
        {"1x1, 7x7", "conv_ci512_i7x7_co2048_k1_bias"},
        {"1x1, 24 channels", "conv_ci144_i56x56_co24_k1_bias"},
        {"1x1 stride 2", "conv_ci256_i56x56_co512_k1_s2_bias"},
        {"first layer 7x7 stride 2", "conv_ci3_i224x224_co64_k7_s2_p3_bias_relu"},
        {"first layer 3x3 stride 2", "conv_ci3_i224x224_co32_k3_s2_p1_bias_relu6"},
        {"5x5", "conv_ci16_i28x28_co32_k5_p2_bias_relu"},
        {"depthwise 3x3, 112x112", "conv_ci32_i112x112_co32_k3_p1_g32_bias_relu6"},
        {"depthwise 3x3, 56x56", "conv_ci144_i56x56_co144_k3_p1_g144_bias_relu6"},
        {"depthwise 3x3, 14x14", "conv_ci576_i14x14_co576_k3_p1_g576_bias_relu6"},
        {"depthwise 3x3, 7x7", "conv_ci960_i7x7_co960_k3_p1_g960_bias_relu6"},
        {"depthwise 3x3 stride 2", "conv_ci96_i112x112_co96_k3_s2_p1_g96_bias_relu6"},
        {"depthwise 5x5", "conv_ci120_i28x28_co120_k5_p2_g120_bias_relu"},
        {"depthwise 3x3, channels first", "conv_ci144_i56x56_co144_k3_p1_g144_nchw_bias_relu6"},
        {"32 groups", "conv_ci128_i56x56_co128_k3_p1_g32_bias_relu"},
        {"4 groups", "conv_ci64_i28x28_co64_k3_p1_g4"},
        {"transposed 2x2", "deconv_ci256_i28x28_co128_k2_s2_bias"},
        {"transposed 3x3", "deconv_ci64_i56x56_co64_k3_s2_p1_o1_bias"},
        {"deformable", "deform_ci64_i38x63_co64_k3_p2_d2_og4_mask_relu"},
        {"1D", "conv_ci64_i1000_co64_k9_p4_bias"},
        {"3D", "conv_ci32_i8x28x28_co64_k3x3x3_p1_bias"},
        {"depthwise and 1x1 fused", "conv_ci64_i112x112_co64_k3_p1_g64_relu6_then_conv_co128_k1_bias"},
        {"fully connected", "conv_ci512_i1x1_co1000_k1_bias"},
    };
    return table;
}

std::vector<StaticLayer> static_layers(const std::vector<std::string> &keys, Accuracy accuracy) {
    std::vector<StaticLayer> rows;
    for (const std::string &key : keys)
        rows.push_back({key.c_str(), key.c_str(), accuracy});
    return rows.empty() ? static_layers() : rows;
}

} // namespace convsmith
