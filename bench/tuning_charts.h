// The pictures of a tuning database's page: what each layer's search found over time, what it gained, which
// numbers mattered, what was refused. Before it: autotune/search_history.h; after it: tuning_page.h.
#pragma once

#include "autotune/search_history.h"

#include <cstdint>
#include <map>
#include <string>

namespace convsmith::bench {

/// Time of a call of the best so far over seconds since the run began, a line for each run, and the time of
/// the default plan. Empty if no record says when it was made.
std::string search_chart(const autotune::ProblemHistory &problem);

/// Two bars a problem, the default plan's time and the choice's; the longer one is as wide as there is room.
/// Empty if no run timed the default plan.
std::string gain_chart(const autotune::MachineHistory &machine);

/// For each parameter its values, each with the best time that was found with it over the best of all. Empty
/// if nothing was tried beside the choice.
std::string sensitivity_chart(const autotune::ProblemHistory &problem);

/// A bar for each reason, the most frequent first, at most `most`, the others in one.
std::string count_chart(const std::map<std::string, int64_t> &counts, size_t most, const std::string &unit);

/// The best records of a machine under its roofs. Empty if they are not known.
std::string tuned_roofline(const autotune::MachineHistory &machine);

/// "2.50 ms", "31.2 µs"
std::string time_text(double ns);

} // namespace convsmith::bench
