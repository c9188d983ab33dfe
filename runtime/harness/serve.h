/* The part of the harness that times a kernel on another machine (run_jobs.c): commands from standard input,
 * a line each, answered by a line of numbers. time N        calls the kernel N times: nanoseconds, or "error
 * CODE" probe N       the same for the loop of multiply-adds roofs         GFLOP/s of multiply-adds and GB/s
 * of copying, the best of several short runs on one thread name          the core's name as GCC and LLVM call
 * it, or "unknown" */
#include "fma_loops.h"

#include <time.h>

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static const char *core_name(void) {
#if defined(__x86_64__)
#define CORE(name)                                                                                           \
    if (__builtin_cpu_is(name))                                                                              \
        return name;
    __builtin_cpu_init();
    CORE("znver1")
    CORE("znver2")
    CORE("znver3")
#if __GNUC__ >= 13
    CORE("znver4")
#endif
    CORE("sapphirerapids")
    CORE("alderlake")
    CORE("rocketlake")
    CORE("tigerlake")
    CORE("icelake-server")
    CORE("icelake-client")
    CORE("cooperlake")
    CORE("cascadelake")
    CORE("cannonlake")
    CORE("skylake-avx512")
    CORE("skylake")
    CORE("broadwell")
    CORE("haswell")
    CORE("ivybridge")
    CORE("sandybridge")
    CORE("westmere")
    CORE("nehalem")
    CORE("tremont")
    CORE("goldmont-plus")
    CORE("goldmont")
    CORE("silvermont")
    CORE("bdver4")
    CORE("bdver3")
    CORE("bdver2")
    CORE("bdver1")
    CORE("btver2")
    CORE("btver1")
#undef CORE
#endif
    return "unknown";
}

static void print_roofs(void) {
    const convsmith_fma_loop loop = convsmith_best_fma_loop();
    const int64_t iterations = 200000;
    const size_t bytes = (size_t)64 << 20;
    double gflops = 0, gbytes = 0;
    volatile float sink;
    char *from = malloc(bytes), *to = malloc(bytes);
    int run;
    for (run = 0; run < 30; run++) {
        const double start = now_ns();
        double rate;
        sink = loop.run(iterations);
        rate = loop.flops * (double)iterations / (now_ns() - start);
        gflops = rate > gflops ? rate : gflops;
    }
    (void)sink;
    for (run = 0; from != NULL && to != NULL && run < 5; run++) { /* the first one makes the pages */
        const double start = now_ns();
        double rate;
        memset(from, run, 1);
        memcpy(to, from, bytes);
        rate = 2.0 * (double)bytes / (now_ns() - start);
        gbytes = run > 0 && rate > gbytes ? rate : gbytes;
        from[run] = to[bytes - 1 - run];
    }
    free(from);
    free(to);
    printf("%.3f %.3f\n", gflops, gbytes);
}

/* Answers until the input ends. `args`: of kernel 0, null if there is none. */
static int serve(FILE *input, void **args, unsigned seconds) {
    const convsmith_fma_loop loop = convsmith_best_fma_loop();
    char line[128];
    while (fgets(line, sizeof line, input) != NULL) {
        long long i, calls = 0;
        int code = 0;
        volatile float sink = 0;
        const double start = now_ns();
        alarm(seconds); /* a call that hangs ends this process */
        if (sscanf(line, "time %lld", &calls) == 1 && args != NULL) {
            for (i = 0; i < calls && code == 0; i++)
                code = kernels[0](args);
            if (code == 0)
                printf("%.0f\n", now_ns() - start);
            else
                printf("error %d\n", code);
        } else if (sscanf(line, "probe %lld", &calls) == 1) {
            for (i = 0; i < calls; i++)
                sink += loop.run(CONVSMITH_PROBE_ITERATIONS);
            printf("%.0f\n", now_ns() - start);
        } else if (strncmp(line, "roofs", 5) == 0) {
            print_roofs();
        } else if (strncmp(line, "name", 4) == 0) {
            printf("%s\n", core_name());
        } else {
            return 2;
        }
        alarm(0);
        if (fflush(stdout) != 0)
            return 3;
    }
    return 0;
}
