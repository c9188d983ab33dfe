// A tuning database as one HTML page: what the searches found, how fast, and what it is worth; it refers to
// nothing outside itself and runs no scripts. Before it: autotune/search_history.h (numbers), tuning_charts.h
// (pictures); after it: `convsmith report`.
#pragma once

#include "autotune/search_history.h"

#include <string>

namespace convsmith::bench {

/// The page, in UTF-8. `title` is the page's; labels of problems are what `history` says.
std::string tuning_page(const autotune::SearchHistory &history, const std::string &title);

} // namespace convsmith::bench
