// Fixture of the importer's tests: a model is saved to a temporary directory and imported, or refused.
#pragma once

#include "generators/error.h"
#include "runtime/frontend/network.h"
#include "runtime/temp_dir.h"
#include "tests/error_of.h"
#include "tests/onnx_builder.h"

#include <fstream>
#include <functional>
#include <gtest/gtest.h>

namespace convsmith {

using Stages = std::vector<EpilogueStage>;

inline ::testing::AssertionResult has(const std::string &text, const std::vector<std::string> &parts) {
    for (const std::string &part : parts) {
        if (text.find(part) == std::string::npos) {
            return ::testing::AssertionFailure() << "'" << text << "' lacks '" << part << "'";
        }
    }
    return ::testing::AssertionSuccess();
}

class OnnxImport : public ::testing::Test {
protected:
    Network import(const OnnxBuilder &builder, const ImportOptions &options = ImportOptions()) const {
        const std::string path = dir_.path() / "model.onnx";
        builder.save(path);
        return import_onnx(path, options);
    }

    std::string error(const OnnxBuilder &builder, const ImportOptions &options = ImportOptions()) const {
        std::string message = error_of([&] { import(builder, options); });
        EXPECT_TRUE(has(message, {"model.onnx"}));
        return message;
    }

    std::string error_of_bytes(const std::string &bytes, const std::string &name = "model.onnx") const {
        const std::string path = dir_.path() / name;
        std::ofstream(path, std::ios::binary) << bytes;
        try {
            import_onnx(path);
        } catch (const Error &error) {
            EXPECT_TRUE(has(error.what(), {name}));
            return error.what();
        }
        return "";
    }

    TempDir dir_;
};

/// x [1][4][9][8] -> Conv 3x3 without padding, 6 channels -> c, which is the output unless nodes follow.
inline OnnxBuilder conv_model(const std::function<void(onnx::NodeProto &)> &attributes = {}) {
    OnnxBuilder builder;
    builder.input("x", {1, 4, 9, 8}).weights("w", {6, 4, 3, 3});
    onnx::NodeProto &conv = builder.node("Conv", {"x", "w"}, "c");
    if (attributes) {
        attributes(conv);
    }
    return builder;
}

/// conv_model followed by `follow`, which ends in value "y".
inline OnnxBuilder with_tail(const std::function<void(OnnxBuilder &)> &follow, int64_t opset = 13) {
    OnnxBuilder builder = conv_model();
    builder.model.mutable_opset_import(0)->set_version(opset);
    follow(builder);
    builder.output("y");
    return builder;
}

} // namespace convsmith
