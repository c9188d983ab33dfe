// What a benchmark found as one HTML page: numbers, pictures, tables; it refers to nothing outside itself and
// runs no scripts. Before it: report.h (numbers), charts.h (pictures); after it: `convsmith bench --html`.
#pragma once

#include "bench/report.h"

#include <string>

namespace convsmith::bench {

/// The page, in UTF-8. Every ratio in a picture is in a table, too.
std::string html_page(const Report &report);

} // namespace convsmith::bench
