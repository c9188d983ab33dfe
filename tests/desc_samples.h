// What the descriptor's tests share: a sample problem and expectations about error messages.
#pragma once

#include "generators/conv_desc.h"
#include "generators/error.h"
#include "tests/error_of.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace convsmith {

/// A 3x3 layer of ResNet-50 with bias and ReLU.
inline ConvDesc resnet_layer() {
    ConvDesc d;
    d.ci = d.co = 64;
    d.in = {56, 56};
    d.kernel = {3, 3};
    d.pad_begin = d.pad_end = {1, 1};
    d.epilogue = {epilogue_stage("bias"), epilogue_stage("relu")};
    return d;
}

/// `text` is one line and has every part.
inline void expect_contains(const std::string &text, const std::vector<std::string> &parts) {
    for (const std::string &part : parts)
        EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in: " << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
}

} // namespace convsmith
