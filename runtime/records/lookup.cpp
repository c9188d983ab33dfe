// Looking records up (see lookup.h).
#include "runtime/records/lookup.h"

#include "generators/error.h"
#include "generators/variant.h"
#include "runtime/records/curate.h"
#include "runtime/records/shipped_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <utility>

namespace convsmith::autotune {

namespace {

constexpr const char *kProjectFile = "convsmith_tuning.jsonl";

/// Empty without a home directory.
std::string user_database() {
    if (const char *data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data != '\0')
        return std::string(data) + "/convsmith/tuning.jsonl";
    if (const char *home = std::getenv("HOME"); home != nullptr && *home != '\0')
        return std::string(home) + "/.local/share/convsmith/tuning.jsonl";
    return "";
}

/// A variant that this build does not have is as little use as one that is not accurate enough.
bool is_accurate_enough(const Record &record, Accuracy accuracy) {
    const auto &variants = variant_table();
    const auto variant = std::find_if(variants.begin(), variants.end(),
                                      [&](const VariantInfo &v) { return v.name == record.variant; });
    return variant != variants.end() && (variant->is_exact() || accuracy == Accuracy::Fast);
}

bool answers(const Record &record, const Query &query) {
    return record.has_cost() && record.key == query.key && record.target == query.target &&
           record.threads == query.threads && is_accurate_enough(record, query.accuracy);
}

Match match_of(const Hardware &there, const Hardware &here) {
    if (there == here)
        return Match::Hardware;
    return there.microarchitecture == here.microarchitecture ? Match::Microarchitecture : Match::Isa;
}

} // namespace

std::string default_database() {
    const std::string user = user_database();
    return user.empty() || std::filesystem::exists(kProjectFile) ? kProjectFile : user;
}

Layers load_layers(const std::string &project) {
    const auto readable = [](const std::string &path) {
        try {
            return Database(path).read();
        } catch (const Error &error) {
            Contents contents;
            contents.name = path;
            contents.lines.push_back({0, "", std::nullopt, error.what()});
            return contents;
        }
    };
    Layers layers = {project.empty() ? readable(kProjectFile) : Database(project).read()};
    if (const std::string user = user_database(); !user.empty())
        layers.push_back(readable(user));
    layers.push_back(parse_contents("shipped records", kShippedRecords));
    return layers;
}

const char *match_text(Match match) {
    switch (match) {
    case Match::Hardware:
        return "same hardware";
    case Match::Microarchitecture:
        return "same microarchitecture";
    case Match::Isa:
        break;
    }
    return "same target";
}

std::string Found::text() const {
    if (record->status == Status::Modelled)
        return fmt::format("record modelled for {}, not measured, in {}", record->hardware.cpu, layer);
    return fmt::format("tuning record of {} ({}) in {}", record->hardware.cpu, match_text(match), layer);
}

std::vector<std::string> LookUp::passed_over() const {
    const auto records = [](int64_t count) { return count == 1 ? "record" : "records"; };
    std::vector<std::string> reasons;
    if (stale > 0)
        reasons.push_back(fmt::format("{} stale {}, not trusted before being timed again (convsmith db check "
                                      "--retime)",
                                      stale, records(stale)));
    if (wrong > 0)
        reasons.push_back(
            fmt::format("{} {} of plans that have also given wrong results", wrong, records(wrong)));
    return reasons;
}

LookUp look_up(const Layers &layers, const Query &query) {
    LookUp result;
    std::set<std::string> wrong;
    for (const Contents &layer : layers)
        wrong.merge(wrong_plans(layer));
    for (const Contents &layer : layers) {
        std::vector<Found> fitting;
        for (const Record *record : latest_records(layer)) {
            if (!answers(*record, query))
                continue;
            const bool is_wrong = wrong.count(plan_anywhere(*record)) != 0;
            result.wrong += is_wrong ? 1 : 0;
            result.stale += is_current(*record) ? 0 : 1;
            if (!is_wrong && is_current(*record))
                fitting.push_back({record, match_of(record->hardware, query.hardware), layer.name});
        }
        std::stable_sort(fitting.begin(), fitting.end(),
                         [](const Found &a, const Found &b) { return goes_before(*a.record, *b.record); });
        result.next.insert(result.next.end(), fitting.begin(), fitting.end());
    }
    // What was measured before what was modelled, then the nearest machine; layers stay in their order among
    // equals.
    const auto rank = [](const Found &found) {
        return std::make_pair(found.record->status != Status::Ok, found.match);
    };
    std::stable_sort(result.next.begin(), result.next.end(),
                     [&](const Found &a, const Found &b) { return rank(a) < rank(b); });
    if (!result.next.empty()) {
        result.found = result.next.front();
        result.next.erase(result.next.begin());
    }
    return result;
}

} // namespace convsmith::autotune
