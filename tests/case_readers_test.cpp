// What the readers of single families of case files accept and refuse; check_test.cpp has what is common to
// all.
#include "runtime/check.h"
#include "runtime/frontend/case_files.h"
#include "runtime/temp_dir.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

namespace convsmith {
namespace {

TEST(CaseReaders, WrongFieldsOfPoolsAndPaddingAreNamed) {
    const TempDir files;
    const auto malformed = [&](const std::string &text) {
        std::ofstream(files.path() / "cases.json") << R"({"cases": [)" << text << "]}";
        return load_cases(files.path().string()).at(0).malformed;
    };
    const std::string input = R"("inputs": [{"role": "input", "shape": [1, 1, 1, 2], "data": [1, 2]}])";
    const std::string pool =
        R"({"op": "maxPool2d", )" + input + R"(, "expected": [], "expected_shape": [1, 1, 1, 0],
        "normalized": {"layout": "nchw", "pad_begin": [0, 0], "pad_end": [0, 0], "stride": [1, 1],
                       "dilation": [1, 1], "ceil_mode": 0, )";
    EXPECT_NE(
        malformed(pool + R"("k": [1], "count_include_pad": false}})").find("normalized.k': has 1 entries"),
        std::string::npos);
    EXPECT_NE(malformed(pool + R"("k": [1, 3], "count_include_pad": 1}})").find("count_include_pad': is 1"),
              std::string::npos);
    EXPECT_NE(
        malformed(pool + R"("k": [1, 3], "count_include_pad": false}})").find("effective kernel of axis w"),
        std::string::npos);
    const std::string pad =
        R"({"op": "pad", )" + input + R"(, "expected": [], "normalized": {"mode": "edge", )";
    EXPECT_NE(
        malformed(pad + R"("beginning": [1], "ending": [1]}})").find("want one for each of 4 dimensions"),
        std::string::npos);
    EXPECT_NE(
        malformed(pad +
                  R"("beginning": [0, 0, 0, 1], "ending": [0, 0, 0, 0]}, "expected_shape": [1, 1, 1, 2]})")
            .find("is not the padded shape [1][1][1][3]"),
        std::string::npos);
}

// TensorFlow: NHWC with [kh, kw, ci, co]; PyTorch and ONNX: NCHW with [co, ci, kh, kw], transposed [ci, co,
// kh, kw]. The same numbers in either order give the same filter and pass as they stand.
TEST(CaseReaders, LayoutsOfTensorFlowAndPyTorchAreReadAsTheyStand) {
    const TempDir files;
    const auto one = [](const std::string &op, const std::string &layout, const std::string &order,
                        const std::string &input, const std::string &filter, const std::string &expected) {
        return R"({"op": ")" + op + R"(", "normalized": {"layout": ")" + layout + R"(", "filter_layout": ")" +
               order + R"(", "pad_begin": [0, 0], "pad_end": [0, 0], "stride": [1, 1], "dilation": [1, 1],
                "groups": 1, "output_padding": [0, 0]}, "inputs": [)" +
               input + ", " + filter + "], " + expected + "}";
    };
    const std::string nhwc = R"({"role": "input", "shape": [1, 1, 2, 2], "data": [1, 10, 2, 20]})";
    const std::string nchw = R"({"role": "input", "shape": [1, 2, 1, 2], "data": [1, 2, 10, 20]})";
    const std::string hwio = R"({"role": "filter", "shape": [1, 1, 2, 3], "data": [1, 2, 3, 4, 5, 6]})";
    const std::string oihw = R"({"role": "filter", "shape": [3, 2, 1, 1], "data": [1, 4, 2, 5, 3, 6]})";
    const std::string iohw = R"({"role": "filter", "shape": [2, 3, 1, 1], "data": [1, 2, 3, 4, 5, 6]})";
    const std::string last = R"("expected_shape": [1, 1, 2, 3], "expected": [41, 52, 63, 82, 104, 126])";
    const std::string first = R"("expected_shape": [1, 3, 1, 2], "expected": [41, 82, 52, 104, 63, 126])";
    std::ofstream(files.path() / "cases.json")
        << R"({"cases": [)" << one("conv2d", "nhwc", "hwio", nhwc, hwio, last) << ","
        << one("conv2d", "nchw", "oihw", nchw, oihw, first) << ","
        << one("convTranspose2d", "nchw", "iohw", nchw, iohw, first) << "]}";
    const std::vector<ConformanceCase> cases = load_cases(files.path().string());
    ASSERT_EQ(cases.size(), 3u);
    for (const ConformanceCase &read : cases) {
        ASSERT_TRUE(read.is_runnable()) << read.malformed << read.skipped;
    }
    for (int64_t i = 0; i < 6; ++i) {
        EXPECT_EQ(cases[0].problem["filter"].get(i), cases[1].problem["filter"].get(i));
    }
    CheckOptions options;
    options.jit.cache_dir = "-";
    EXPECT_EQ(check_cases(files.path().string(), options).summary(), "3 passed, 0 failed, 0 skipped");
}

} // namespace
} // namespace convsmith
