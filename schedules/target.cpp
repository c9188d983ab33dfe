// Target classes, target strings and the machine this process runs on (see target.h). Reads Halide's target
// grammar (arch-bits-os-features) without Halide, so that everything left of lower() stays free of it.
#include "schedules/target.h"

#include "generators/error.h"
#include "schedules/gpu_driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace convsmith {
namespace {

using Features = std::set<std::string>;

/// A Halide target string in parts; features in alphabetical order, which makes the text canonical.
struct ParsedString {
    std::string platform; ///< arch-bits-os
    Features features;

    std::string text() const {
        std::string out = platform;
        for (const std::string &feature : features)
            out += "-" + feature;
        return out;
    }
};

enum class Arch { X86, Arm, Any };

/// A feature token of Halide that convsmith accepts, and the tokens that it brings along. Tokens that decide
/// how an object is linked, or make kernels print, are not the caller's to choose.
struct FeatureRow {
    const char *name;
    Arch arch;
    std::vector<std::string> implies;
    bool only_tunes = false; ///< names a CPU to tune for: not Halide's, every CPU of the architecture runs it
};

/// avx2 brings fma and f16c, as every CPU of the x86-64-v3 level has all three; avx512* bring avx2.
const std::vector<FeatureRow> &feature_table() {
    static const std::vector<FeatureRow> table = {
        {"sse41", Arch::X86, {}},
        {"avx", Arch::X86, {"sse41"}},
        {"f16c", Arch::X86, {"avx"}},
        {"fma", Arch::X86, {"avx"}},
        {"avx2", Arch::X86, {"fma", "f16c"}},
        {"avx512", Arch::X86, {"avx2"}},
        {"avx512_skylake", Arch::X86, {"avx512"}},
        {"avx512_cannonlake", Arch::X86, {"avx512_skylake"}},
        {"avx512_sapphirerapids", Arch::X86, {"avx512_cannonlake"}},
        {"arm_dot_prod", Arch::Arm, {}},
        {"arm_fp16", Arch::Arm, {}},
        {"armv81a", Arch::Arm, {}},
        {"cortex_a55", Arch::Arm, {}, true},
        {"cuda", Arch::Any, {}},
        {"cuda_capability_30", Arch::Any, {"cuda"}},
        {"cuda_capability_32", Arch::Any, {"cuda"}},
        {"cuda_capability_35", Arch::Any, {"cuda"}},
        {"cuda_capability_50", Arch::Any, {"cuda"}},
        {"cuda_capability_61", Arch::Any, {"cuda"}},
        {"cuda_capability_70", Arch::Any, {"cuda"}},
        {"cuda_capability_75", Arch::Any, {"cuda"}},
        {"cuda_capability_80", Arch::Any, {"cuda"}},
        {"cuda_capability_86", Arch::Any, {"cuda"}},
        {"opencl", Arch::Any, {}},
        {"cl_doubles", Arch::Any, {"opencl"}},
        {"cl_half", Arch::Any, {"opencl"}},
        {"cl_atomics64", Arch::Any, {"opencl"}},
        {"no_asserts", Arch::Any, {}},
        {"large_buffers", Arch::Any, {}},
        {"strict_float", Arch::Any, {}},
    };
    return table;
}

/// Whether a feature concerns the device beside the CPU.
bool is_of_gpu(const FeatureRow &row) {
    const auto is_api = [](const std::string &name) { return name == "cuda" || name == "opencl"; };
    return is_api(row.name) || std::any_of(row.implies.begin(), row.implies.end(), is_api);
}

const FeatureRow *find_feature(std::string_view name) {
    for (const FeatureRow &row : feature_table()) {
        if (name == row.name)
            return &row;
    }
    return nullptr;
}

void add_with_implied(Features &features, const std::string &name) {
    features.insert(name);
    for (const std::string &implied : find_feature(name)->implies)
        add_with_implied(features, implied);
}

/// Halide compiles CUDA kernels without a compute capability for 2.0; every device that drivers still know
/// has 5.0.
void add_capability(Features &features) {
    const auto first = features.lower_bound("cuda_capability_");
    const bool has_one = first != features.end() && first->rfind("cuda_capability_", 0) == 0;
    if (features.count("cuda") != 0 && !has_one)
        features.insert("cuda_capability_50");
}

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> parts;
    for (size_t begin = 0; !text.empty();) {
        const size_t end = text.find('-', begin);
        parts.emplace_back(text.substr(begin, end - begin));
        if (end == std::string_view::npos)
            break;
        begin = end + 1;
    }
    return parts;
}

/// True if this machine's CPU and operating system execute `feature`; tokens that need nothing of a CPU are
/// true.
bool cpu_has(const std::string &feature) {
#if defined(__x86_64__)
    // The builtin wants a literal and not every compiler knows f16c.
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    const bool f16c_bit = __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
    const bool skylake = __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
                         __builtin_cpu_supports("avx512dq");
    const bool cannonlake = __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vbmi");
    const std::pair<const char *, bool> rows[] = {
        {"sse41", __builtin_cpu_supports("sse4.1")},
        {"avx", __builtin_cpu_supports("avx")},
        {"f16c", f16c_bit && __builtin_cpu_supports("avx")},
        {"fma", __builtin_cpu_supports("fma")},
        {"avx2", __builtin_cpu_supports("avx2")},
        {"avx512", __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd")},
        {"avx512_skylake", skylake},
        {"avx512_cannonlake", cannonlake},
        {"avx512_sapphirerapids",
         __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16")},
    };
#elif defined(__aarch64__) && defined(__linux__)
    const unsigned long hwcap = getauxval(AT_HWCAP);
    const std::pair<const char *, bool> rows[] = {
        {"arm_dot_prod", (hwcap & HWCAP_ASIMDDP) != 0},
        {"arm_fp16", (hwcap & HWCAP_ASIMDHP) != 0},
        {"armv81a", (hwcap & HWCAP_ATOMICS) != 0},
    };
#else
    const std::pair<const char *, bool> rows[] = {{"", false}};
#endif
    for (const auto &[name, supported] : rows) {
        if (feature == name)
            return supported;
    }
    const FeatureRow *row = find_feature(feature);
    return row->arch == Arch::Any || row->only_tunes;
}

std::string host_platform() {
#if defined(__aarch64__)
    const std::string cpu = "arm-64";
#else
    const std::string cpu = "x86-64";
#endif
#if defined(__APPLE__)
    return cpu + "-osx";
#else
    return cpu + "-linux";
#endif
}

struct ClassRow {
    Target target;
    std::string needs;
};

/// The rows of targets.inc as they stand there: "host" not yet replaced.
const std::vector<ClassRow> &class_rows() {
#define CONVSMITH_TARGET(name, halide, vector_bytes, registers, l1, l2, by_lane, needs, llvm_features)       \
    {{#name, halide, vector_bytes, registers, l1, l2, by_lane, llvm_features}, needs},
    static const std::vector<ClassRow> table = {
#include "schedules/targets.inc"
    };
#undef CONVSMITH_TARGET
    return table;
}

[[noreturn]] void fail(std::string_view text, const std::string &why) {
    std::string names = "host";
    for (const ClassRow &row : class_rows())
        names += ", " + row.target.name;
    throw Error(ErrorCode::BadArgument,
                fmt::format("target '{}': {}; want {} or a Halide target string like arm-64-linux or "
                            "x86-64-linux-avx2",
                            text, why, names));
}

/// Architecture, bits and system: the first three tokens.
std::string read_platform(std::string_view text, const std::vector<std::string> &tokens, size_t &next) {
    const bool x86 = tokens[0] == "x86";
    if (!x86 && tokens[0] != "arm")
        fail(text, fmt::format("'{}' is not a known name or architecture (x86, arm)", tokens[0]));
    if (tokens.size() < 2 || tokens[1] != "64")
        fail(text, fmt::format("got '{}' after {}, there are kernels for 64 bits",
                               tokens.size() < 2 ? "nothing" : tokens[1], tokens[0]));
    next = 2;
    static const std::set<std::string> systems = {"linux", "windows", "osx", "android", "ios", "noos"};
    if (next >= tokens.size() || systems.count(tokens[next]) == 0)
        fail(text,
             fmt::format(
                 "got {} after {}-64, want an operating system (linux, windows, osx, android, ios, noos)",
                 next < tokens.size() ? "'" + tokens[next] + "'" : "nothing", tokens[0]));
    return tokens[0] + "-64-" + tokens[next++];
}

ParsedString parse_string(std::string_view text) {
    const std::vector<std::string> tokens = split(text);
    if (tokens.empty())
        fail(text, "empty");
    ParsedString parsed;
    size_t next = 1;
    if (tokens[0] == "host")
        parsed = parse_string(host_target().halide);
    else
        parsed.platform = read_platform(text, tokens, next);

    const Arch arch = parsed.platform.compare(0, 3, "x86") == 0 ? Arch::X86 : Arch::Arm;
    for (; next < tokens.size(); next++) {
        const FeatureRow *feature = find_feature(tokens[next]);
        if (feature == nullptr)
            fail(text, fmt::format("'{}' is not a known feature", tokens[next]));
        if (feature->arch != Arch::Any && feature->arch != arch)
            fail(text, fmt::format("'{}' is not a feature of {}", tokens[next], parsed.platform));
        add_with_implied(parsed.features, tokens[next]);
    }
    add_capability(parsed.features);
    return parsed;
}

/// True if a target with these parts can run what the schedules of `row` produce.
bool is_of_class(const ParsedString &parsed, const ClassRow &row) {
    const bool host_based = row.target.halide.compare(0, 4, "host") == 0;
    const std::string arch = parsed.platform.substr(0, 3);
    if (!host_based && row.target.halide.compare(0, 3, arch) != 0)
        return false;
    Features found = parsed.features;
    found.insert(split(parsed.platform).back());
    const auto is_met = [&](const std::string &need) { // "a/b"
        for (size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
            end = need.find('/', begin);
            if (found.count(need.substr(begin, end - begin)) != 0)
                return true;
        }
        return false;
    };
    const std::vector<std::string> needs = split(row.needs);
    return std::all_of(needs.begin(), needs.end(), is_met);
}

bool runs_on_host_cpu(const ParsedString &parsed) {
    return parsed.platform == host_platform() &&
           std::all_of(parsed.features.begin(), parsed.features.end(), cpu_has);
}

bool has_device(GpuApi api) {
    switch (api) {
    case GpuApi::None:
        return true;
    case GpuApi::Cuda:
        return cuda_driver().is_there();
    case GpuApi::OpenCl: // in a program of its own only
        break;
    }
    return false;
}

bool is_program(const std::filesystem::path &candidate) {
    std::error_code ignored;
    const auto status = std::filesystem::status(candidate, ignored);
    const auto executable = std::filesystem::perms::owner_exec | std::filesystem::perms::group_exec |
                            std::filesystem::perms::others_exec;
    return std::filesystem::is_regular_file(status) &&
           (status.permissions() & executable) != std::filesystem::perms::none;
}

bool is_on_path(const char *program) {
    const char *path = std::getenv("PATH");
    std::string_view rest = path == nullptr ? "" : path;
    while (!rest.empty()) {
        const size_t end = rest.find(':');
        if (is_program(std::filesystem::path(rest.substr(0, end)) / program))
            return true;
        rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    }
    return false;
}

} // namespace

std::string Target::compiled() const {
    ParsedString parsed = parse_string(halide);
    for (auto feature = parsed.features.begin(); feature != parsed.features.end();)
        feature = find_feature(*feature)->only_tunes ? parsed.features.erase(feature) : std::next(feature);
    return parsed.text();
}

GpuApi gpu_api(const Target &target) {
    const ParsedString parsed = parse_string(target.halide);
    if (parsed.features.count("opencl") != 0)
        return GpuApi::OpenCl;
    return parsed.features.count("cuda") != 0 ? GpuApi::Cuda : GpuApi::None;
}

bool is_gpu(const Target &target) {
    return gpu_api(target) != GpuApi::None;
}

Target cpu_part(const Target &target) {
    ParsedString parsed = parse_string(target.halide);
    for (auto feature = parsed.features.begin(); feature != parsed.features.end();)
        feature = is_of_gpu(*find_feature(*feature)) ? parsed.features.erase(feature) : std::next(feature);
    return parse_target(parsed.text());
}

std::string Target::platform() const {
    return parse_string(halide).platform;
}

const std::vector<Target> &target_table() {
    static const std::vector<Target> targets = [] {
        std::vector<Target> table;
        for (const ClassRow &row : class_rows()) {
            table.push_back(row.target);
            table.back().halide = parse_string(row.target.halide).text();
        }
        return table;
    }();
    return targets;
}

Target parse_target(std::string_view text) {
    if (text == "host")
        return host_target();
    for (const Target &target : target_table()) {
        if (target.name == text)
            return target;
    }
    const ParsedString parsed = parse_string(text);
    const ClassRow *best = nullptr;
    for (const ClassRow &row : class_rows()) {
        if (is_of_class(parsed, row))
            best = &row;
    }
    CONVSMITH_CHECK(best != nullptr);
    Target target = best->target;
    target.halide = parsed.text();
    return target;
}

Target host_target() {
    const Target *best = nullptr;
    for (const ClassRow &row : class_rows()) {
        const bool host_based = row.target.halide.compare(0, 4, "host") == 0;
        // What a CPU is tuned for is the user's to say.
        const bool is_named_only =
            !host_based && row.target.compiled() != parse_string(row.target.halide).text();
        if (!host_based && !is_named_only && runs_natively(row.target))
            best = &row.target;
    }
    if (best == nullptr)
        throw Error(ErrorCode::Unsupported, "target host: this machine is of none of the known classes");
    return *best;
}

bool runs_natively(const Target &target) {
    const ParsedString parsed = parse_string(target.halide);
    return runs_on_host_cpu(parsed) && has_device(gpu_api(target));
}

std::string avx512_emulator() {
    const char *cache = std::getenv("XDG_CACHE_HOME");
    const char *home = std::getenv("HOME");
    std::filesystem::path directory;
    if (cache != nullptr && *cache != '\0')
        directory = cache;
    else if (home != nullptr && *home != '\0')
        directory = std::filesystem::path(home) / ".cache";
    const std::filesystem::path program = directory / "convsmith" / "bochs" / "run";
    return is_program(program) ? program.string() : "";
}

bool avx512_emulator_runs(const Target &target) {
    const ParsedString parsed = parse_string(target.halide);
    const Features features = parse_string(parse_target("x86_avx512").halide).features;
    return parsed.platform == "x86-64-linux" && host_platform() == parsed.platform && !is_gpu(target) &&
           std::all_of(parsed.features.begin(), parsed.features.end(), [&](const std::string &feature) {
               return features.count(feature) != 0 || find_feature(feature)->arch == Arch::Any;
           });
}

RunnerKind runner_for(const Target &target) {
    if (runs_natively(target))
        return RunnerKind::Native;
    if (!is_gpu(target) && target.platform() == "arm-64-linux" && is_on_path("qemu-aarch64"))
        return RunnerKind::QemuAarch64;
    if (avx512_emulator_runs(target) && !avx512_emulator().empty())
        return RunnerKind::BochsAvx512;
    if (gpu_api(target) == GpuApi::Cuda && runs_on_host_cpu(parse_string(target.halide)) &&
        !cuda_emulator().empty())
        return RunnerKind::CudaEmulator;
    if (gpu_api(target) == GpuApi::OpenCl && runs_on_host_cpu(parse_string(target.halide)) &&
        opencl_driver().is_there())
        return RunnerKind::OpenClProgram;
    return RunnerKind::None;
}

int vector_lanes(const Target &target, DType type) {
    return target.vector_bytes / static_cast<int>(dtype_bytes(type));
}

} // namespace convsmith
