// See run_delay.h.
#include "autotune/run_delay.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace convsmith::autotune {

std::optional<double> run_delay_ns(pid_t process) {
    const std::string of = process == 0 ? "self" : std::to_string(process);
    std::error_code error;
    std::optional<double> sum;
    for (const auto &task : std::filesystem::directory_iterator("/proc/" + of + "/task", error)) {
        std::ifstream file(task.path() / "schedstat"); // time on a core, time waited, time slices
        double ran = 0, waited = 0;
        if (file >> ran >> waited)
            sum = sum.value_or(0) + waited;
    }
    return sum;
}

} // namespace convsmith::autotune
