// See statistics.h.
#include "runtime/records/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace convsmith::autotune {

Timing timing_of(const std::vector<double> &times) {
    if (times.empty())
        return {};
    const double fastest = *std::min_element(times.begin(), times.end());
    return {fastest, median(times), static_cast<int>(times.size()), quartile_spread(times)};
}

double median(std::vector<double> values) {
    if (values.empty())
        return 0;
    std::sort(values.begin(), values.end());
    const size_t half = values.size() / 2;
    return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double quartile_spread(std::vector<double> values) {
    if (values.empty())
        return 0;
    std::sort(values.begin(), values.end());
    const auto at = [&](double part) {
        const double place = part * static_cast<double>(values.size() - 1);
        const auto below = static_cast<size_t>(place);
        const size_t above = std::min(below + 1, values.size() - 1);
        return values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
    };
    return 100 * (at(0.75) - at(0.25)) / at(0.5);
}

double geometric_mean(const std::vector<double> &values) {
    if (values.empty())
        return 0;
    double sum = 0;
    for (double value : values)
        sum += std::log(value);
    return std::exp(sum / static_cast<double>(values.size()));
}

} // namespace convsmith::autotune
