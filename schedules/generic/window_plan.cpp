// Planning side of the generic schedule (schedule.h): it takes everything.
#include "generators/variant.h"
#include "schedules/schedule.h"

#include <algorithm>

namespace convsmith::generic {
namespace {

std::optional<std::string> reject(const ConvDesc &, const Target &) {
    return std::nullopt;
}

Params complete(const ConvDesc &desc, const Target &target, const Params &params, int co_block) {
    Params full = params;
    int block = full.count("co_block") ? full.at("co_block") : 0;
    if (block == 0)
        block = co_block;
    if (block == 0 && is_depthwise(desc) && desc.co == desc.ci)
        block = desc.co; // vectors of neighbouring channels start anywhere
    if (block == 0) {
        const int lanes = target.vector_bytes / static_cast<int>(dtype_bytes(desc.acc_type));
        block = 1;
        while (block * 2 <= std::min(lanes, desc.co))
            block *= 2;
    }
    full["co_block"] = block;
    return full;
}

Packing packing(const ConvDesc &, const Target &, const Params &params) {
    return Packing{params.at("co_block")};
}

} // namespace

SchedulePlanning window_planning() {
#define CONVSMITH_PARAM(name_, default_, doc_, ...) {#name_, default_, {__VA_ARGS__}, doc_},
    return {{
#include "schedules/generic/window_params.inc"
            },
            reject,
            complete,
            packing};
#undef CONVSMITH_PARAM
}

} // namespace convsmith::generic
