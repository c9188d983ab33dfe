// The pictures of a benchmark's page: ratios as bars, layers under the machine's roofs (roofline.h). Before
// it: report.h; after it: page.h.
#pragma once

#include "bench/report.h"

#include <string>

namespace convsmith::bench {

/// One bar for each layer and peer on a logarithmic axis: to the right of 1 we are faster. Empty without
/// peers.
std::string ratio_chart(const Report &report);

/// GFLOP/s over operations per byte, under the measured multiply-add rate and copy bandwidth; each layer's
/// best peer above or below it. Layers without multiply-adds are left out. Empty if none remains.
std::string roofline_chart(const Report &report);

} // namespace convsmith::bench
