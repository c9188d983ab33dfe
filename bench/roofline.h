// A roofline: how fast layers are beside what the machine can do for them. Before it: charts.h and
// tuning_charts.h, which say what the dots are; parts of pictures are svg.h's.
#pragma once

#include "autotune/probe.h"

#include <optional>
#include <string>
#include <vector>

namespace convsmith::bench {

/// Another way to compute the same layer: a ring above or below the layer's dot.
struct RooflineRival {
    double gflops = 0;
    std::string css; ///< colour of the ring
    std::string title;
};

struct RooflinePoint {
    double intensity = 0; ///< operations per byte that must be moved
    double gflops = 0;
    double share = 0; ///< of all points' time: the dot's area
    std::string title;
    std::optional<RooflineRival> rival;
};

/// GFLOP/s over operations per byte under the roofs, both axes logarithmic: a wide picture, and a narrow one
/// in its place on small screens. Points without operations are left out. Empty if none remains, or a roof is
/// not known.
std::string roofline_chart(const autotune::Roofs &roofs, std::vector<RooflinePoint> points);

} // namespace convsmith::bench
