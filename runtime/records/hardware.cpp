// See hardware.h. Names come from LLVM and /proc/cpuinfo, caches from sysfs.
#include "runtime/records/hardware.h"

#include "schedules/gpu_driver.h"

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <tuple>
#include <unistd.h>

#include <llvm/ADT/StringRef.h>
#if __has_include(<llvm/TargetParser/Host.h>)
#include <llvm/TargetParser/Host.h>
#else
#include <llvm/Support/Host.h>
#endif

namespace convsmith::autotune {

namespace {

/// {"model name", "AMD EPYC"}, ...
std::map<std::string, std::string> fields_of(const std::string &cpuinfo) {
    std::map<std::string, std::string> fields;
    std::istringstream lines(cpuinfo);
    for (std::string line; std::getline(lines, line) && !line.empty();) {
        const size_t colon = line.find(':');
        if (colon == std::string::npos)
            continue;
        const size_t end = line.find_last_not_of(" \t", colon - 1);
        const size_t value = line.find_first_not_of(' ', colon + 1);
        fields[line.substr(0, end + 1)] = value == std::string::npos ? "" : line.substr(value);
    }
    return fields;
}

/// "512K" -> 524288
int64_t bytes_of(const std::string &size) {
    int64_t bytes = std::atoll(size.c_str());
    const char unit = size.empty() ? ' ' : size.back();
    return unit == 'K' ? bytes << 10 : unit == 'M' ? bytes << 20 : bytes;
}

/// The data or unified cache of `level` that the first core uses.
std::string cache_size(int level) {
    for (int index = 0; index < 8; index++) {
        const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
        int its_level = 0;
        std::string type, size;
        std::ifstream(folder + "level") >> its_level;
        std::ifstream(folder + "type") >> type;
        std::ifstream(folder + "size") >> size;
        if (its_level == level && type != "Instruction")
            return size;
    }
    return "";
}

/// Compilers call cores that they do not know by their instruction set.
bool is_name(const std::string &core) {
    return !core.empty() && core != "unknown" && core != "generic" && core.rfind("x86-64", 0) != 0;
}

/// The name that compilers have for the core, or what the core calls itself.
std::string microarchitecture_name(const HardwareFacts &facts, std::map<std::string, std::string> info) {
    if (is_name(facts.core))
        return facts.core;
    if (info.count("vendor_id") != 0)
        return info["vendor_id"] + " family " + info["cpu family"] + " model " + info["model"];
    const std::string name = llvm::sys::detail::getHostCPUNameForARM(facts.cpuinfo).str();
    return is_name(name) ? name : "implementer " + info["CPU implementer"] + " part " + info["CPU part"];
}

Hardware read_hardware() {
    HardwareFacts facts;
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line) && !line.empty();)
        facts.cpuinfo += line + "\n";
    facts.core = llvm::sys::getHostCPUName().str();
    facts.cores = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
    facts.cache_sizes = {cache_size(1), cache_size(2), cache_size(3)};
    return hardware_of(facts);
}

} // namespace

bool Hardware::operator==(const Hardware &o) const {
    const auto fields = [](const Hardware &h) {
        return std::tie(h.cpu, h.microarchitecture, h.cores, h.l1_bytes, h.l2_bytes, h.l3_bytes);
    };
    return fields(*this) == fields(o);
}

Hardware hardware_of(const HardwareFacts &facts) {
    std::map<std::string, std::string> info = fields_of(facts.cpuinfo);
    Hardware hardware;
    hardware.microarchitecture = microarchitecture_name(facts, info);
    hardware.cpu = info.count("model name") != 0 ? info["model name"] : hardware.microarchitecture;
    hardware.cores = facts.cores;
    hardware.l1_bytes = bytes_of(facts.cache_sizes[0]);
    hardware.l2_bytes = bytes_of(facts.cache_sizes[1]);
    hardware.l3_bytes = bytes_of(facts.cache_sizes[2]);
    return hardware;
}

std::string cpu_flags(const std::string &cpuinfo) {
    std::map<std::string, std::string> info = fields_of(cpuinfo);
    return info.count("flags") != 0 ? info["flags"] : info["Features"];
}

const Hardware &host_hardware() {
    static const Hardware kHardware = read_hardware();
    return kHardware;
}

Hardware hardware_for(const Target &target) {
    if (gpu_api(target) != GpuApi::Cuda)
        return host_hardware();
    const GpuDriver &driver = cuda_driver();
    Hardware device;
    device.cpu = driver.is_there() ? driver.device : "no CUDA device";
    device.microarchitecture = driver.architecture;
    device.cores = driver.multiprocessors;
    return device;
}

} // namespace convsmith::autotune
