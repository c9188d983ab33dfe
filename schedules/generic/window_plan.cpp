// Planning side of the generic schedule (schedule.h): it takes everything.
#include "generators/variant.h"
#include "schedules/schedule.h"

#include <algorithm>

namespace convsmith::generic {
namespace {

Params complete(const ConvDesc &desc, const Target &target, const Params &params, int co_block) {
    Params full = params;
    int block = full.count("co_block") ? full.at("co_block") : 0;
    if (block == 0)
        block = co_block;
    if (block == 0 && is_depthwise(desc) && desc.co == desc.ci)
        block = desc.co; // vectors of neighbouring channels start anywhere
    if (block == 0) {
        const int lanes = vector_lanes(target, desc.acc_type);
        block = 1;
        while (block * 2 <= std::min(lanes, desc.co))
            block *= 2;
    }
    full["co_block"] = block;
    return full;
}

} // namespace

SchedulePlanning window_planning() {
    return {{
#include "schedules/generic/window_params.inc"
            },
            takes_any,
            complete,
            packing_by_co_block};
}

} // namespace convsmith::generic
