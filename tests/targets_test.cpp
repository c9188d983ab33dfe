// Every op on the target classes beside the host's own, as the feature table of README.md says: plain x86-64
// natively, 64-bit ARM, AVX-512 and CUDA under emulation, OpenCL on whatever device there is. Keys:
// tests/data/*.txt.
#include "runtime/check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

namespace convsmith {
namespace {

/// A target class and the files of keys that it runs.
struct TargetKeys {
    const char *target;
    std::vector<const char *> files;
    std::vector<const char *> left_out = {}; ///< keys with one of these in them
};

std::ostream &operator<<(std::ostream &out, const TargetKeys &keys) {
    return out << keys.target;
}

std::vector<Layer> layers_of(const TargetKeys &keys) {
    std::vector<Layer> layers;
    const auto is_left_out = [&](const std::string &key) {
        return std::any_of(keys.left_out.begin(), keys.left_out.end(),
                           [&](const char *part) { return key.find(part) != std::string::npos; });
    };
    for (const char *name : keys.files) {
        std::ifstream file(std::string(CONVSMITH_SOURCE_DIR "/tests/data/") + name);
        for (std::string key; std::getline(file, key);) {
            if (key.empty() || key[0] == '#' || is_left_out(key))
                continue;
            Layer layer;
            layer.name = key;
            layer.desc = ConvDesc::parse(key);
            layers.push_back(layer);
        }
    }
    return layers;
}

class EveryKey : public testing::TestWithParam<TargetKeys> {};

TEST_P(EveryKey, MatchesOracle) {
    CheckOptions options;
    options.target = parse_target(GetParam().target);
    options.jit.cache_dir = "-";
    try {
        options.runner = make_runner(options.target, options.jit);
    } catch (const Error &reason) {
        GTEST_SKIP() << reason.what();
    }
    const CheckReport report = check_layers(layers_of(GetParam()), options);
    EXPECT_GT(report.passed, 50);
    for (const CheckOutcome &outcome : report.outcomes)
        EXPECT_EQ(outcome.verdict, Verdict::Passed) << outcome.name << ": " << outcome.detail;
}

/// Of a program for CPUs and of one for GPUs, which run side by side.
std::vector<TargetKeys> targets() {
#ifndef CONVSMITH_GPU_TARGETS
    return {{"x86_64", {"conv_shapes.txt", "variant_shapes.txt"}},
            {"arm_neon", {"conv_shapes.txt", "variant_shapes.txt"}},
            {"x86_avx512", {"wide_shapes.txt"}}};
#else
    // Of OpenCL kernels Halide writes constants as floats: doubles are refused.
    return {{"cuda", {"conv_shapes.txt", "variant_shapes.txt"}}, {"opencl", {"variant_shapes.txt"}, {"f64"}}};
#endif
}

INSTANTIATE_TEST_SUITE_P(Target, EveryKey, testing::ValuesIn(targets()),
                         [](const auto &info) { return std::string(info.param.target); });

} // namespace
} // namespace convsmith
