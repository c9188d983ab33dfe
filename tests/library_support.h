// What the tests of the library writer share: layers with values, building into a temporary directory, C
// programs that call a library on files and their results. Used by library_*_test.cpp.
#pragma once

#include "generators/conv_shape.h"
#include "runtime/library.h"
#include "runtime/oracle.h"
#include "runtime/process.h"
#include "runtime/temp_dir.h"
#include "schedules/gpu_driver.h"
#include "tests/error_of.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace convsmith {

inline constexpr const char *kArmCompiler = "aarch64-linux-gnu-gcc";
inline constexpr const char *kArmEmulator = "qemu-aarch64";

inline bool can_emulate_arm() {
    return has_program(kArmCompiler) && has_program(kArmEmulator);
}

inline std::string read_text(const std::filesystem::path &path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

inline void write_text(const std::filesystem::path &path, const std::string &text) {
    std::ofstream(path, std::ios::binary) << text;
}

/// A layer without trained values.
inline Layer layer(const std::string &name, const std::string &key) {
    Layer layer;
    layer.name = name;
    layer.desc = ConvDesc::parse(key);
    return layer;
}

inline std::vector<Target> targets(const std::vector<std::string> &names) {
    std::vector<Target> targets;
    for (const std::string &name : names)
        targets.push_back(parse_target(name));
    return targets;
}

inline LibraryOptions library_options(const std::string &name, const std::filesystem::path &directory,
                                      const std::vector<std::string> &target_names) {
    LibraryOptions options;
    options.name = name;
    options.directory = directory.string();
    options.targets = targets(target_names);
    return options;
}

/// Output of a command that must succeed.
inline std::string output_of(const std::vector<std::string> &command) {
    const ProcessResult result = run_process(command);
    EXPECT_TRUE(result.ok()) << command[0] << ": " << result.text();
    return result.output;
}

/// Every path below `directory`, relative, sorted.
inline std::vector<std::string> tree(const std::filesystem::path &directory) {
    std::vector<std::string> paths;
    if (std::filesystem::exists(directory)) {
        for (const auto &entry : std::filesystem::recursive_directory_iterator(directory))
            paths.push_back(entry.path().lexically_relative(directory).string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

/// How to compile and run a program for one platform.
struct Toolchain {
    std::string platform;              ///< "x86-64-linux"
    std::vector<std::string> compiler; ///< with options that every program gets
    std::vector<std::string> emulator; ///< empty: run directly
};

inline Toolchain native_toolchain() {
    return {"x86-64-linux", {"cc"}, {}};
}
inline Toolchain arm_toolchain() {
    return {"arm-64-linux", {kArmCompiler, "-static"}, {kArmEmulator}};
}

/// Whether programs with CUDA kernels run here: on a device, else in the emulator (tests/emulated/ptx).
inline bool has_cuda() {
    return cuda_driver().is_there() || !cuda_emulator().empty();
}
inline Toolchain cuda_toolchain() {
    Toolchain tools = native_toolchain();
    if (!cuda_driver().is_there())
        tools.emulator = {"env",
                          "LD_LIBRARY_PATH=" + std::filesystem::path(cuda_emulator()).parent_path().string()};
    return tools;
}

/// One library as a program links it.
struct BuiltLibrary {
    std::string name;
    std::filesystem::path directory;
};

/// Compiles `source` (strict C99) with `libraries`, runs it with `arguments`; its output.
inline std::string run_c(const Toolchain &tools, const std::string &source,
                         const std::vector<BuiltLibrary> &libraries,
                         const std::vector<std::string> &arguments = {},
                         const std::vector<std::string> &more_objects = {}) {
    const TempDir dir;
    write_text(dir.path() / "main.c", source);
    const std::string program = (dir.path() / "program").string();
    std::vector<std::string> command = tools.compiler;
    for (const char *option : {"-std=c99", "-D_POSIX_C_SOURCE=200112L", "-Wall", "-Wextra", "-Wconversion",
                               "-Wshadow", "-Wcast-qual", "-pedantic", "-Werror", "-O1", "-o"})
        command.emplace_back(option);
    command.push_back(program);
    command.push_back((dir.path() / "main.c").string());
    for (const BuiltLibrary &library : libraries)
        command.push_back("-I" + (library.directory / "include").string());
    for (const BuiltLibrary &library : libraries)
        command.push_back(
            (library.directory / "lib" / tools.platform / ("lib" + library.name + ".a")).string());
    command.insert(command.end(), more_objects.begin(), more_objects.end());
    for (const BuiltLibrary &library : libraries)
        command.push_back((library.directory / "lib" / tools.platform / "libconvsmith_runtime.a").string());
    for (const char *option : {"-lpthread", "-ldl", "-lm"})
        command.emplace_back(option);
    const ProcessResult compiled = run_process(command);
    EXPECT_TRUE(compiled.ok()) << compiled.text();
    if (!compiled.ok())
        return "";
    std::vector<std::string> run = tools.emulator;
    run.push_back(program);
    run.insert(run.end(), arguments.begin(), arguments.end());
    return output_of(run);
}

/// One call in a generated C program: which layer function, on which problem.
struct CCall {
    std::string id;  ///< C name of the layer
    ConvDesc layer;  ///< as built, maybe open
    Problem problem; ///< closed
};

/// A C program that makes every call of library `name`: reads <dir>/<id>.<tensor> for every tensor that
/// tensor_specs names, writes <dir>/<id>.output and, of pools that have them, <dir>/<id>.indices. Demands the
/// header's output extents where sizes are open. `baked`: weights are in the library.
std::string c_program(const std::string &name, const std::vector<CCall> &calls, bool baked);

/// Writes inputs, runs the program for `tools`, judges every output.
void expect_calls_match_oracle(const Toolchain &tools, const BuiltLibrary &library,
                               const std::vector<CCall> &calls, bool baked = false);

} // namespace convsmith
