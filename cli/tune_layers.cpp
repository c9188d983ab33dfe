// See tune_layers.h.
#include "cli/tune_layers.h"

#include "autotune/budget.h"
#include "autotune/static_tuner.h"
#include "cli/progress.h"
#include "generators/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

namespace convsmith::cli {

namespace {

using namespace autotune;

std::string progress_text(const std::string &layer, const TuneProgress &at, double budget) {
    return fmt::format("{}: {} tried, {} failed, best {:.2f}x, {:.0f} s left", layer, at.tried, at.failed,
                       1 / at.best_ratio, std::max(0.0, budget - at.seconds));
}

void print_counts(const TuneResult &result) {
    const TuneProgress &at = result.progress;
    fmt::print("    {} tried of {} candidates, {} known before", at.tried, at.total, at.known);
    for (const auto &[status, count] : result.outcomes) {
        if (status != Status::Ok)
            fmt::print(", {} {}", count, status_name(status));
    }
    fmt::print("; {} rejected before compiling; {:.0f} s\n", total(result.rejected), at.seconds);
    std::fflush(stdout);
}

void print_result(const Layer &layer, const TuneResult &result, const Place &place) {
    if (place.is_timing_real())
        fmt::print("{}\n    {:.2f}x the default plan: {:.1f} us, {}\n", layer.name, 1 / result.ratio,
                   result.record.ns.median / 1e3, result.best.text());
    else
        fmt::print("{}\n    judged, not timed: what an emulator takes is no time\n", layer.name);
    print_counts(result);
}

void print_modelled(const Layer &layer, const StaticResult &result) {
    const TuneResult &tuned = result.tuned;
    if (tuned.record.status == Status::Modelled)
        fmt::print("{}\n    {:.2f}x the default plan by the model of {}, not measured: {}\n    {}\n",
                   layer.name, 1 / tuned.ratio, result.machine, tuned.best.text(),
                   result.judged_by.empty() ? "not run: nothing here executes the target"
                                            : "right on runner " + result.judged_by);
    else
        fmt::print("{}\n    nothing modelled for {}: {}\n", layer.name, result.machine, tuned.record.error);
    print_counts(tuned);
}

Json result_json(const Layer &layer, const TuneResult &result) {
    Json outcomes = Json::object();
    for (const auto &[status, count] : result.outcomes)
        outcomes[status_name(status)] = count;
    const bool has_record = result.record.has_cost() && result.record.cost() > 0;
    return {{"name", layer.name},
            {"key", layer.desc.key()},
            {"default", result.default_plan.text()},
            {"best", result.best.text()},
            {"speedup", 1 / result.ratio},
            {"record", has_record ? Json::parse(to_line(result.record)) : Json()},
            {"candidates", result.progress.total},
            {"tried", result.progress.tried},
            {"known", result.progress.known},
            {"outcomes", outcomes},
            {"rejected", result.rejected},
            {"seconds", result.progress.seconds}};
}

} // namespace

double parse_duration(const std::string &option, const std::string &text) {
    char *rest = nullptr;
    const double number = std::strtod(text.c_str(), &rest);
    const std::string unit = rest;
    const double seconds = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
    if (rest == text.c_str() || !(number > 0) || seconds == 0)
        throw Error(
            ErrorCode::BadArgument,
            fmt::format("{}: got '{}', want a positive number and s, m or h, such as 10m", option, text));
    return number * seconds;
}

std::vector<std::string> worker_command(const Place &place) {
    return {std::filesystem::read_symlink("/proc/self/exe").string(), "worker", "--runner", place.text()};
}

std::vector<Layer> layers_to_time(std::vector<Layer> layers) {
    std::vector<Layer> distinct;
    std::map<std::string, size_t> known;
    std::vector<std::string> open;
    for (Layer &layer : layers) {
        if (layer.desc.is_open()) {
            open.push_back(layer.name);
            continue;
        }
        const auto [at, is_new] = known.emplace(layer.desc.key(), distinct.size());
        if (is_new)
            distinct.push_back(std::move(layer));
        else
            distinct[at->second].multiplicity += layer.multiplicity;
    }
    const std::string names = fmt::format("{}", fmt::join(open, ", "));
    if (!open.empty() && distinct.empty())
        throw Error(ErrorCode::BadArgument,
                    "nothing to tune: a time needs all sizes, and some are open (0) in " + names);
    if (!open.empty())
        fmt::print(stderr, "not tuned, as some of its sizes are open (0): {}\n", names);
    return distinct;
}

TunedLayers tune_layers(const std::vector<Layer> &layers, const Target &target, const Database &database,
                        double budget_seconds, TuneOptions options, const std::optional<std::string> &model) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point start = Clock::now();
    const std::vector<double> weights = tuning_weights(layers);
    options.worker = worker_command(options.place);
    TunedLayers tuned;
    for (size_t i = 0; i < layers.size(); i++) {
        const Layer &layer = layers[i];
        const double spent = std::chrono::duration<double>(Clock::now() - start).count();
        options.budget_seconds = share_of(budget_seconds - spent, weights, i);
        Progress bar("tuning", static_cast<int64_t>(layers.size()));
        options.on_progress = [&](const TuneProgress &at) {
            bar.update(static_cast<int64_t>(i), progress_text(layer.name, at, options.budget_seconds));
        };
        StaticResult modelled;
        if (model)
            modelled = tune_static(layer.desc, target, *model, database, options);
        const TuneResult result = model ? modelled.tuned : tune(layer.desc, target, database, options);
        bar.clear();
        if (!result.store_error.empty() && tuned.store_error.empty())
            fmt::print(stderr, "warning: not recorded: {}\n", result.store_error);
        tuned.store_error = result.store_error;
        if (model || options.place.is_timing_real()) // else no costs are to be had
            tuned.fruitless += result.record.has_cost() && result.record.cost() > 0 ? 0 : 1;
        tuned.layers.push_back(result_json(layer, result));
        if (model) {
            print_modelled(layer, modelled);
            tuned.layers.back()["model"] = {{"machine", modelled.machine}, {"judged_by", modelled.judged_by}};
        } else {
            print_result(layer, result, options.place);
        }
    }
    return tuned;
}

} // namespace convsmith::cli
