// Every op on the target classes beside the host's own, as the feature table of README.md says: plain x86-64
// natively, 64-bit ARM under emulation. Keys: tests/data/*.txt.
#include "runtime/check.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

namespace convsmith {
namespace {

std::vector<Layer> all_layers() {
    std::vector<Layer> layers;
    for (const char *name : {"conv_shapes.txt", "variant_shapes.txt"}) {
        std::ifstream file(std::string(CONVSMITH_SOURCE_DIR "/tests/data/") + name);
        for (std::string key; std::getline(file, key);) {
            if (key.empty() || key[0] == '#')
                continue;
            Layer layer;
            layer.name = key;
            layer.desc = ConvDesc::parse(key);
            layers.push_back(layer);
        }
    }
    return layers;
}

class EveryKey : public testing::TestWithParam<const char *> {};

TEST_P(EveryKey, MatchesOracle) {
    CheckOptions options;
    options.target = parse_target(GetParam());
    options.jit.cache_dir = "-";
    try {
        options.runner = make_runner(options.target, options.jit);
    } catch (const Error &reason) {
        GTEST_SKIP() << reason.what();
    }
    const CheckReport report = check_layers(all_layers(), options);
    EXPECT_GT(report.passed, 120);
    for (const CheckOutcome &outcome : report.outcomes)
        EXPECT_EQ(outcome.verdict, Verdict::Passed) << outcome.name << ": " << outcome.detail;
}

INSTANTIATE_TEST_SUITE_P(Target, EveryKey, testing::Values("x86_64", "arm_neon"),
                         [](const auto &info) { return std::string(info.param); });

} // namespace
} // namespace convsmith
