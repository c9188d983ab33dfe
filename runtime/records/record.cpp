// Records as JSON (see record.h).
#include "runtime/records/record.h"

#include "generators/error.h"
#include "schedules/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <tuple>

namespace convsmith::autotune {

namespace {

constexpr int kFormat = 1;

const std::array<std::string, 8> &status_names() { // in the order of Status
    static const std::array<std::string, 8> kNames = {
        "ok", "compile_error", "wrong_result", "crash", "timeout", "out_of_memory", "modelled", "not_timed"};
    return kNames;
}

/// The members that say what was measured where.
Json subject_json(const Record &r) {
    Json json;
    json["key"] = r.key;
    json["plan"] = {{"variant", r.variant}, {"schedule", r.schedule}, {"params", r.params}};
    json["target"] = r.target;
    json["threads"] = r.threads;
    json["hardware"] = {
        {"cpu", r.hardware.cpu},           {"microarchitecture", r.hardware.microarchitecture},
        {"cores", r.hardware.cores},       {"l1_bytes", r.hardware.l1_bytes},
        {"l2_bytes", r.hardware.l2_bytes}, {"l3_bytes", r.hardware.l3_bytes}};
    json["versions"] = {
        {"halide", r.versions.halide}, {"llvm", r.versions.llvm}, {"algorithm", r.versions.algorithm}};
    return json;
}

Params params_of(const JsonFields &plan) {
    Params params;
    const Json *object = plan.find("params");
    if (object == nullptr || !object->is_object())
        plan.fail("params", object ? object->dump() : "missing", "an object");
    const JsonFields fields(plan.where() + ": params", *object);
    for (const auto &[name, value] : object->items())
        params[name] = fields.required_integer(name);
    return params;
}

Hardware hardware_of(const JsonFields &fields) {
    Hardware hardware;
    hardware.cpu = fields.required_text("cpu");
    hardware.microarchitecture = fields.required_text("microarchitecture");
    hardware.cores = fields.required_integer("cores");
    hardware.l1_bytes = static_cast<int64_t>(fields.number("l1_bytes", 0));
    hardware.l2_bytes = static_cast<int64_t>(fields.number("l2_bytes", 0));
    hardware.l3_bytes = static_cast<int64_t>(fields.number("l3_bytes", 0));
    return hardware;
}

Json summary_json(const RunSummary &s) {
    return {{"default_ns", s.default_ns},
            {"speedup", s.speedup},
            {"candidates", s.candidates},
            {"tried", s.tried},
            {"rejected", s.rejected},
            {"peak_gflops", s.roofs.peak_gflops},
            {"copy_gb_per_s", s.roofs.copy_gb_per_s}};
}

RunSummary summary_of(const JsonFields &fields) {
    RunSummary s;
    s.default_ns = fields.number("default_ns", 0);
    s.speedup = fields.number("speedup", 1);
    s.candidates = static_cast<int64_t>(fields.number("candidates", 0));
    s.tried = static_cast<int64_t>(fields.number("tried", 0));
    s.roofs.peak_gflops = fields.number("peak_gflops", 0);
    s.roofs.copy_gb_per_s = fields.number("copy_gb_per_s", 0);
    if (const Json *rejected = fields.find("rejected")) {
        for (const auto &[reason, count] : rejected->items()) {
            if (!count.is_number_integer())
                fields.fail("rejected", rejected->dump(), "reasons and how many each");
            s.rejected[reason] = count.get<int64_t>();
        }
    }
    return s;
}

void read_outcome(const JsonFields &fields, Record &r) {
    const std::string status = fields.required_text("status");
    if (std::find(status_names().begin(), status_names().end(), status) == status_names().end())
        fields.fail("status", status, fmt::format("one of {}", fmt::join(status_names(), ", ")));
    r.status = parse_status(status);
    r.error = fields.text("error", "");
    r.max_error = fields.number("max_error", 0);
    r.workspace_bytes = static_cast<int64_t>(fields.number("workspace_bytes", 0));
    r.is_chosen = fields.boolean("chosen");
    if (r.status == Status::Modelled) {
        r.modelled_cost = fields.number("modelled_cost", 0);
        if (!(r.modelled_cost > 0) || fields.find("ns") != nullptr)
            fields.fail("modelled_cost", fields.find("modelled_cost") ? "no positive number" : "missing",
                        "a positive number, and no ns");
    }
    if (r.status != Status::Ok)
        return;
    const JsonFields ns = fields.required_object("ns");
    r.ns = {ns.number("min", 0), ns.number("median", 0), ns.required_integer("rounds"),
            ns.number("spread", 0)};
    r.probe_ns = fields.number("probe_ns", 0);
    r.relative = fields.number("relative", 0);
    if (!(r.ns.median > 0) || !(r.probe_ns > 0))
        fields.fail("ns", fields.find("ns")->dump(), "positive times, and probe_ns beside them");
}

/// What to_line writes by itself; everything else belongs to Record::other.
bool is_known(const std::string &member) {
    static const std::array<const char *, 21> kMembers = {
        "v",      "key",           "plan",   "target",   "threads",         "hardware", "versions", "status",
        "error",  "max_error",     "ns",     "probe_ns", "workspace_bytes", "seed",     "run",      "time",
        "chosen", "modelled_cost", "search", "seconds",  "relative"};
    return std::find(kMembers.begin(), kMembers.end(), member) != kMembers.end();
}

} // namespace

bool RunSummary::operator==(const RunSummary &o) const {
    return summary_json(*this) == summary_json(o);
}

const std::string &status_name(Status status) {
    return status_names().at(static_cast<size_t>(status));
}

Status parse_status(const std::string &name) {
    const auto found = std::find(status_names().begin(), status_names().end(), name);
    if (found == status_names().end())
        throw Error(ErrorCode::BadArgument,
                    fmt::format("status: got '{}', want one of {}", name, fmt::join(status_names(), ", ")));
    return static_cast<Status>(found - status_names().begin());
}

std::string Record::plan_text() const {
    return Plan{variant, schedule, Target(), params}.text();
}

std::string Record::subject() const {
    return subject_json(*this).dump();
}

PlanRequest Record::request() const {
    PlanRequest request;
    request.variant = variant;
    request.schedule = schedule;
    request.params = params;
    return request;
}

Record new_record(const ConvDesc &desc, const Plan &plan, int threads) {
    Record record;
    record.key = desc.key();
    record.variant = plan.variant;
    record.schedule = plan.schedule;
    record.params = plan.params;
    record.target = plan.target.halide;
    record.threads = threads;
    record.hardware = hardware_for(plan.target);
    record.versions = library::versions();
    record.time = utc_now();
    return record;
}

bool is_current(const Record &record) {
    const auto code = [](const library::Versions &v) { return std::tie(v.halide, v.llvm, v.algorithm); };
    return code(record.versions) == code(library::versions());
}

std::string to_line(const Record &r) {
    Json json = {{"v", kFormat}};
    json.update(subject_json(r));
    json["status"] = status_name(r.status);
    if (!r.error.empty())
        json["error"] = r.error;
    json["max_error"] = r.max_error;
    if (r.status == Status::Ok) {
        json["ns"] = {
            {"min", r.ns.min}, {"median", r.ns.median}, {"spread", r.ns.spread}, {"rounds", r.ns.rounds}};
        json["probe_ns"] = r.probe_ns;
        if (r.relative > 0)
            json["relative"] = r.relative;
    }
    if (r.status == Status::Modelled)
        json["modelled_cost"] = r.modelled_cost;
    json["workspace_bytes"] = r.workspace_bytes;
    if (r.is_chosen)
        json["chosen"] = true;
    if (r.summary)
        json["search"] = summary_json(*r.summary);
    if (r.seconds > 0)
        json["seconds"] = r.seconds;
    json["seed"] = r.seed;
    json["run"] = r.run;
    json["time"] = r.time;
    json.update(r.other);
    // An error text may hold any bytes that a dying process wrote.
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Record parse_record(const std::string &line, const std::string &where) {
    const Json json = Json::parse(line, nullptr, /* allow_exceptions */ false);
    if (!json.is_object())
        throw Error(ErrorCode::BadArgument, where + ": no record: not a JSON object");
    const JsonFields fields(where, json);
    const int format = fields.required_integer("v");
    if (format != kFormat)
        fields.fail("v", std::to_string(format), "1: this convsmith knows no other format");
    Record r;
    r.key = fields.required_text("key");
    const JsonFields plan = fields.required_object("plan");
    r.variant = plan.required_text("variant");
    r.schedule = plan.required_text("schedule");
    r.params = params_of(plan);
    r.target = fields.required_text("target");
    r.threads = fields.required_integer("threads");
    r.hardware = hardware_of(fields.required_object("hardware"));
    const JsonFields versions = fields.required_object("versions");
    r.versions = {"", versions.required_text("halide"), versions.required_text("llvm"),
                  versions.required_text("algorithm")};
    read_outcome(fields, r);
    if (const Json *seed = fields.find("seed")) {
        if (!seed->is_number_unsigned())
            fields.fail("seed", seed->dump(), "an integer >= 0");
        r.seed = seed->get<uint64_t>();
    }
    if (fields.find("search") != nullptr)
        r.summary = summary_of(fields.required_object("search"));
    r.seconds = fields.number("seconds", 0);
    r.run = fields.text("run", "");
    r.time = fields.text("time", "");
    for (const auto &[name, value] : json.items()) {
        if (!is_known(name))
            r.other[name] = value;
    }
    return r;
}

std::string utc_now() {
    const std::time_t now = std::time(nullptr);
    std::tm parts = {};
    gmtime_r(&now, &parts);
    std::array<char, 32> text = {};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text.data();
}

} // namespace convsmith::autotune
