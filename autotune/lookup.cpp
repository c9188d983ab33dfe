// Looking records up (see lookup.h).
#include "autotune/lookup.h"

#include "autotune/curate.h"
#include "autotune/shipped_records.h"
#include "generators/error.h"
#include "generators/variant.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

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
    return record.status == Status::Ok && record.key == query.key && record.target == query.target &&
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
    Layers layers = {Database(project.empty() ? kProjectFile : project).read()};
    if (const std::string user = user_database(); !user.empty())
        layers.push_back(Database(user).read());
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
    return fmt::format("tuning record of {} ({}) in {}", record->hardware.cpu, match_text(match), layer);
}

LookUp look_up(const Layers &layers, const Query &query) {
    LookUp result;
    std::set<std::string> wrong;
    for (const Contents &layer : layers)
        wrong.merge(wrong_plans(layer));
    for (const Contents &layer : layers) {
        for (const Record *record : latest_records(layer)) {
            if (!answers(*record, query))
                continue;
            const bool is_wrong = wrong.count(plan_anywhere(*record)) != 0;
            result.wrong += is_wrong ? 1 : 0;
            result.stale += is_current(*record) ? 0 : 1;
            if (is_wrong || !is_current(*record))
                continue;
            const Match match = match_of(record->hardware, query.hardware);
            const bool is_nearer = !result.found || match < result.found->match;
            const bool is_better = result.found && match == result.found->match &&
                                   layer.name == result.found->layer &&
                                   goes_before(*record, *result.found->record);
            if (is_nearer || is_better)
                result.found = Found{record, match, layer.name};
        }
    }
    return result;
}

} // namespace convsmith::autotune
