/* Loops of independent multiply-adds that never leave the registers, in C and C++: the probe that tuning runs
 * time beside kernels, in this process (autotune/probe.h) and on other machines (serve.h). Each version is
 * compiled for its vector unit by a function attribute and chosen at run time; the rest of the program stays
 * baseline. */
#pragma once

/* NOLINTBEGIN(modernize-*): C as well */
#include <stdint.h>

/* 4 cycles latency x 2 units = 8 multiply-adds in flight on every x86 core since Haswell; 12 cover a latency
 * of 6 too and leave registers for the two factors. */
#define CONVSMITH_FMA_CHAINS 12
/* Of the probe: about 50 microseconds. */
#define CONVSMITH_PROBE_ITERATIONS 25000

#if defined(__x86_64__)
#define CONVSMITH_FMA_NAME fma_avx2
#define CONVSMITH_FMA_TARGET __attribute__((target("avx2,fma")))
#define CONVSMITH_FMA_BYTES 32
#include "fma_loop.inc"
#undef CONVSMITH_FMA_NAME
#undef CONVSMITH_FMA_TARGET
#undef CONVSMITH_FMA_BYTES

#define CONVSMITH_FMA_NAME fma_avx512
#define CONVSMITH_FMA_TARGET __attribute__((target("avx512f")))
#define CONVSMITH_FMA_BYTES 64
#include "fma_loop.inc"
#undef CONVSMITH_FMA_NAME
#undef CONVSMITH_FMA_TARGET
#undef CONVSMITH_FMA_BYTES
#endif

/* 16-byte vectors of any machine; on AArch64 each statement contracts to one fmla. */
#define CONVSMITH_FMA_NAME fma_generic
#define CONVSMITH_FMA_TARGET
#define CONVSMITH_FMA_BYTES 16
#include "fma_loop.inc"
#undef CONVSMITH_FMA_NAME
#undef CONVSMITH_FMA_TARGET
#undef CONVSMITH_FMA_BYTES

typedef struct {
    const char *vector_unit; /* "avx512f", "avx2" or "generic" */
    double flops;            /* operations of an iteration */
    float (*run)(int64_t iterations);
} convsmith_fma_loop;

/* The loop for the widest vectors of this machine. */
static inline convsmith_fma_loop convsmith_best_fma_loop(void) {
    convsmith_fma_loop loop = {"generic", 2.0 * CONVSMITH_FMA_CHAINS * 4, fma_generic};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        loop.vector_unit = "avx512f", loop.flops *= 4, loop.run = fma_avx512;
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        loop.vector_unit = "avx2", loop.flops *= 2, loop.run = fma_avx2;
    }
#endif
    return loop;
}
/* NOLINTEND(modernize-*) */
