// Libraries as linkers and build systems meet them: instructions and symbols of the objects, several
// libraries in one program, CMake projects.
#include "tests/library_support.h"

#include <Halide.h>
#include <fmt/format.h>

#include <cstdlib>
#include <set>

namespace convsmith {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> lines_of(const std::string &text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
        lines.push_back(line);
    return lines;
}

constexpr const char *kBlurKey = "conv_ci1_i4_co1_k3_p1_f32_nwc";
constexpr const char *kBlurOutput = "3 6 9 7\n"; // sums of three neighbours of 1 2 3 4

/// The library of tests/projects/find_package, built once.
class LibraryLink : public testing::Test {
protected:
    static void SetUpTestSuite() {
        dir_ = std::make_unique<TempDir>();
        build_library({layer("blur", kBlurKey), layer("wide", "conv_ci8_i6x6_co32_k3x3_p1")},
                      library_options("demo", dir_->path(), {"x86_avx2", "arm_neon"}));
    }
    static void TearDownTestSuite() { dir_.reset(); }

    static std::string archive(const std::string &platform, const std::string &name) {
        return (dir_->path() / "lib" / platform / ("lib" + name + ".a")).string();
    }

    static std::unique_ptr<TempDir> dir_;
};

std::unique_ptr<TempDir> LibraryLink::dir_;

TEST_F(LibraryLink, OnlyTheAvx2ObjectHasYmmRegisters) {
    const TempDir dir;
    output_of({"ar", "x", archive("x86-64-linux", "demo"), "--output", dir.string()});
    int with_ymm = 0;
    for (const std::string &file : tree(dir.path())) {
        const bool has_ymm =
            output_of({"objdump", "-d", (dir.path() / file).string()}).find("%ymm") != std::string::npos;
        with_ymm += has_ymm ? 1 : 0;
        EXPECT_TRUE(!has_ymm || file.find("-x86_avx2.o") != std::string::npos) << file;
    }
    EXPECT_GE(with_ymm, 1) << "the wide layer vectorises";
    EXPECT_EQ(output_of({"objdump", "-d", archive("x86-64-linux", "convsmith_runtime")}).find("%ymm"),
              std::string::npos);
}

TEST_F(LibraryLink, MembersAreUniqueAndTheRuntimeIsOneWeakCopy) {
    for (const char *platform : {"x86-64-linux", "arm-64-linux"}) {
        const std::vector<std::string> members = lines_of(output_of({"ar", "t", archive(platform, "demo")}));
        EXPECT_EQ(std::set<std::string>(members.begin(), members.end()).size(), members.size());
        EXPECT_GE(members.size(), 3u);
        for (const std::string &line : lines_of(output_of({"nm", archive(platform, "demo")}))) {
            const bool is_runtime = line.find(" halide_") != std::string::npos;
            EXPECT_TRUE(!is_runtime || line.find(" U ") != std::string::npos) << "defines " << line;
        }
        EXPECT_EQ(output_of({"ar", "t", archive(platform, "convsmith_runtime")}), "halide_runtime.o\n");
        for (const std::string &line :
             lines_of(output_of({"nm", "-g", archive(platform, "convsmith_runtime")}))) {
            EXPECT_TRUE(line.find(" T ") == std::string::npos && line.find(" D ") == std::string::npos &&
                        line.find(" B ") == std::string::npos)
                << "strong symbol: " << line;
        }
    }
}

TEST_F(LibraryLink, EverySymbolOfOursCarriesTheLibrarysName) {
    for (const std::string &line : lines_of(output_of({"nm", "-g", archive("x86-64-linux", "demo")}))) {
        const size_t at = line.rfind(" T ");
        EXPECT_TRUE(at == std::string::npos || line.compare(at + 3, 5, "demo_") == 0) << line;
    }
}

TEST_F(LibraryLink, TwoLibrariesAndAForeignHalideLibraryRunInOneProgram) {
    const TempDir other;
    build_library({layer("blur", kBlurKey)}, library_options("other", other.path(), {"x86_avx2"}));
    const TempDir foreign;
    {
        Halide::Func twice("twice");
        Halide::Var x("x");
        Halide::ImageParam input(Halide::Float(32), 1, "input");
        twice(x) = 2 * input(x);
        twice.parallel(x, 2, Halide::TailStrategy::GuardWithIf);
        twice.compile_to_static_library((foreign.path() / "libforeign").string(), {input}, "twice",
                                        Halide::Target("x86-64-linux"));
    }
    std::string program = R"(
#include "demo.h"
#include "other.h"
#include <stdio.h>
#include <stdlib.h>
int twice(demo_buffer *input, demo_buffer *output);
int main(void) {
    const float weights[3] = {1, 1, 1}, input[4] = {1, 2, 3, 4};
    float first[4], second[4], third[4];
    const int64_t shape[2] = {4, 1};
    demo_blur_args a;
    other_blur_args b;
    demo_internal_tensor in, out;
    void *memory = NULL;
    float *packed;
    int i;
    if (posix_memalign(&memory, 64, (DEMO_BLUR_FILTER_ELEMENTS + OTHER_BLUR_FILTER_ELEMENTS) * sizeof(float)) != 0)
        return 1;
    packed = (float *)memory;
    if (demo_blur_pack(weights, packed) != 0)
        return 2;
    a.input = input; a.filter = packed; a.output = first;
    if (demo_blur(&a) != 0 || other_blur_pack(weights, packed) != 0)
        return 3;
    b.input = first; b.filter = packed; b.output = second;
    if (other_blur(&b) != 0)
        return 4;
    if (twice(demo_internal_bind(&in, second, 2 * 256 + 32, 1, shape), demo_internal_bind(&out, third, 2 * 256 + 32, 1, shape)) != 0)
        return 5;
    for (i = 0; i < 4; i++)
        printf("%g ", (double)third[i]);
    demo_release_workspace();
    other_release_workspace();
    free(memory);
    return 0;
}
)";
    const std::string foreign_archive = (foreign.path() / "libforeign.a").string();
    for (const bool is_foreign_first : {false, true}) {
        const std::vector<BuiltLibrary> libraries = {{"demo", dir_->path()}, {"other", other.path()}};
        Toolchain tools = native_toolchain();
        if (is_foreign_first) // its runtime comes first as well
            tools.compiler.insert(tools.compiler.end(),
                                  {"-Wl,--whole-archive", foreign_archive, "-Wl,--no-whole-archive"});
        const std::vector<std::string> last =
            is_foreign_first ? std::vector<std::string>{} : std::vector<std::string>{foreign_archive};
        EXPECT_EQ(run_c(tools, program, libraries, {}, last), "18 36 44 32 ") << is_foreign_first;
    }
}

TEST_F(LibraryLink, ScratchMemoryIsKeptBetweenCallsUntilReleased) {
    const TempDir dir;
    build_library({layer("strips", "conv_ci64_i28x28_co64_k3_p1")},
                  library_options("kept", dir.path(), {"x86_avx2"}));
    const char *const program = R"(
#include "kept.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
static long faults(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}
int main(void) {
    static float input[28 * 28 * 64], output[28 * 28 * 64], weights[64 * 64 * 9];
    kept_strips_args args;
    void *packed = NULL;
    long before;
    int i;
    if (posix_memalign(&packed, KEPT_FILTER_ALIGNMENT, KEPT_STRIPS_FILTER_ELEMENTS * sizeof(float)) != 0)
        return 1;
    kept_set_num_threads(1);
    if (kept_strips_pack(weights, (float *)packed) != 0)
        return 2;
    args.input = input; args.filter = (const float *)packed; args.output = output;
    if (kept_strips(&args) != 0)
        return 3;
    before = faults();
    for (i = 0; i < 50; i++)
        kept_strips(&args);
    printf("%d", faults() - before < 50);
    kept_release_workspace();
    before = faults();
    kept_strips(&args);
    printf("%d", faults() - before > 10);
    return 0;
}
)";
    EXPECT_EQ(run_c(native_toolchain(), program, {{"kept", dir.path()}}), "11")
        << "few page faults in 50 calls; many after the release";
}

TEST_F(LibraryLink, BuildsInTwoProcessesAreTheSameBytes) {
    const TempDir dir;
    for (const char *name : {"a", "b"}) {
        setenv("CONVSMITH_TEST_LIBRARY", (dir.path() / name).c_str(), 1);
        output_of({fs::canonical("/proc/self/exe").string(), "--gtest_also_run_disabled_tests",
                   "--gtest_filter=LibraryWorker.DISABLED_BuildsWhereTold"});
    }
    unsetenv("CONVSMITH_TEST_LIBRARY");
    const std::vector<std::string> files = tree(dir.path() / "a");
    ASSERT_EQ(files, tree(dir.path() / "b"));
    ASSERT_FALSE(files.empty());
    for (const std::string &file : files) {
        const fs::path first = dir.path() / "a" / file, second = dir.path() / "b" / file;
        EXPECT_TRUE(fs::is_directory(first) || read_text(first) == read_text(second)) << file;
    }
}

/// Not a test: what BuildsInTwoProcessesAreTheSameBytes runs in processes of their own.
TEST(LibraryWorker, DISABLED_BuildsWhereTold) {
    const char *directory = std::getenv("CONVSMITH_TEST_LIBRARY");
    if (directory == nullptr)
        GTEST_SKIP() << "only run by BuildsInTwoProcessesAreTheSameBytes";
    build_library({layer("blur", kBlurKey)}, library_options("demo", directory, {"x86_avx2"}));
}

/// Configures and builds a project of tests/projects, runs its program `user`.
std::string run_project(const std::string &project, const std::vector<std::string> &options,
                        const std::vector<std::string> &emulator = {}) {
    const TempDir build;
    std::vector<std::string> configure = {
        "cmake", "-S",           std::string(CONVSMITH_SOURCE_DIR "/tests/projects/") + project,
        "-B",    build.string(), "-DCMAKE_BUILD_TYPE=Release"};
    configure.insert(configure.end(), options.begin(), options.end());
    output_of(configure);
    output_of({"cmake", "--build", build.string()});
    std::vector<std::string> run = emulator;
    run.push_back((build.path() / "user").string());
    return output_of(run);
}

TEST_F(LibraryLink, ThreeLinesOfCMakeUseALibrary) {
    EXPECT_EQ(run_project("find_package", {"-DCMAKE_PREFIX_PATH=" + dir_->string()}), kBlurOutput);
}

TEST_F(LibraryLink, TheSameLinesCrossCompile) {
    if (!can_emulate_arm())
        GTEST_SKIP() << "needs the packages gcc-aarch64-linux-gnu and qemu-user";
    EXPECT_EQ(
        run_project("find_package",
                    {"-DCMAKE_PREFIX_PATH=" + dir_->string(),
                     "-DCMAKE_TOOLCHAIN_FILE=" CONVSMITH_SOURCE_DIR "/cmake/toolchains/arm-64-linux.cmake"},
                    {kArmEmulator}),
        kBlurOutput);
}

TEST_F(LibraryLink, FindPackageSaysWhichPlatformsThereAre) {
    const TempDir build;
    const ProcessResult result =
        run_process({"cmake", "-S", CONVSMITH_SOURCE_DIR "/tests/projects/find_package", "-B", build.string(),
                     "-DCMAKE_PREFIX_PATH=" + dir_->string(), "-DCMAKE_SYSTEM_NAME=Linux",
                     "-DCMAKE_SYSTEM_PROCESSOR=riscv64"});
    EXPECT_FALSE(result.ok());
    EXPECT_NE(result.output.find("x86-64-linux and arm-64-linux"), std::string::npos) << result.output;
}

TEST(Subdirectory, SourcesAndGeneratedHeadersAreFoundBelowAnotherProject) {
    // The whole build takes minutes: one source is compiled, and the rule of the generated header is read.
    const TempDir build;
    output_of({"cmake", "-G", "Ninja", "-S", CONVSMITH_SOURCE_DIR "/tests/projects/subdirectory", "-B",
               build.string(), "-DCONVSMITH=" CONVSMITH_SOURCE_DIR,
               "-DMAIN=" CONVSMITH_SOURCE_DIR "/tests/projects/find_package/main.c"});
    output_of({"ninja", "-C", build.string(), "convsmith/generators/CMakeFiles/convsmith_desc.dir/op.cpp.o"});
    const std::string rules = read_text(build.path() / "build.ninja");
    EXPECT_NE(rules.find("-DROOT=" CONVSMITH_SOURCE_DIR " "), std::string::npos);
    EXPECT_EQ(rules.find("_test.cpp.o:"), std::string::npos) << "tests are for convsmith's own build";
}

TEST(HalideCMake, PairsOfOutputsAreRefusedWithTheReason) {
    const TempDir dir;
    const ProcessResult result =
        run_process({CONVSMITH_BINARY_DIR "/bin/convsmith_generator", "-g", "convsmith", "-o", dir.string(),
                     "-f", "pool", "target=host", "desc=maxpool_ci8_i6x6_k2_s2_indices"});
    EXPECT_FALSE(result.ok());
    EXPECT_NE(result.text().find("convsmith: desc: Halide's generators make no pair"), std::string::npos)
        << result.text();
}

TEST(HalideCMake, InstalledAdaptorServesAddHalideLibrary) {
    const TempDir prefix;
    output_of({"cmake", "--install", CONVSMITH_BINARY_DIR, "--component", "convsmith_generator", "--prefix",
               prefix.string()});
    EXPECT_EQ(run_project("halide_cmake", {"-DCMAKE_PREFIX_PATH=" + prefix.string()}),
              std::string(kBlurOutput) + "33 66 99 77\n");
}

} // namespace
} // namespace convsmith
