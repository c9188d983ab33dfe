// Layer lists, SPECs and whole-file input and output: what is read, what is refused and with which words, and
// that writing reads back. ONNX models have onnx_import_test.cpp.
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "runtime/frontend/file_io.h"
#include "runtime/frontend/network.h"
#include "runtime/temp_dir.h"
#include "tests/error_of.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace convsmith {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// True if `text` has every part.
::testing::AssertionResult has(const std::string &text, const std::vector<std::string> &parts) {
    for (const std::string &part : parts) {
        if (text.find(part) == std::string::npos) {
            return ::testing::AssertionFailure() << "'" << text << "' lacks '" << part << "'";
        }
    }
    return ::testing::AssertionSuccess();
}

class LayerList : public ::testing::Test {
protected:
    std::string write(const std::string &content, const std::string &name = "list.json") const {
        std::string path = dir_.path() / name;
        std::ofstream(path) << content;
        return path;
    }

    Network load(const json &layer) const { return load_layer_list(write(json{{"layers", {layer}}}.dump())); }

    std::string key(const json &layer) const { return load(layer).layers.at(0).desc.key(); }

    std::string error(const json &layer) const {
        return error_of([&] { load(layer); });
    }

    static json conv() {
        return {{"name", "a"}, {"op", "conv"},       {"n", 1}, {"ic", 8}, {"ih", 6}, {"iw", 5}, {"oc", 16},
                {"k", {3, 3}}, {"pad", {1, 1, 1, 1}}};
    }

    TempDir dir_;
};

json with(json layer, const std::string &field, const json &value) {
    layer[field] = value;
    return layer;
}

TEST_F(LayerList, FieldsBecomeTheDescriptor) {
    EXPECT_EQ(key(conv()), "conv_n1_ci8_i6x5_co16_k3x3_s1x1_p1x1x1x1_d1x1_g1_f32_nhwc_zeros");
}

TEST_F(LayerList, PairsAreJoinedOnRequestAsOftenAsBothRun) {
    const auto entry = [](const std::string &name, const std::string &key_text, int times) {
        return json{{"name", name}, {"key", key_text}, {"multiplicity", times}};
    };
    const std::string depthwise = "conv_ci8_i6x6_co8_k3_p1_g8_relu";
    const std::string path = write(json{
        {"layers",
         {entry("dw", depthwise, 4), entry("pw", "conv_ci8_i6x6_co4_k1", 3), entry("alone", depthwise, 1),
          entry("pool", "maxpool_ci8_i6x6_k2", 1), entry("late", "conv_ci8_i6x6_co4_k1", 1),
          entry("dw2", depthwise, 1), entry("strided", "conv_ci8_i6x6_co4_k1_s2", 1),
          entry("dw3", depthwise, 1), entry("other", "conv_ci4_i6x6_co4_k1", 1)}}}
                                       .dump());
    const auto text = [](const Network &network) {
        std::string all;
        for (const Layer &layer : network.layers)
            all += fmt::format("{} x{}, ", layer.name, layer.multiplicity);
        return all;
    };
    ImportOptions composites;
    composites.composites = true;
    const Network joined = load_spec(path, composites);
    EXPECT_EQ(text(joined),
              "dw x1, dw+pw x3, alone x1, pool x1, late x1, dw2 x1, strided x1, dw3 x1, other x1, ");
    EXPECT_EQ(joined.layers[1].desc, ConvDesc::parse(depthwise + "_then_conv_co4_k1"));
    EXPECT_EQ(load_spec(path).layers.size(), 9u) << "only on request";
}

TEST_F(LayerList, OneAndThreeAxesHaveTheirOwnExtentFields) {
    EXPECT_EQ(key({{"ic", 2}, {"iw", 9}, {"oc", 3}, {"k", {3}}, {"pad", {2, 0}}, {"dilation", {2}}}),
              "conv_n1_ci2_i9_co3_k3_s1_p2x0_d2_g1_f32_nwc_zeros");
    EXPECT_EQ(
        key({{"ic", 2}, {"id", 4}, {"ih", 5}, {"iw", 6}, {"oc", 3}, {"k", {1, 2, 3}}, {"stride", {1, 2, 1}}}),
        "conv_n1_ci2_i4x5x6_co3_k1x2x3_s1x2x1_p0x0x0x0x0x0_d1x1x1_g1_f32_ndhwc_zeros");
}

TEST_F(LayerList, PaddingListsBeginOfEveryAxisThenEnd) {
    const ConvDesc desc = load(with(conv(), "pad", {1, 2, 3, 4})).layers.at(0).desc;
    EXPECT_EQ(desc.pad_begin[0], 1);
    EXPECT_EQ(desc.pad_begin[1], 2);
    EXPECT_EQ(desc.pad_end[0], 3);
    EXPECT_EQ(desc.pad_end[1], 4);
}

TEST_F(LayerList, BatchNormCountsAsBias) {
    const auto stages = load(with(with(conv(), "bn", true), "activation", "relu")).layers.at(0).desc.epilogue;
    EXPECT_EQ(stages, (std::vector<EpilogueStage>{{"bias", {}}, {"relu", {}}}));
}

TEST_F(LayerList, ResidualComesBeforeTheActivation) {
    json layer = with(with(with(conv(), "bias", true), "add", true), "activation", "relu6");
    EXPECT_EQ(load(layer).layers.at(0).desc.epilogue,
              (std::vector<EpilogueStage>{{"bias", {}}, {"residual", {}}, {"relu6", {}}}));
    layer["activation"] = "relu";
    layer["add"] = "relu(relu(conv)+residual)";
    EXPECT_EQ(load(layer).layers.at(0).desc.epilogue,
              (std::vector<EpilogueStage>{{"bias", {}}, {"relu", {}}, {"residual", {}}, {"relu", {}}}));
}

TEST_F(LayerList, ActivationNamesMapToStages) {
    const auto stage = [&](const json &name) {
        return load(with(conv(), "activation", name)).layers.at(0).desc;
    };
    EXPECT_TRUE(stage("none").epilogue.empty());
    EXPECT_TRUE(stage(nullptr).epilogue.empty());
    EXPECT_EQ(stage("hardsigmoid").epilogue, (std::vector<EpilogueStage>{{"hard_sigmoid", {1.0 / 6, 0.5}}}));
    EXPECT_EQ(stage("hardswish").epilogue, (std::vector<EpilogueStage>{{"hard_swish", {}}}));
    for (const char *name : {"relu", "relu6", "tanh", "sigmoid", "silu", "gelu", "mish"}) {
        EXPECT_EQ(stage(name).epilogue, (std::vector<EpilogueStage>{{name, {}}}));
    }
    EXPECT_TRUE(
        has(error(with(conv(), "activation", "softmax")), {"list.json", "layer 0 'a'", "softmax", "relu6"}));
}

TEST_F(LayerList, OptionalFieldsChooseLayoutPaddingModeAndType) {
    json layer = with(with(conv(), "layout", "nchw2nhwc"), "dtype", "f64");
    layer["pad_mode"] = "constant";
    layer["pad_value"] = -1.5;
    EXPECT_EQ(key(layer), "conv_n1_ci8_i6x5_co16_k3x3_s1x1_p1x1x1x1_d1x1_g1_f64_nchw2nhwc_constant_vm1p5");
    EXPECT_TRUE(has(error(with(conv(), "layout", "nwc")), {"'layout'", "nwc", "nhwc"}));
    EXPECT_TRUE(has(error(with(conv(), "pad_mode", "mirror")), {"'pad_mode'", "mirror", "reflect"}));
    EXPECT_TRUE(has(error(with(conv(), "dtype", "float")), {"'dtype'", "float"}));
}

TEST_F(LayerList, WrongOutputExtentIsAnErrorWithGotAndWant) {
    EXPECT_EQ(key(with(with(conv(), "oh", 6), "ow", 5)), key(conv()));
    EXPECT_TRUE(has(error(with(conv(), "ow", 4)), {"list.json", "layer 0 'a'", "'ow' is 4", "want 5"}));
}

TEST_F(LayerList, WrongFieldsAreNamed) {
    EXPECT_TRUE(has(error(with(conv(), "ic", nullptr)), {"'a'", "'ic' is missing"}));
    EXPECT_TRUE(has(error(with(conv(), "ic", "8")), {"'ic'", "\"8\"", "integer"}));
    EXPECT_TRUE(has(error(with(conv(), "ic", 8.5)), {"'ic'", "8.5"}));
    EXPECT_TRUE(has(error(with(conv(), "ic", 1LL << 40)), {"'ic'", "1099511627776"}));
    EXPECT_TRUE(has(error(with(conv(), "k", json::array())), {"'k'", "1 to 3"}));
    EXPECT_TRUE(has(error(with(conv(), "stride", {1})), {"'stride'", "[1]", "2 numbers"}));
    EXPECT_TRUE(has(error(with(conv(), "pad", {1, 1})), {"'pad'", "4 numbers"}));
    EXPECT_TRUE(has(error(with(conv(), "id", 3)), {"'id'", "3"}));
    EXPECT_TRUE(has(error(with(conv(), "bias", 1)), {"'bias'", "true or false"}));
    EXPECT_TRUE(has(error(with(conv(), "groups", 3)), {"layer 0 'a'", "groups"}));
    EXPECT_TRUE(has(error(with(conv(), "multiplicity", 0)), {"'multiplicity' is 0"}));
    EXPECT_TRUE(has(error(json(3)), {"layer 0", "number", "object"}));
}

TEST_F(LayerList, FilesThatAreNoLayerListAreRefused) {
    const auto refused = [&](const std::string &content) {
        const std::string path = write(content);
        return error_of([&] { load_layer_list(path); });
    };
    EXPECT_TRUE(has(refused("{\"layers\": ["), {"list.json", "JSON"}));
    EXPECT_TRUE(has(refused(""), {"list.json"}));
    EXPECT_TRUE(has(refused("[1, 2]"), {"array", "layers"}));
    EXPECT_TRUE(has(refused("{\"layer\": []}"), {"'layers'", "missing"}));
    const std::string absent = dir_.path() / "absent.json";
    EXPECT_TRUE(
        has(error_of([&] { load_layer_list(absent); }, ErrorCode::Io), {"absent.json", "No such file"}));
    EXPECT_TRUE(has(error_of([&] { load_layer_list(dir_.path()); }, ErrorCode::Io), {"directory"}));
}

TEST_F(LayerList, UnknownOpsAndSumsAreSkippedWithAReason) {
    json list = {{"layers", {{{"name", "p"}, {"op", "lrn"}}, with(conv(), "add", "concat"), conv()}}};
    const Network network = load_layer_list(write(list.dump()));
    EXPECT_EQ(network.layers.size(), 1u);
    ASSERT_EQ(network.skipped.size(), 2u);
    EXPECT_EQ(network.skipped[0].op, "lrn");
    EXPECT_TRUE(has(network.skipped[1].reason, {"concat"}));
}

TEST_F(LayerList, ActivationOfTheInputIsALayerBefore) {
    const Network network = load(with(with(conv(), "pre", "relu"), "multiplicity", 2));
    ASSERT_EQ(network.layers.size(), 2u);
    EXPECT_EQ(network.layers[0].name, "a.pre");
    EXPECT_EQ(network.layers[0].desc, ConvDesc::parse("identity_ci8_i6x5_relu"));
    EXPECT_EQ(network.layers[0].multiplicity, 2);
    EXPECT_EQ(network.layers[1].desc.key(), key(conv()));
    EXPECT_TRUE(has(error(with(conv(), "pre", "softmax")), {"'pre'", "softmax", "relu"}));
}

TEST_F(LayerList, EveryOpIsALayer) {
    json pool = {{"op", "maxpool"}, {"ic", 8}, {"ih", 6}, {"iw", 5}, {"k", {3, 3}}, {"stride", {2, 2}}};
    EXPECT_EQ(key(with(pool, "ceil_mode", true)), ConvDesc::parse("maxpool_ci8_i6x5_k3_s2_ceil").key());
    pool["op"] = "avgpool";
    pool["pad"] = {1, 1, 1, 1};
    EXPECT_EQ(key(pool), ConvDesc::parse("avgpool_ci8_i6x5_k3_s2_p1").key());
    EXPECT_EQ(key(with(pool, "count_include_pad", true)),
              ConvDesc::parse("avgpool_ci8_i6x5_k3_s2_p1_zeros").key());
    EXPECT_EQ(key({{"op", "globalavgpool"}, {"ic", 8}, {"id", 2}, {"ih", 6}, {"iw", 5}}),
              ConvDesc::parse("avgpool_ci8_i2x6x5_k2x6x5").key());
    EXPECT_EQ(key({{"op", "linear"}, {"ic", 8}, {"oc", 10}, {"bias", true}, {"layout", "ncw"}}),
              ConvDesc::parse("conv_ci8_i1_co10_k1_ncw_bias").key());
    json deconv = with(with(conv(), "op", "deconv"), "output_padding", {1, 0});
    deconv["stride"] = {2, 2};
    EXPECT_EQ(key(deconv), ConvDesc::parse("deconv_ci8_i6x5_co16_k3_s2_p1_o1x0").key());
    json deform = with(with(conv(), "op", "deform_conv"), "offset_groups", 4);
    EXPECT_EQ(key(with(deform, "modulated", true)),
              ConvDesc::parse("deform_ci8_i6x5_co16_k3_p1_og4_mask").key());
}

TEST_F(LayerList, FileDefaultsSuitLayersOfAnyRank) {
    const json list = {{"layout", "nchw"}, {"layers", {conv(), {{"op", "linear"}, {"ic", 4}, {"oc", 2}}}}};
    const Network network = load_layer_list(write(list.dump()));
    ASSERT_EQ(network.layers.size(), 2u);
    EXPECT_EQ(network.layers[0].desc.in_layout, Layout::ChannelsFirst);
    EXPECT_EQ(network.layers[1].desc.out_layout, Layout::ChannelsFirst);
}

TEST_F(LayerList, WrongFieldsOfOpsAreNamed) {
    const json deform = with(with(conv(), "op", "deform_conv"), "offset_groups", 4);
    EXPECT_TRUE(has(error(with(deform, "offset_groups", 3)), {"'a'", "offset groups"}));
    EXPECT_TRUE(has(error(with(conv(), "offset_groups", 4)), {"'a'", "offset groups", "conv"}));
    EXPECT_TRUE(has(error(with(conv(), "output_padding", {1})), {"'output_padding'", "[1]", "2 numbers"}));
    EXPECT_TRUE(has(error(with(conv(), "rearrange", "flip")), {"'rearrange'", "flip", "pixel_shuffle"}));
    EXPECT_TRUE(has(error(with(conv(), "epilogue", {"clamp_vx"})), {"'epilogue'", "clamp_vx"}));
    EXPECT_TRUE(has(error(with(conv(), "dtype", "i8xi8")), {"'dtype'", "i8xi8", "joined"}));
    EXPECT_TRUE(has(error({{"op", "globalavgpool"}, {"ic", 8}, {"ih", 0}, {"iw", 5}}), {"'ih'", "open"}));
    EXPECT_TRUE(
        has(error({{"op", "maxpool"}, {"ic", 8}, {"oc", 4}, {"iw", 5}, {"k", {2}}}), {"co", "4", "8"}));
}

TEST_F(LayerList, SavedListReadsBackToTheSameLayers) {
    Network network = load_layer_list(write(json{
        {"network", "n \"quoted\""},
        {"layers",
         {with(with(conv(), "bias", true), "multiplicity", 3),
          with(conv(), "layout", "nchw"),
          {{"op", "conv"}, {"ic", 2}, {"iw", 0}, {"oc", 3}, {"k", {3}}},
          {{"op", "lrn"}, {"name", "x"}}}}}.dump()));
    network.layers[1].desc.epilogue = {
        {"bias", {}}, {"leaky_relu", {0.1}}, {"residual", {}}, {"clamp", {-1, 2.5}}};
    const std::string path = dir_.path() / "saved.json";
    save_layer_list(network, path);
    const Network again = load_layer_list(path);
    EXPECT_EQ(again.name, network.name);
    ASSERT_EQ(again.layers.size(), 3u);
    for (size_t i = 0; i < again.layers.size(); ++i) {
        EXPECT_EQ(again.layers[i].desc, network.layers[i].desc);
        EXPECT_EQ(again.layers[i].name, network.layers[i].name);
        EXPECT_EQ(again.layers[i].multiplicity, network.layers[i].multiplicity);
    }
    ASSERT_EQ(again.skipped.size(), 1u);
    EXPECT_EQ(again.skipped[0].op, "lrn");
    EXPECT_EQ(again.skipped[0].reason, network.skipped[0].reason);
}

TEST_F(LayerList, SavedFieldsAloneStateTheWholeDescriptor) {
    Network network;
    for (const char *text :
         {"conv_n2_ci12_i6x5_co12_k3x1_s2x1_p1x0x2x0_d1x1_g3_shuffle3_nchw2nhwc_reflect_bias_clamp_vm1_v2p5",
          "deconv_ci8_i5_co16_k4_s3_p1_o2_g4_f64_leaky_relu_v0p1_residual",
          "deform_ci8_i6x5_co16_k3_p1_og2_mask_prelu", "maxpool_ci8_i6x5_k3_s2_indices",
          "maxpool_ci8_i6x5_k3_s2_ceil_colindices", "avgpool_ci8_i6x5x4_k3x2x2_p1x1x0x1x0x1_i8xi8xi32xi8",
          "avgpool_ci8_i6x5_k3_p1_zeros", "lppool_ci3_i9_k4_l3_ncw",
          "conv_n0_ci16_i0x0_co32_k1_pixelshuffle2", "identity_ci6_i4x6_pm1x0x2x1_constant_v1p5_into12x4",
          "conv_ci3_i8x6_co5_k3_p1_spacetodepth2_gate"}) {
        Layer layer;
        layer.name = text;
        layer.desc = ConvDesc::parse(text);
        network.layers.push_back(layer);
    }
    const std::string path = dir_.path() / "saved.json";
    save_layer_list(network, path);
    json saved = json::parse(read_file(path));
    for (json &layer : saved["layers"]) {
        layer.erase("key");
    }
    const Network again = load_layer_list(write(saved.dump(), "keyless.json"));
    ASSERT_EQ(again.layers.size(), network.layers.size());
    for (size_t i = 0; i < again.layers.size(); ++i) {
        EXPECT_EQ(again.layers[i].desc.key(), network.layers[i].desc.key());
    }
}

TEST_F(LayerList, FieldsBesideAKeyMustNotContradictIt) {
    const json layer = {{"name", "a"}, {"key", "conv_ci8_i6x5_co16_k3_p1"}, {"ic", 8}, {"ih", 6}, {"ow", 5}};
    EXPECT_EQ(key(layer), key(conv()));
    EXPECT_TRUE(has(error(with(layer, "ic", 4)), {"'a'", "'ic' is 4", "want 8"}));
    EXPECT_TRUE(has(error(with(layer, "k", {5, 5})), {"'k'", "[5,5]", "[3,3]"}));
    EXPECT_TRUE(has(error(with(layer, "op", "deconv")), {"'op'", "deconv", "conv"}));
    EXPECT_TRUE(has(error(with(layer, "layout", "nchw")), {"'layout'", "nchw", "nhwc"}));
    EXPECT_TRUE(has(error(with(layer, "ow", 6)), {"'ow' is 6", "want 5"}));
    EXPECT_TRUE(has(error({{"name", "a"}, {"key", "conv_ci8_zz"}}), {"'a'", "zz"}));
}

TEST_F(LayerList, UnwritableFileLeavesNothingBehind) {
    const Network network = load(conv());
    const std::string path = dir_.path() / "missing" / "out.json";
    EXPECT_TRUE(
        has(error_of([&] { save_layer_list(network, path); }, ErrorCode::Io), {"out.json", "cannot write"}));
    EXPECT_FALSE(fs::exists(dir_.path() / "missing"));
}

TEST(FileIo, FailedReplacementKeepsTheOldFileAndNoTemporary) {
    const TempDir dir;
    const std::string path = dir.path() / "file";
    write_file_atomically(path, "one");
    write_file_atomically(path, "two");
    EXPECT_EQ(read_file(path), "two");
    EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);
    fs::create_directory(dir.path() / "folder");
    EXPECT_TRUE(has(error_of([&] { write_file_atomically(dir.path() / "folder", "x"); }, ErrorCode::Io),
                    {"folder", "directory"}));
    EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 2);
}

TEST(Spec, KeyIsANetworkOfOneLayer) {
    const Network network = load_spec("conv_ci8_i6x5_co16_k3_p1_bias");
    ASSERT_EQ(network.layers.size(), 1u);
    EXPECT_EQ(network.layers[0].name, network.layers[0].desc.key());
    EXPECT_EQ(network.layers[0].desc.co, 16);
}

TEST(Spec, UnknownSpellingSaysWhatIsAccepted) {
    EXPECT_TRUE(has(error_of([] { load_spec("weights.bin"); }), {"weights.bin", ".json", ".onnx", "conv_"}));
    EXPECT_TRUE(has(error_of([] { load_spec(""); }), {".json"}));
    EXPECT_TRUE(has(error_of([] { load_spec("conv_ci8_i6x5_co16_k3_q7"); }), {"q7"}));
    EXPECT_TRUE(has(error_of([] { load_spec("conv_ci8_i6x5_co16_k3_g3"); }), {"groups"}));
    EXPECT_TRUE(has(error_of([] { load_spec("nothing.json"); }, ErrorCode::Io), {"nothing.json"}));
    EXPECT_TRUE(has(error_of([] { load_spec("nothing.onnx"); }, ErrorCode::Io), {"nothing.onnx"}));
}

/// The published layer lists beside the repository, one test each for what they state of themselves.
TEST(SharedNetworks, EveryListAgreesWithItsOwnShapesMacsAndParameters) {
    const char *shared = std::getenv("CONVSMITH_SHARED");
    const fs::path dir = fs::path(shared ? shared : CONVSMITH_SOURCE_DIR "/../shared") / "cases" / "networks";
    if (!fs::is_directory(dir)) {
        GTEST_SKIP() << "no layer lists at " << dir;
    }
    int layers = 0;
    for (const fs::directory_entry &entry : fs::directory_iterator(dir)) {
        const Network network = load_layer_list(entry.path());
        const json file = json::parse(read_file(entry.path()));
        EXPECT_TRUE(network.skipped.empty()) << entry.path() << ": " << network.skipped[0].reason;
        size_t next = 0;
        for (const json &layer : file["layers"]) {
            next += layer.contains("pre") ? 1 : 0; // a layer of its own
            ASSERT_LT(next, network.layers.size()) << entry.path();
            SCOPED_TRACE(fmt::format("{} {}", entry.path().filename().string(), network.layers[next].name));
            EXPECT_EQ(network.layers[next].name, layer["name"]);
            const ConvDesc &desc = network.layers[next++].desc;
            const bool has_bn = layer.value("bn", false);
            const int64_t weights = layer["params"].get<int64_t>() -
                                    (layer.value("bias", false) ? desc.co : 0) - (has_bn ? 2 * desc.co : 0);
            EXPECT_EQ(mac_count(desc), layer["macs"]);
            EXPECT_EQ(parameter_count(desc), weights + (desc.has_operand(Operand::Bias) ? desc.co : 0));
            EXPECT_EQ(out_extents(desc)[desc.rank - 1], layer.value("ow", 1));
            ++layers;
        }
        EXPECT_EQ(next, network.layers.size()) << entry.path();
    }
    EXPECT_GT(layers, 580);
}

} // namespace
} // namespace convsmith
