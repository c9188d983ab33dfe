// What a schedule tells the planner, free of Halide: which problems it takes, its default numbers for a
// problem, the weight layout they imply. Each schedule folder implements it in <schedule>_plan.cpp.
#pragma once

#include "generators/conv_desc.h"
#include "generators/signature.h"
#include "schedules/plan.h"

#include <optional>
#include <string>
#include <vector>

namespace convsmith {

/// A schedule's planning side. Namespaces cpu, generic, ... each define one per schedule: direct_planning().
struct SchedulePlanning {
    std::vector<ParamSpec> params;

    /// Why the schedule cannot take the problem on the target; nothing if it can.
    std::optional<std::string> (*reject)(const ConvDesc &desc, const Target &target);

    /// Fills every parameter that is 0 or absent from the problem's arithmetic. `co_block` != 0 fixes the
    /// packing. Throws Error(BadArgument) if `params` are illegal together (registers) or contradict
    /// co_block.
    Params (*complete)(const ConvDesc &desc, const Target &target, const Params &params, int co_block);

    /// The weight layout for complete parameters.
    Packing (*packing)(const ConvDesc &desc, const Target &target, const Params &params);

    /// Why a more general variant is expected to be as fast; nothing if this schedule is expected to win.
    /// Asked only where the caller leaves the variant open. Null: wins wherever it serves.
    std::optional<std::string> (*loses)(const ConvDesc &desc, const Target &target) = nullptr;

    /// Whether the schedule keeps padded rows, where they can be copied whole (ConvPipeline::copies_rows).
    bool copies_rows = false;

    /// Whether it reads them in place instead (ConvPipeline::masks_columns). Null: never.
    bool (*masks_columns)(const ConvDesc &desc, const Target &target) = nullptr;

    /// Positions of a tile that never spans rows; 0 if tiles may (OpInput::row_tile). Null: always 0.
    int (*row_tile)(const ConvDesc &desc, const Params &params) = nullptr;

    /// Whether it computes whole tiles of positions (OpInput::fills_tiles). Null: never.
    bool (*fills_tiles)(const ConvDesc &desc, const Params &params) = nullptr;

    /// Whether the problem settles a number: no other legal value of it can be taken, whatever the others
    /// are. Null: none.
    bool (*settles)(const ConvDesc &desc, const Target &target, const std::string &number) = nullptr;

    /// Whether it keeps what the windows of such a tile cover (ConvPipeline::copies_windows).
    bool copies_windows = false;

    /// Whether it computes ops of a chain where the next op reads them (OpInput::inlines_ops).
    bool inlines_ops = false;

    /// Whether its tiles leave out taps in the padding (OpInput::leaves_out_taps). Null: never.
    bool (*leaves_out_taps)(const ConvDesc &desc, const Target &target, const Params &params) = nullptr;
};

/// reject() of a schedule that takes everything.
std::optional<std::string> takes_any(const ConvDesc &desc, const Target &target);

/// fills_tiles() of a schedule that always does.
bool always_fills_tiles(const ConvDesc &desc, const Params &params);

/// packing() of a schedule with a parameter co_block.
Packing packing_by_co_block(const ConvDesc &desc, const Target &target, const Params &params);

/// A row of a *_params.inc as an element of SchedulePlanning::params.
#define CONVSMITH_PARAM(name_, default_, doc_, ...) {#name_, default_, {__VA_ARGS__}, doc_},

#define CONVSMITH_SCHEDULE(variants_, folder_, name_, targets_, doc_)                                        \
    namespace folder_ {                                                                                      \
    SchedulePlanning name_##_planning();                                                                     \
    }
#include "schedules/schedules.inc"
#undef CONVSMITH_SCHEDULE

} // namespace convsmith
