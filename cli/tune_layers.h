// Tuning the layers of a network one after the other: `tune`, and what `build --tune` does first.
#pragma once

#include "autotune/tuner.h"
#include "cli/options.h"

#include <optional>
#include <string>
#include <vector>

namespace convsmith::cli {

/// "90s", "10m", "2h" or a number of seconds. Throws Error(BadArgument) naming the option.
double parse_duration(const std::string &option, const std::string &text);

/// The command of a worker process (autotune/worker.h) for a place: this program.
std::vector<std::string> worker_command(const autotune::Place &place);

/// The distinct problems of the layers, without open ones, which cannot be timed; these are named on standard
/// error. Throws Error(BadArgument) if all are open.
std::vector<Layer> layers_to_time(std::vector<Layer> layers);

struct TunedLayers {
    Json layers = Json::array(); ///< a result each
    int fruitless = 0;           ///< layers without even a cost of the default plan
    std::string store_error;     ///< why records could not be written; empty if all were
};

/// Tunes each of `layers_to_time` with its share (autotune/budget.h) of what is left of `budget_seconds`,
/// with a progress bar, and prints a result a layer. `options` without budget, progress and worker. `model`:
/// not measured but ranked by the machine model of this CPU (autotune/static_tuner.h), empty for the one of
/// the target's class.
TunedLayers tune_layers(const std::vector<Layer> &layers, const Target &target,
                        const autotune::Database &database, double budget_seconds,
                        autotune::TuneOptions options,
                        const std::optional<std::string> &model = std::nullopt);

} // namespace convsmith::cli
