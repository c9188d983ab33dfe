// See probe.h. Each version of the loop is compiled for its vector unit by a function attribute and chosen at
// run time; the rest of the program stays baseline.
#include "autotune/probe.h"

#include <memory>

namespace convsmith::autotune {

namespace {

// 4 cycles latency x 2 units = 8 multiply-adds in flight on every x86 core since Haswell; 12 cover a latency
// of 6 too and leave registers for the two factors.
constexpr int kChains = 12;

#if defined(__x86_64__)
#define CONVSMITH_FMA_NAME run_avx2
#define CONVSMITH_FMA_TARGET __attribute__((target("avx2,fma")))
#define CONVSMITH_FMA_BYTES 32
#include "autotune/fma_loop.inc"
#undef CONVSMITH_FMA_NAME
#undef CONVSMITH_FMA_TARGET
#undef CONVSMITH_FMA_BYTES

#define CONVSMITH_FMA_NAME run_avx512
#define CONVSMITH_FMA_TARGET __attribute__((target("avx512f")))
#define CONVSMITH_FMA_BYTES 64
#include "autotune/fma_loop.inc"
#undef CONVSMITH_FMA_NAME
#undef CONVSMITH_FMA_TARGET
#undef CONVSMITH_FMA_BYTES
#endif

// 16-byte vectors of any machine; on AArch64 each statement contracts to one fmla.
#define CONVSMITH_FMA_NAME run_generic
#define CONVSMITH_FMA_TARGET
#define CONVSMITH_FMA_BYTES 16
#include "autotune/fma_loop.inc"

} // namespace

FmaLoop best_fma_loop() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return {"avx512f", 2.0 * kChains * 16, run_avx512};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return {"avx2", 2.0 * kChains * 8, run_avx2};
#endif
    return {"generic", 2.0 * kChains * 4, run_generic};
}

FmaProbe fma_probe() {
    constexpr int64_t kIterations = 25 * 1000; // about 50 microseconds
    const FmaLoop loop = best_fma_loop();
    const auto sink = std::make_shared<float>();
    return {[loop, sink] { *sink += loop.run(kIterations); }, loop.flops * kIterations};
}

} // namespace convsmith::autotune
