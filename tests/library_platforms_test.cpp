// Libraries for other systems on 64-bit ARM: one call writes an archive for each, in its format, that needs
// nothing but the system's own libraries; the layers of a mobile network are small, and link and run as a
// static executable.
#include "tests/library_support.h"

#include <regex>
#include <set>

namespace convsmith {
namespace {

namespace fs = std::filesystem;

/// A program of the package llvm-14 or llvm-19; empty if neither is installed.
std::string llvm_program(const std::string &name) {
    for (const char *version : {"-14", "-19", ""}) {
        if (has_program(name + version))
            return name + version;
    }
    return "";
}

constexpr const char *kNeedsLlvm = "needs llvm-nm (packages llvm-14 or llvm-19)";

struct Symbols {
    std::set<std::string> defined, missing; ///< missing: undefined, and defined in none of the archives
};

Symbols symbols_of(const std::vector<std::string> &archives) {
    std::vector<std::string> command = {llvm_program("llvm-nm"), "--format=posix"};
    command.insert(command.end(), archives.begin(), archives.end());
    std::istringstream lines(output_of(command));
    static const std::regex symbol(R"(^(\S+) ([A-Za-z])\b)");
    Symbols found;
    for (std::string line; std::getline(lines, line);) {
        std::smatch match;
        if (std::regex_search(line, match, symbol))
            (match[2] == "U" ? found.missing : found.defined).insert(match[1]);
    }
    for (const std::string &name : found.defined)
        found.missing.erase(name);
    return found;
}

struct System {
    const char *platform;
    const char *format;            ///< as llvm-readobj calls it
    const char *prefix;            ///< of C symbols
    std::vector<std::string> more; ///< that its system libraries have beside those of every one
};

class ArmSystems : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        dir_ = std::make_unique<TempDir>();
        build_library({layer("conv", "conv_ci64_i14x14_co64_k3_p1_bias"),
                       layer("exact", "conv_ci8_i9x9_co8_k1_tanh"),
                       layer("depthwise", "conv_ci16_i14x14_co16_k3_p1_g16_bias_relu"),
                       layer("pool", "avgpool_ci16_i8x8_k2_s2")},
                      library_options("many", dir_->path(),
                                      {"arm-64-linux", "arm-64-android", "arm-64-osx", "arm-64-ios"}));
    }
    static void TearDownTestSuite() { dir_.reset(); }

    static std::unique_ptr<TempDir> dir_;
};

std::unique_ptr<TempDir> ArmSystems::dir_;

TEST_F(ArmSystems, HaveAnArchiveInTheirFormatThatNeedsOnlySystemLibraries) {
    if (llvm_program("llvm-nm").empty())
        GTEST_SKIP() << kNeedsLlvm;
    const std::vector<std::string> common = {"abort",
                                             "atoi",
                                             "fclose",
                                             "fileno",
                                             "fopen",
                                             "free",
                                             "fwrite",
                                             "getenv",
                                             "malloc",
                                             "memcmp",
                                             "memcpy",
                                             "memset",
                                             "pthread_cond_destroy",
                                             "pthread_cond_init",
                                             "pthread_cond_signal",
                                             "pthread_cond_wait",
                                             "pthread_create",
                                             "pthread_join",
                                             "pthread_mutex_destroy",
                                             "pthread_mutex_init",
                                             "pthread_mutex_lock",
                                             "pthread_mutex_unlock",
                                             "strlen",
                                             "sysconf",
                                             "usleep",
                                             "write"};
    const std::vector<System> systems = {
        {"arm-64-linux",
         "elf64-littleaarch64",
         "",
         {"dlerror", "dlopen", "dlsym", "gettimeofday", "sched_yield"}},
        {"arm-64-android",
         "elf64-littleaarch64",
         "",
         {"dlerror", "dlopen", "dlsym", "syscall", "sched_yield", "__android_log_print"}},
        {"arm-64-osx",
         "Mach-O arm64",
         "_",
         {"bzero", "dlopen", "dlsym", "mach_absolute_time", "mach_timebase_info", "swtch_pri"}},
        {"arm-64-ios",
         "Mach-O arm64",
         "_",
         {"bzero", "gettimeofday", "swtch_pri", "NSLog", "objc_getClass", "objc_msgSend", "sel_getUid"}}};
    for (const System &system : systems) {
        SCOPED_TRACE(system.platform);
        const fs::path lib = dir_->path() / "lib" / system.platform;
        const std::string archive = (lib / "libmany.a").string();
        const Symbols symbols = symbols_of({archive, (lib / "libconvsmith_runtime.a").string()});
        for (const char *name : {"conv", "exact", "depthwise", "pool"})
            EXPECT_EQ(symbols.defined.count(std::string(system.prefix) + "many_" + name + "_kernel"), 1u)
                << name;
        std::set<std::string> allowed;
        for (const std::vector<std::string> &names : {common, system.more}) {
            for (const std::string &name : names)
                allowed.insert(system.prefix + name);
        }
        for (const std::string &name : symbols.missing)
            EXPECT_EQ(allowed.count(name), 1u) << name;
        EXPECT_NE(output_of({llvm_program("llvm-readobj"), "--file-headers", archive})
                      .find(std::string("Format: ") + system.format),
                  std::string::npos);
    }
}

TEST_F(ArmSystems, ShareOneHeaderAndOnePackage) {
    const std::string header = read_text(dir_->path() / "include/many.h");
    const std::string package = read_text(dir_->path() / "lib/cmake/many/manyConfig.cmake");
    for (const char *text :
         {"__ANDROID__", "__APPLE__", "arm-64-ios", "arm-64-osx", "arm-64-android", "arm-64-linux"})
        EXPECT_NE(header.find(text), std::string::npos) << text;
    for (const char *text : {"\"Android\"", "\"iOS\"", "\"Darwin\"", "\"Linux\"", "\"log\"", "Foundation"})
        EXPECT_NE(package.find(text), std::string::npos) << text;
}

/// The distinct layers of MobileNetV2.
std::vector<Layer> mobilenet_v2() {
    std::vector<Layer> layers;
    std::ifstream file(CONVSMITH_SOURCE_DIR "/tests/data/mobilenet_v2_layers.txt");
    for (std::string key; std::getline(file, key);) {
        if (!key.empty() && key[0] != '#')
            layers.push_back(layer("layer" + std::to_string(layers.size()), key));
    }
    return layers;
}

TEST(ArmLibrary, MobileNetV2IsSmallAndLinksStatically) {
    const TempDir dir;
    LibraryOptions options = library_options("mobile", dir.path(), {"arm_neon"});
    const std::vector<Layer> layers = mobilenet_v2();
    ASSERT_GT(layers.size(), 30u);
    for (const Layer &each : layers)
        EXPECT_EQ(make_plan(each.desc, parse_target("arm_neon")).plan.schedule, "arm_neon")
            << each.desc.key();
    build_library(layers, options);
    const std::string archive = (dir.path() / "lib/arm-64-linux/libmobile.a").string();
    if (!llvm_program("llvm-size").empty()) {
        constexpr double kMostText = 1.5 * 1024 * 1024;
        const std::string sizes = output_of({llvm_program("llvm-size"), "--totals", archive});
        std::smatch totals;
        ASSERT_TRUE(
            std::regex_search(sizes, totals, std::regex(R"((\d+)\s+\d+\s+\d+\s+\d+\s+\w+\s+\(TOTALS\))")));
        EXPECT_GT(std::stod(totals[1]), 10000);
        EXPECT_LE(std::stod(totals[1]), kMostText);
    }
    if (!can_emulate_arm())
        GTEST_SKIP() << "needs the packages gcc-aarch64-linux-gnu and qemu-user to link and run it";
    Toolchain tools = arm_toolchain();
    tools.compiler.insert(tools.compiler.end(), {"-Wl,--whole-archive", archive, "-Wl,--no-whole-archive"});
    EXPECT_EQ(run_c(tools, R"(
#include "mobile.h"
#include <stdio.h>
int main(void) {
    static float input[MOBILE_LAYER31_INPUT_ELEMENTS], output[MOBILE_LAYER31_OUTPUT_ELEMENTS], bias[1000];
    static float filter[MOBILE_LAYER31_FILTER_ELEMENTS + 16];
    mobile_layer31_args args = {0};
    bias[999] = 7;
    args.input = input, args.bias = bias, args.output = output;
    args.filter = filter + (MOBILE_FILTER_ALIGNMENT - (size_t)filter % MOBILE_FILTER_ALIGNMENT) % MOBILE_FILTER_ALIGNMENT / 4;
    printf("%d %g %s\n", mobile_layer31(&args), output[999], MOBILE_PLATFORM);
    return 0;
}
)",
                    {{"mobile", dir.path()}}),
              "0 7 arm-64-linux\n");
}

} // namespace
} // namespace convsmith
