// See hardware.h. Names come from LLVM and /proc/cpuinfo, caches from sysfs.
#include "runtime/records/hardware.h"

#include <cstdlib>
#include <fstream>
#include <map>
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

/// The first processor's fields: {"model name", "AMD EPYC"}, ...
std::map<std::string, std::string> cpuinfo() {
    std::map<std::string, std::string> fields;
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line) && !line.empty();) {
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
int64_t cache_bytes(int level) {
    for (int index = 0; index < 8; index++) {
        const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
        int its_level = 0;
        std::string type, size;
        std::ifstream(folder + "level") >> its_level;
        std::ifstream(folder + "type") >> type;
        std::ifstream(folder + "size") >> size;
        if (its_level == level && type != "Instruction")
            return bytes_of(size);
    }
    return 0;
}

/// LLVM's name of the core; it calls those that it does not know by their instruction set.
std::string microarchitecture_name(std::map<std::string, std::string> info) {
    const std::string name = llvm::sys::getHostCPUName().str();
    if (name != "generic" && name.rfind("x86-64", 0) != 0)
        return name;
    const bool is_x86 = info.count("vendor_id") != 0;
    return is_x86 ? info["vendor_id"] + " family " + info["cpu family"] + " model " + info["model"]
                  : "implementer " + info["CPU implementer"] + " part " + info["CPU part"];
}

Hardware read_hardware() {
    std::map<std::string, std::string> info = cpuinfo();
    Hardware hardware;
    hardware.microarchitecture = microarchitecture_name(info);
    hardware.cpu = info.count("model name") != 0 ? info["model name"] : hardware.microarchitecture;
    hardware.cores = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
    hardware.l1_bytes = cache_bytes(1);
    hardware.l2_bytes = cache_bytes(2);
    hardware.l3_bytes = cache_bytes(3);
    return hardware;
}

} // namespace

bool Hardware::operator==(const Hardware &o) const {
    const auto fields = [](const Hardware &h) {
        return std::tie(h.cpu, h.microarchitecture, h.cores, h.l1_bytes, h.l2_bytes, h.l3_bytes);
    };
    return fields(*this) == fields(o);
}

const Hardware &host_hardware() {
    static const Hardware kHardware = read_hardware();
    return kHardware;
}

} // namespace convsmith::autotune
