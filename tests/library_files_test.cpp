// What the library writer refuses, and what it leaves behind when it does: nothing.
#include "runtime/library/model.h"
#include "runtime/library/pack_reference.h"
#include "runtime/library/staging.h"
#include "tests/library_support.h"

#include <stdexcept>

namespace convsmith {
namespace {

namespace fs = std::filesystem;

constexpr const char *kKey = "conv_ci2_i4_co2_k3_f32_nwc";

std::string refusal(ErrorCode code, const std::vector<Layer> &layers, const LibraryOptions &options) {
    return error_of([&] { build_library(layers, options); }, code);
}

bool contains(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

TEST(LibraryRefuses, BadNamesAndEmptyLists) {
    const TempDir dir;
    const fs::path out = dir.path() / "out";
    for (const char *name : {"", "9lives", "a-b", "a b", "_x", "convsmith_runtime"})
        EXPECT_TRUE(contains(
            refusal(ErrorCode::BadArgument, {layer("a", kKey)}, library_options(name, out, {"x86_64"})),
            "library name"));
    EXPECT_TRUE(
        contains(refusal(ErrorCode::BadArgument, {}, library_options("a", out, {"x86_64"})), "layers"));
    EXPECT_TRUE(contains(refusal(ErrorCode::BadArgument, {layer("a", kKey)}, library_options("a", out, {})),
                         "targets"));
    EXPECT_FALSE(fs::exists(out));
}

TEST(LibraryRefuses, TargetsWithoutLibraries) {
    const TempDir dir;
    const fs::path out = dir.path() / "out";
    for (const char *target : {"opencl", "x86-64-osx-cuda", "x86-64-osx", "x86-64-windows"})
        EXPECT_TRUE(
            contains(refusal(ErrorCode::Unsupported, {layer("a", kKey)}, library_options("a", out, {target})),
                     "target"))
            << target;
    EXPECT_FALSE(fs::exists(out));
}

TEST(LibraryRefuses, ClassesThatAProgramCannotTellApart) {
    const TempDir dir;
    const fs::path out = dir.path() / "out";
    const std::string message = refusal(ErrorCode::BadArgument, {layer("a", kKey)},
                                        library_options("a", out, {"arm_neon", "arm_a55"}));
    EXPECT_TRUE(contains(message, "arm-64-linux-cortex_a55") && contains(message, "apart")) << message;
    EXPECT_FALSE(fs::exists(out));
}

TEST(LibraryRefuses, GpusBesideOtherClasses) {
    const TempDir dir;
    const fs::path out = dir.path() / "out";
    const std::string cuda = "x86-64-linux-cuda", newer = cuda + "-cuda_capability_80";
    std::string message =
        refusal(ErrorCode::BadArgument, {layer("a", kKey)}, library_options("a", out, {"x86_avx2", cuda}));
    EXPECT_TRUE(contains(message, cuda) && contains(message, "avx2")) << message;
    message = refusal(ErrorCode::BadArgument, {layer("a", kKey)}, library_options("a", out, {cuda, newer}));
    EXPECT_TRUE(contains(message, newer) && contains(message, "choose")) << message;
    LibraryOptions options = library_options("a", out, {cuda});
    options.weights = WeightMode::Baked;
    message = refusal(ErrorCode::Unsupported, {layer("a", kKey)}, options);
    EXPECT_TRUE(contains(message, "baked")) << message;
    EXPECT_FALSE(fs::exists(out));
}

TEST(LibraryRefuses, BakedWeightsThatAreMissingOrMisshapen) {
    const TempDir dir;
    LibraryOptions options = library_options("a", dir.path() / "out", {"x86_64"});
    options.weights = WeightMode::Baked;
    Layer conv = layer("conv7", kKey);
    std::string message = refusal(ErrorCode::BadArgument, {conv}, options);
    EXPECT_TRUE(contains(message, "conv7") && contains(message, "filter is missing")) << message;
    conv.trained["filter"] = std::make_shared<Tensor>(DType::F32, std::vector<int64_t>{2, 3, 3});
    message = refusal(ErrorCode::BadArgument, {conv}, options);
    EXPECT_TRUE(contains(message, "[2][3][3]") && contains(message, "[2][2][3]")) << message;
    EXPECT_FALSE(fs::exists(options.directory));
}

TEST(LibraryRefuses, DirectoriesThatCannotBeWritten) {
    const TempDir dir;
    write_text(dir.path() / "file", "mine");
    for (const std::string &out : {(dir.path() / "file").string(), (dir.path() / "file/below").string(),
                                   std::string("/proc/convsmith/out")}) {
        const std::string message =
            refusal(ErrorCode::Io, {layer("a", kKey)}, library_options("a", out, {"x86_64"}));
        EXPECT_TRUE(contains(message, out)) << message;
    }
    EXPECT_EQ(tree(dir.path()), std::vector<std::string>{"file"});
    EXPECT_EQ(read_text(dir.path() / "file"), "mine");
}

TEST(LibraryRefuses, ToReplaceFilesItDidNotWrite) {
    for (const char *file : {"include/mine.h", "lib", "manifest.json"}) {
        const TempDir dir;
        fs::create_directories((dir.path() / file).parent_path());
        write_text(dir.path() / file, "{\"mine\": 1}");
        const std::vector<std::string> before = tree(dir.path());
        const std::string message =
            refusal(ErrorCode::Io, {layer("a", kKey)}, library_options("a", dir.path(), {"x86_64"}));
        EXPECT_TRUE(contains(message, file) && contains(message, "in the way")) << message;
        EXPECT_EQ(tree(dir.path()), before);
        EXPECT_EQ(read_text(dir.path() / file), "{\"mine\": 1}");
    }
}

TEST(LibraryFailure, LeavesNothingOfANewDirectory) {
    const TempDir dir;
    LibraryOptions options = library_options("a", dir.path() / "new/out", {"x86_64"});
    options.progress = [](const LibraryProgress &step) {
        if (step.done == 2)
            throw Error(ErrorCode::Compile, "stopped by the test");
    };
    refusal(ErrorCode::Compile, {layer("a", kKey)}, options);
    EXPECT_TRUE(tree(dir.path()).empty());
}

TEST(LibraryFailure, KeepsTheLibraryThatWasThereAndSuccessReplacesIt) {
    const TempDir dir;
    LibraryOptions options = library_options("a", dir.path(), {"x86_64"});
    build_library({layer("old", kKey)}, options);
    write_text(dir.path() / "notes.txt", "not the library's business");
    const std::vector<std::string> before = tree(dir.path());
    const std::string header = read_text(dir.path() / "include/a.h");
    LibraryOptions failing = options;
    failing.progress = [](const LibraryProgress &step) {
        if (step.done + 1 == step.total)
            throw Error(ErrorCode::Compile, "stopped by the test");
    };
    refusal(ErrorCode::Compile, {layer("new", kKey)}, failing);
    EXPECT_EQ(tree(dir.path()), before);
    EXPECT_EQ(read_text(dir.path() / "include/a.h"), header);

    options.name = "b";
    build_library({layer("new", kKey)}, options);
    EXPECT_FALSE(fs::exists(dir.path() / "include/a.h")) << "a directory holds one library";
    EXPECT_TRUE(contains(read_text(dir.path() / "include/b.h"), "b_new_args"));
    EXPECT_EQ(read_text(dir.path() / "notes.txt"), "not the library's business");
}

TEST(Staging, FailedCommitPutsTheOldFilesBack) {
    const TempDir dir;
    fs::create_directories(dir.path() / "lib");
    write_text(dir.path() / "lib/old", "old");
    library::Staging staging(dir.string(), {"lib", "manifest.json"}, {"lib/old"});
    fs::create_directories(staging.path() / "lib");
    write_text(staging.path() / "manifest.json", "new");
    fs::create_directories(dir.path() / "manifest.json/occupied"); // appears behind the writer's back
    fs::create_directories(staging.path() / "../old/manifest.json/occupied");
    error_of([&] { staging.commit(); }, ErrorCode::Io);
    EXPECT_EQ(read_text(dir.path() / "lib/old"), "old");
}

TEST(LibraryModel, LayerNamesBecomeUniqueIdentifiers) {
    const std::vector<Layer> layers = {layer("Conv.1", kKey), layer("conv_1", kKey),     layer("a", kKey),
                                       layer("a_args", kKey), layer("error_text", kKey), layer("", kKey),
                                       layer("*/", kKey)};
    const library::Model model = library::plan_library(layers, library_options("n", "unused", {"x86_64"}));
    std::vector<std::string> ids;
    for (const library::LayerEntry &entry : model.layers)
        ids.push_back(entry.id);
    EXPECT_EQ(ids[0], "Conv_1");
    EXPECT_EQ(ids[1], "conv_1_2") << "macros are upper case";
    EXPECT_EQ(ids[2], "a");
    EXPECT_NE(ids[3], "a_args") << "the struct of layer a";
    EXPECT_NE(ids[4], "error_text");
    EXPECT_FALSE(ids[5].empty());
    EXPECT_EQ(model.kernels.size(), 1u);
}

TEST(LibraryModel, BaselineIsAddedUnlessToldOtherwise) {
    LibraryOptions options = library_options("n", "unused", {"x86_avx2"});
    const auto members = [&] {
        const library::Model model = library::plan_library({layer("a", kKey)}, options);
        std::vector<std::string> names;
        for (const Target &target : model.platforms.at(0).members)
            names.push_back(target.name);
        return names;
    };
    EXPECT_EQ(members(), (std::vector<std::string>{"x86_avx2", "x86_64"}));
    options.add_baseline = false;
    EXPECT_EQ(members(), (std::vector<std::string>{"x86_avx2"}));
    options.targets = targets({"x86_64", "x86_avx512", "x86_avx2"});
    EXPECT_EQ(members(), (std::vector<std::string>{"x86_avx512", "x86_avx2", "x86_64"})) << "best first";
}

TEST(LibraryModel, MembersOfAPlatformReadTheSamePackedWeights) {
    const library::Model model =
        library::plan_library({layer("a", "conv_ci16_i14x14_co48_k3x3_p1")},
                              library_options("n", "unused", {"x86_avx512", "x86_avx2"}));
    const library::KernelEntry &kernel = model.kernels.at(0);
    for (const PlanChoice &choice : kernel.plans.at(0).members)
        EXPECT_EQ(choice.plan.packing(kernel.desc).co_block, kernel.plans[0].packing.co_block)
            << choice.plan.text();
}

TEST(PackReference, OrderIsBlocksTapsChannelsLanes) {
    const ConvDesc desc = ConvDesc::parse("conv_ci2_i4_co3_k2_f32_nwc");
    Tensor filter(DType::F32, filter_shape(desc));
    for (int64_t i = 0; i < filter.elements(); i++)
        filter.set(i, static_cast<double>(i + 1)); // [co][ci][k]
    const Tensor packed = library::pack_reference(desc, Packing{2}, filter);
    const std::vector<double> want = {1, 5, 3, 7, 2, 6, 4, 8, 9, 0, 11, 0, 10, 0, 12, 0};
    ASSERT_EQ(packed.elements(), static_cast<int64_t>(want.size()));
    for (size_t i = 0; i < want.size(); i++)
        EXPECT_EQ(packed.get(static_cast<int64_t>(i)), want[i]) << i;
}

} // namespace
} // namespace convsmith
