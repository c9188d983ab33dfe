// Planning side of the generic Winograd schedule (schedule.h): right on every CPU, chosen only where asked
// for.
#include "schedules/cpu/winograd_choice.h"
#include "schedules/schedule.h"
#include "schedules/vector_loads.h"

namespace convsmith::generic {
namespace {

std::optional<std::string> loses(const ConvDesc &, const Target &) {
    return "not tuned: nothing says that it is faster";
}

Params complete(const ConvDesc &desc, const Target &target, const Params &params, int co_block) {
    Params full = params;
    if (full["co_block"] == 0)
        full["co_block"] = co_block != 0 ? co_block : vector_lanes(target, desc.acc_type);
    if (full["tile"] == 0)
        full["tile"] = cpu::choose_winograd_tile(desc);
    cpu::check_winograd_tile("generic winograd", desc, full["tile"]);
    return full;
}

Packing packing(const ConvDesc &, const Target &, const Params &params) {
    return Packing{params.at("co_block"), params.at("tile")};
}

} // namespace

SchedulePlanning winograd_planning() {
    return {{
#include "schedules/generic/winograd_params.inc"
            },
            reject_short_residual,
            complete,
            packing,
            loses};
}

} // namespace convsmith::generic
