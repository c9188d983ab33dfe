// Channels-first depthwise convolutions, whose vectors hold columns that a window does not: what is loaded
// beside a window reaches no result.
#include "tests/jit_support.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

namespace convsmith {
namespace {

/// Whether the window of output position `out` along one axis holds the input's position `in`.
bool holds(const ConvDesc &d, int axis, int out, int in) {
    const int tap = in + d.pad_begin[axis] - out * d.stride[axis];
    return tap >= 0 && tap < d.kernel[axis];
}

class Planewise : public ::testing::TestWithParam<const char *> {};

TEST_P(Planewise, AnInfinityReachesTheWindowsThatHoldItAndNoOther) {
    const ConvDesc d = ConvDesc::parse(GetParam());
    Jit jit(no_disk());
    const auto kernel = jit.kernel(d);
    Problem problem = make_problem(d, Fill::SmallIntegers, 3);
    auto *input = static_cast<float *>(problem["input"].data());
    const auto output_extents = output_shape(d);
    const int out_y = static_cast<int>(output_extents[2]), out_x = static_cast<int>(output_extents[3]);
    const int places_x[] = {0, 1, d.in[1] / 2, d.in[1] - 2, d.in[1] - 1};
    for (const int x : places_x) {
        const int y = d.in[0] / 2;
        float &element = input[(int64_t{1} * d.in[0] + y) * d.in[1] + x];
        const float before = element;
        element = std::numeric_limits<float>::infinity();
        const Tensor output = run(*kernel, problem);
        element = before;
        int reached = 0;
        for (int64_t i = 0; i < output.elements(); i++) {
            reached += std::isfinite(output.get(i)) ? 0 : 1;
            const int channel = static_cast<int>(i / (out_y * out_x));
            const int at_y = static_cast<int>(i / out_x % out_y), at_x = static_cast<int>(i % out_x);
            const bool may_be_infinite = channel == 1 && holds(d, 0, at_y, y) && holds(d, 1, at_x, x);
            ASSERT_TRUE(may_be_infinite || std::isfinite(output.get(i)))
                << "column " << x << " reached channel " << channel << ", row " << at_y << ", column "
                << at_x;
        }
        EXPECT_GT(reached, 0) << "column " << x;
    }
}

INSTANTIATE_TEST_SUITE_P(Depthwise, Planewise,
                         ::testing::Values("conv_ci3_i7x7_co3_k3_p1_g3_nchw",
                                           "conv_ci3_i9x19_co3_k5_p2_g3_nchw",
                                           "conv_ci3_i9x19_co3_k3_s2_p1_g3_nchw"));

} // namespace
} // namespace convsmith
