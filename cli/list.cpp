// `convsmith list`: the tables of variants, targets, schedules and epilogues as this build has them.
#include "cli/commands.h"
#include "cli/options.h"
#include "generators/epilogue.h"
#include "generators/error.h"
#include "generators/variant.h"
#include "schedules/plan.h"
#include "schedules/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace convsmith::cli {

namespace {

struct ListOptions {
    std::string what;
    std::string json;
};

/// Rows of strings printed in aligned columns, the last one unpadded.
void print_table(const std::vector<std::vector<std::string>> &rows) {
    std::vector<size_t> widths;
    for (const std::vector<std::string> &row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], row[i].size());
        }
    }
    for (const std::vector<std::string> &row : rows) {
        for (size_t i = 0; i + 1 < row.size(); ++i) {
            fmt::print("{:<{}}  ", row[i], widths[i]);
        }
        fmt::print("{}\n", row.back());
    }
}

/// "tuned" if the variant has a schedule of its own for the target class, "generic" if only a fallback
/// suits it, "-" if none does.
std::string tuning_of(const std::string &variant, const Target &target) {
    std::string best = "-";
    for (const ScheduleInfo &schedule : schedule_table()) {
        if (schedule.serves(variant) && schedule.suits(target) && best != "tuned") {
            best = schedule.is_tuned() ? "tuned" : "generic";
        }
    }
    return best;
}

Json list_variants() {
    std::vector<std::vector<std::string>> rows = {{"VARIANT"}};
    for (const Target &target : target_table()) {
        rows[0].push_back(target.name);
    }
    rows[0].insert(rows[0].end(), {"TAKES", "WHAT IT IS"});
    Json json = Json::array();
    for (const VariantInfo &variant : variant_table()) {
        std::vector<std::string> row = {variant.name};
        Json targets;
        for (const Target &target : target_table()) {
            row.push_back(tuning_of(variant.name, target));
            targets[target.name] = row.back();
        }
        row.insert(row.end(), {variant.condition, variant.doc});
        rows.push_back(row);
        json.push_back({{"name", variant.name},
                        {"takes", variant.condition},
                        {"doc", variant.doc},
                        {"targets", targets}});
    }
    print_table(rows);
    return json;
}

const char *runner_text(RunnerKind kind) {
    switch (kind) {
    case RunnerKind::Native:
        return "native";
    case RunnerKind::QemuAarch64:
        return "qemu-aarch64";
    case RunnerKind::BochsAvx512:
        return "bochs";
    case RunnerKind::CudaEmulator:
        return "PTX emulator";
    case RunnerKind::OpenClProgram:
        return "OpenCL";
    case RunnerKind::None:
        break;
    }
    return "-";
}

Json list_targets() {
    std::vector<std::vector<std::string>> rows = {
        {"TARGET", "RUNS HERE", "VECTOR", "REGISTERS", "HALIDE TARGET"}};
    Json json = Json::array();
    const Target host = host_target();
    for (const Target &target : target_table()) {
        const std::string runner = runner_text(runner_for(target));
        const bool is_host = target.name == host.name;
        rows.push_back({target.name, runner + (is_host ? " (host)" : ""), std::to_string(target.vector_bytes),
                        std::to_string(target.vector_registers), target.halide});
        json.push_back({{"name", target.name},
                        {"halide", target.halide},
                        {"runner", runner},
                        {"host", is_host},
                        {"vector_bytes", target.vector_bytes},
                        {"vector_registers", target.vector_registers},
                        {"l1_bytes", target.l1_bytes},
                        {"l2_bytes", target.l2_bytes}});
    }
    print_table(rows);
    return json;
}

Json list_schedules() {
    Json json = Json::array();
    for (const ScheduleInfo &schedule : schedule_table()) {
        const std::string variants =
            schedule.variants.empty() ? "any variant" : fmt::format("{}", fmt::join(schedule.variants, ", "));
        fmt::print("{} for {} ({}): {}\n", schedule.name, variants,
                   schedule.is_tuned()          ? "tuned for " + schedule.target
                   : schedule.target == kAnyCpu ? "any CPU"
                                                : "any GPU",
                   schedule.doc);
        Json params = Json::array();
        for (const ParamSpec &param : schedule.params) {
            fmt::print("    {:<12} default {:<4} of {:<20} {}\n", param.name, param.default_value,
                       fmt::format("{}", fmt::join(param.legal, " ")), param.doc);
            params.push_back({{"name", param.name},
                              {"default", param.default_value},
                              {"legal", param.legal},
                              {"doc", param.doc}});
        }
        json.push_back({{"variants", schedule.variants},
                        {"name", schedule.name},
                        {"target", schedule.target},
                        {"doc", schedule.doc},
                        {"params", params}});
    }
    return json;
}

Json list_epilogues() {
    std::vector<std::vector<std::string>> rows = {{"EPILOGUE", "PARAMETERS", "SECOND TENSOR", "FORMULA"}};
    Json json = Json::array();
    for (const EpilogueInfo &info : epilogue_table()) {
        std::string params;
        Json json_params = Json::array();
        for (size_t i = 0; i < info.param_names.size(); ++i) {
            params += fmt::format("{}{}={}", i ? " " : "", info.param_names[i], info.param_defaults[i]);
            json_params.push_back({{"name", info.param_names[i]}, {"default", info.param_defaults[i]}});
        }
        const std::string operand = info.operand == Operand::None ? "" : operand_info(info.operand).name;
        rows.push_back({info.name, params, operand, info.formula});
        json.push_back({{"name", info.name},
                        {"operand", operand.empty() ? Json() : Json(operand)},
                        {"params", json_params},
                        {"formula", info.formula}});
    }
    print_table(rows);
    return json;
}

Json list_table(const std::string &what) {
    if (what == "variants") {
        return list_variants();
    }
    if (what == "targets") {
        return list_targets();
    }
    return what == "schedules" ? list_schedules() : list_epilogues();
}

} // namespace

void add_list(CLI::App &app, Command &) {
    const auto options = std::make_shared<ListOptions>();
    CLI::App &list = *app.add_subcommand("list", "Show what this build knows: algorithms, targets, stages");
    list.add_option("WHAT", options->what, "variants, targets, schedules or epilogues")
        ->required()
        ->type_name("")
        ->check(CLI::IsMember({"variants", "targets", "schedules", "epilogues"}));
    add_json_option(list, options->json);
    list.footer("Examples:\n  convsmith list targets\n  convsmith list epilogues --json epilogues.json");
    list.callback([options] {
        write_json_file(options->json, {{options->what, list_table(options->what)}});
    });
}

} // namespace convsmith::cli
