// Planning side of the GPU fallback of composites (schedule.h).
#include "schedules/gpu/dense_plan.h"
#include "schedules/schedule.h"

namespace convsmith::gpu {
namespace {

Params complete(const ConvDesc &, const Target &, const Params &params, int co_block) {
    Params full = params;
    if (full["co_block"] == 0)
        full["co_block"] = co_block != 0 ? co_block : kWarp;
    return full;
}

} // namespace

SchedulePlanning composite_planning() {
    return {{
#include "schedules/gpu/composite_params.inc"
            },
            reject_doubles,
            complete,
            packing_by_co_block};
}

} // namespace convsmith::gpu
