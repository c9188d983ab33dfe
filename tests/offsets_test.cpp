// Deformable convolution with offsets that no network should have: nothing outside the input is read, and
// such a tap contributes exactly zero. Every runner lays tensors against guard pages.
#include "generators/conv_shape.h"
#include "runtime/runner.h"

#include <gtest/gtest.h>

#include <iterator>
#include <limits>
#include <string>
#include <vector>

namespace convsmith {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Beyond every image; 2^31 and its neighbours are where a conversion to int wraps.
constexpr float kWildOffsets[] = {1e30F,
                                  -1e30F,
                                  std::numeric_limits<float>::quiet_NaN(),
                                  kInfinity,
                                  -kInfinity,
                                  std::numeric_limits<float>::max(),
                                  -std::numeric_limits<float>::max(),
                                  2147483648.0F,
                                  -2147483648.0F,
                                  4294967296.0F};
constexpr int64_t kWildCount = std::size(kWildOffsets);

/// Vectors of channels and single ones, both layouts, one to three dimensions, with and without mask.
const char *const kKeys[] = {
    "deform_ci16_i6x7_co8_k3_p1_og2_mask_bias",
    "deform_n2_ci3_i5x6_co5_k3x2_s2x1_p1_mask_nchw",
    "deform_ci8_i9_co4_k3_p1_mask",
    "deform_ci2_i4x4x3_co3_k2_p1_f64",
    "deform_n0_ci4_i0x0_co8_k3_p1_bias",
};

const char *const kTargets[] = {"host", "x86_64", "arm_neon"};

ConvDesc closed(const char *key) {
    const ConvDesc desc = ConvDesc::parse(key);
    return with_sizes(desc, resolve_sizes(desc, desc.is_open() ? Sizes{2, {5, 6}} : Sizes()));
}

Target target_of(const std::string &name) {
    return name == "host" ? host_target() : parse_target(name);
}

/// Results of one problem for each of kKeys, all without an error.
std::vector<RunResult> run_all(const std::string &target_name, const std::vector<Problem> &problems) {
    const Target target = target_of(target_name);
    JitOptions options;
    options.cache_dir = "-";
    std::vector<RunJob> jobs;
    for (size_t i = 0; i < problems.size(); i++) {
        const ConvDesc desc = ConvDesc::parse(kKeys[i]);
        jobs.push_back(RunJob{desc, make_plan(desc, target), &problems[i]});
    }
    std::vector<RunResult> results = make_runner(target, options)->run(jobs);
    for (size_t i = 0; i < results.size(); i++)
        EXPECT_EQ(results[i].error, "") << kKeys[i];
    return results;
}

bool can_run(const std::string &target_name) {
    try {
        make_runner(target_of(target_name));
        return true;
    } catch (const Error &) {
        return false;
    }
}

/// Which element of the mask belongs to the offset at a flat index, and which of its coordinates that is.
struct Tap {
    int64_t mask_index;
    int64_t coordinate;
};

Tap tap_of_offset(const ConvDesc &desc, int64_t i) {
    if (desc.in_layout == Layout::ChannelsLast)
        return {i / desc.rank, i % desc.rank};
    const int64_t positions = spatial_product(out_extents(desc), desc.rank);
    return {i / (positions * desc.rank) * positions + i % positions, i / positions % desc.rank};
}

class WildOffsets : public testing::TestWithParam<const char *> {
protected:
    void SetUp() override {
        if (!can_run(GetParam()))
            GTEST_SKIP() << "this machine has no runner for " << GetParam();
    }
};

TEST_P(WildOffsets, EverywhereLeaveOnlyTheEpilogue) {
    std::vector<Problem> problems;
    for (const char *key : kKeys) {
        problems.push_back(make_problem(closed(key), Fill::Uniform, 1));
        Tensor &offset = problems.back()["offset"];
        for (int64_t i = 0; i < offset.elements(); i++)
            offset.set(i, kWildOffsets[i % kWildCount]);
    }
    const std::vector<RunResult> results = run_all(GetParam(), problems);
    for (size_t k = 0; k < problems.size(); k++) {
        const ConvDesc &desc = problems[k].desc;
        for (int64_t i = 0; i < results[k].output.elements(); i++) {
            const double bias = desc.epilogue.empty() ? 0 : problems[k]["bias"].get(i % desc.co); // nhwc
            ASSERT_EQ(results[k].output.get(i), bias) << kKeys[k] << " element " << i;
        }
    }
}

TEST_P(WildOffsets, AmongOthersContributeWhatAZeroMaskDoes) {
    std::vector<Problem> wild, masked;
    for (const char *key : kKeys) {
        const ConvDesc desc = closed(key);
        wild.push_back(make_problem(desc, Fill::Uniform, 2));
        masked.push_back(make_problem(desc, Fill::Uniform, 2));
        for (int64_t i = 0; desc.masked && i < wild.back()["offset"].elements(); i++) {
            // One coordinate of every fifth tap is wild; there the other problem's mask is zero.
            const Tap tap = tap_of_offset(desc, i);
            if (tap.mask_index % 5 != 0 || tap.mask_index / 5 % desc.rank != tap.coordinate)
                continue;
            wild.back()["offset"].set(i, kWildOffsets[tap.mask_index / 5 % kWildCount]);
            masked.back()["mask"].set(tap.mask_index, 0);
        }
    }
    const std::vector<RunResult> got = run_all(GetParam(), wild), want = run_all(GetParam(), masked);
    for (size_t k = 0; k < wild.size(); k++) {
        for (int64_t i = 0; i < got[k].output.elements(); i++)
            ASSERT_EQ(got[k].output.get(i), want[k].output.get(i)) << kKeys[k] << " element " << i;
    }
}

TEST_P(WildOffsets, AndThoseAtTheVeryEdgeMatchTheOracle) {
    // With padding 1 a tap stands at -1, 0, 1, ...: these move it just inside, onto and just beyond the first
    // and last cells.
    const float edges[] = {-1, 1, -0.99999994F, 0.99999994F, -1.0000001F, 1.0000001F, 1e-38F, -1e-38F, 2, 3,
                           4,  5, 5.9999995F,   6,           7,           -6};
    constexpr int64_t kEdges = std::size(edges);
    std::vector<Problem> problems;
    for (const char *key : kKeys) {
        problems.push_back(make_problem(closed(key), Fill::Uniform, 3));
        Tensor &offset = problems.back()["offset"];
        for (int64_t i = 0; i < offset.elements(); i++)
            offset.set(i, i % (kEdges + 1) < kEdges ? edges[i % (kEdges + 1)] : kWildOffsets[i % kWildCount]);
    }
    const std::vector<RunResult> results = run_all(GetParam(), problems);
    for (size_t k = 0; k < problems.size(); k++) {
        const Judgement judgement = judge(problems[k].desc, problems[k].view(), results[k].output.view());
        EXPECT_TRUE(judgement.ok()) << kKeys[k] << ": " << judgement.first_wrong;
    }
}

INSTANTIATE_TEST_SUITE_P(Deform, WildOffsets, testing::ValuesIn(kTargets),
                         [](const auto &info) { return std::string(info.param); });

} // namespace
} // namespace convsmith
