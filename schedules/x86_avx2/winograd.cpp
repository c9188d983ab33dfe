// Winograd on AVX2 (see winograd.h): the numbers of the plan.
#include "schedules/x86_avx2/winograd.h"

#include "schedules/cpu/winograd.h"

namespace convsmith::x86_avx2 {

void schedule_winograd(ConvPipeline &conv, const Plan &plan) {
    cpu::WinogradNumbers numbers;
    numbers.rows = plan.params.at("rows");
    numbers.tile_t = plan.params.at("tile_t");
    numbers.co_blocks = plan.params.at("co_blocks");
    numbers.unroll_ci = plan.params.at("unroll_ci");
    cpu::schedule_winograd(conv, plan.target, numbers);
}

} // namespace convsmith::x86_avx2
