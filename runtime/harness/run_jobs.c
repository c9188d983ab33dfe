/* The program that runs kernels where they are not compiled: under an emulator, or on another machine.
 * Compiled for that machine by static_program.cpp, together with the kernels and a table of them (kernels[]).
 *
 *   run_jobs JOBS OUTPUTS      makes the calls of a file and writes their outputs; "-": standard input and
 * output run_jobs --serve           times the one call of standard input as the lines behind it say (serve.h)
 *
 * JOBS holds one record per call, OUTPUTS gets one per call. Every tensor lies against an inaccessible page,
 * so that an access outside it is a crash; every call is a process of its own, so that a crash costs that
 * call only. Numbers are in the machine's byte order (little-endian on both sides). Environment:
 * CONVSMITH_SECONDS and CONVSMITH_MIB are what a call may take of time and of memory beside its tensors,
 * CONVSMITH_THREADS is the kernels' number of threads. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_TENSORS 64
#define MAX_DIMS 8
#define PAGE 65536 /* a multiple of every page size in use */
#define FILTER_ALIGNMENT 64
#define HOST_DIRTY 1 /* halide_buffer_flag_host_dirty */
#define DEVICE_DIRTY 2

extern int (*const kernels[])(void **args);
extern int halide_set_num_threads(int threads);
extern int halide_copy_to_host(void *user_context, void *buffer);

#include "serve.h"

/* What the environment says, or 0. */
static long setting(const char *name) {
    const char *text = getenv(name);
    return text != NULL ? atol(text) : 0;
}

typedef struct dim {
    int32_t min, extent, stride;
    uint32_t flags;
} dim;

/* halide_buffer_t */
typedef struct buffer {
    uint64_t device;
    const void *device_interface;
    uint8_t *host;
    uint64_t flags;
    uint8_t type_code, type_bits;
    uint16_t type_lanes;
    int32_t dimensions;
    dim *dims;
    void *padding;
} buffer;

typedef struct call {
    int32_t kernel, tensors;
} call;

/* Header of a tensor; `bytes` of data follow unless it is an output. The kernel sees it from `begin` bytes
 * on. */
typedef struct tensor {
    uint64_t bytes, begin;
    int32_t type_code, type_bits, dimensions, is_aligned, is_output, padding;
    dim dims[MAX_DIMS];
} tensor;

/* What a call gives, before its outputs. */
typedef struct result {
    int32_t code, signal;
} result;

static void stop(const char *what) {
    perror(what);
    exit(3);
}

static void read_all(void *to, size_t bytes, FILE *file) {
    if (bytes != 0 && fread(to, 1, bytes, file) != bytes)
        stop("run_jobs: reading the jobs");
}

/* Shared memory that ends (up to alignment) where an inaccessible page begins. */
static uint8_t *guarded(const tensor *t, void **block, size_t *block_bytes) {
    const size_t data = (t->bytes + PAGE - 1) / PAGE * PAGE;
    uint8_t *begin;
    size_t offset;
    *block_bytes = data + 2 * (size_t)PAGE;
    *block = mmap(NULL, *block_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (*block == MAP_FAILED)
        stop("run_jobs: mmap");
    begin = (uint8_t *)*block + PAGE;
    if (mprotect(*block, PAGE, PROT_NONE) != 0 || mprotect(begin + data, PAGE, PROT_NONE) != 0)
        stop("run_jobs: mprotect");
    offset = data - t->bytes;
    return begin + (t->is_aligned ? offset / FILTER_ALIGNMENT * FILTER_ALIGNMENT : offset);
}

/* The call in a process of its own, which leaves its outputs in shared memory. */
static result call_apart(int32_t kernel, void **args, int32_t tensors) {
    int32_t i;
    result r = {0, 0};
    int32_t *code = mmap(NULL, sizeof *code, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    const pid_t child = code == MAP_FAILED ? -1 : fork();
    if (child < 0)
        stop("run_jobs: fork");
    if (child == 0) {
        const long mib = setting("CONVSMITH_MIB");
        if (mib > 0) {
            struct rlimit most = {(rlim_t)mib << 20, (rlim_t)mib << 20};
            setrlimit(RLIMIT_AS, &most);
        }
        alarm((unsigned)setting("CONVSMITH_SECONDS"));
        *code = kernels[kernel](args);
        for (i = 0; i < tensors && *code == 0; i++) {
            if ((((buffer *)args[i])->flags & DEVICE_DIRTY) != 0)
                *code = halide_copy_to_host(NULL, args[i]);
        }
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child)
        stop("run_jobs: waitpid");
    r.code = *code;
    r.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    munmap(code, sizeof *code);
    return r;
}

/* A call and its tensors in memory. */
typedef struct loaded {
    call c;
    tensor t[MAX_TENSORS];
    buffer buffers[MAX_TENSORS];
    uint8_t *data[MAX_TENSORS];
    void *args[MAX_TENSORS], *blocks[MAX_TENSORS];
    size_t block_bytes[MAX_TENSORS];
} loaded;

static void load(FILE *jobs, loaded *l) {
    int32_t i;
    read_all(&l->c, sizeof l->c, jobs);
    if (l->c.tensors < 1 || l->c.tensors > MAX_TENSORS)
        stop("run_jobs: damaged jobs");
    for (i = 0; i < l->c.tensors; i++) {
        tensor *t = &l->t[i];
        buffer *b = &l->buffers[i];
        read_all(t, sizeof *t, jobs);
        memset(b, 0, sizeof *b);
        l->data[i] = guarded(t, &l->blocks[i], &l->block_bytes[i]);
        b->host = l->data[i] + t->begin;
        b->flags = t->is_output ? 0 : HOST_DIRTY; /* a GPU's kernel copies it to the device */
        b->type_code = (uint8_t)t->type_code;
        b->type_bits = (uint8_t)t->type_bits;
        b->type_lanes = 1;
        b->dimensions = t->dimensions;
        b->dims = t->dims;
        l->args[i] = b;
        if (t->is_output)
            memset(l->data[i], 0xff, t->bytes); /* NaN: what is not written shows */
        else
            read_all(l->data[i], t->bytes, jobs);
    }
}

static void run(FILE *jobs, FILE *outputs) {
    loaded l;
    int32_t i;
    result r;
    load(jobs, &l);
    r = call_apart(l.c.kernel, l.args, l.c.tensors);
    if (fwrite(&r, sizeof r, 1, outputs) != 1)
        stop("run_jobs: writing the outputs");
    for (i = 0; i < l.c.tensors; i++) {
        if (l.t[i].is_output && fwrite(l.data[i], 1, l.t[i].bytes, outputs) != l.t[i].bytes)
            stop("run_jobs: writing the outputs");
    }
    if (fflush(outputs) != 0) /* nothing for the next call's process to write once more */
        stop("run_jobs: writing the outputs");
    for (i = 0; i < l.c.tensors; i++)
        munmap(l.blocks[i], l.block_bytes[i]);
}

/* The last core that this process may run on, for kernels of one thread: the first one gets most interrupts.
 */
static void run_on_one_core(void) {
    cpu_set_t allowed, one;
    int core;
    CPU_ZERO(&allowed);
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    for (core = CPU_SETSIZE - 1; core >= 0; core--) {
        if (CPU_ISSET(core, &allowed)) {
            CPU_SET(core, &one);
            sched_setaffinity(0, sizeof one, &one);
            return;
        }
    }
}

int main(int argc, char **argv) {
    FILE *jobs, *outputs;
    int32_t count, i;
    const long threads = setting("CONVSMITH_THREADS");
    if (threads > 0)
        halide_set_num_threads((int)threads);
    if (argc == 2 && strcmp(argv[1], "--serve") == 0) {
        static loaded l;
        if (threads == 1)
            run_on_one_core();
        read_all(&count, sizeof count, stdin);
        if (count > 0)
            load(stdin, &l);
        return serve(stdin, count > 0 ? l.args : NULL, (unsigned)setting("CONVSMITH_SECONDS"));
    }
    if (argc != 3)
        return 2;
    jobs = strcmp(argv[1], "-") == 0 ? stdin : fopen(argv[1], "rb");
    outputs = strcmp(argv[2], "-") == 0 ? stdout : fopen(argv[2], "wb");
    if (jobs == NULL || outputs == NULL)
        stop("run_jobs");
    read_all(&count, sizeof count, jobs);
    for (i = 0; i < count; i++)
        run(jobs, outputs);
    return fclose(outputs) == 0 ? 0 : 3;
}
