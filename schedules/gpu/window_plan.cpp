// Planning side of the GPU fallback (schedule.h): it takes everything.
#include "schedules/gpu/dense_plan.h"
#include "schedules/schedule.h"

#include <algorithm>

namespace convsmith::gpu {
namespace {

/// Neighbouring threads are neighbouring output channels: a warp reads a block of weights.
Params complete(const ConvDesc &desc, const Target &, const Params &params, int co_block) {
    Params full = params;
    if (full["co_block"] == 0)
        full["co_block"] = co_block != 0 ? co_block : std::min(kWarp, desc.co);
    return full;
}

} // namespace

SchedulePlanning window_planning() {
    return {{
#include "schedules/gpu/window_params.inc"
            },
            reject_doubles,
            complete,
            packing_by_co_block};
}

} // namespace convsmith::gpu
