/* The program that runs kernels under an emulator: reads calls from a file, makes them, writes their outputs.
 * Compiled for the emulated machine by runner_qemu.cpp, together with the kernels and a table of them
 * (kernels[]).
 *
 *   run_jobs JOBS OUTPUTS
 *
 * JOBS holds one record per call, OUTPUTS gets one per call. Every tensor lies against an inaccessible page,
 * so that an access outside it is a crash; every call is a process of its own, so that a crash costs that
 * call only. Numbers are in the machine's byte order (little-endian on both sides). */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_TENSORS 64
#define MAX_DIMS 8
#define PAGE 65536 /* a multiple of every page size in use */
#define FILTER_ALIGNMENT 64

extern int (*const kernels[])(void **args);

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
static result call_apart(int32_t kernel, void **args) {
    result r = {0, 0};
    int32_t *code = mmap(NULL, sizeof *code, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    const pid_t child = code == MAP_FAILED ? -1 : fork();
    if (child < 0)
        stop("run_jobs: fork");
    if (child == 0) {
        *code = kernels[kernel](args);
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child)
        stop("run_jobs: waitpid");
    r.code = *code;
    r.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    munmap(code, sizeof *code);
    return r;
}

static void run(FILE *jobs, FILE *outputs) {
    call c;
    tensor t[MAX_TENSORS];
    buffer buffers[MAX_TENSORS];
    uint8_t *data[MAX_TENSORS];
    void *args[MAX_TENSORS], *blocks[MAX_TENSORS];
    size_t block_bytes[MAX_TENSORS];
    int32_t i;
    result r;
    read_all(&c, sizeof c, jobs);
    if (c.tensors < 1 || c.tensors > MAX_TENSORS)
        stop("run_jobs: damaged jobs");
    for (i = 0; i < c.tensors; i++) {
        read_all(&t[i], sizeof t[i], jobs);
        memset(&buffers[i], 0, sizeof buffers[i]);
        data[i] = guarded(&t[i], &blocks[i], &block_bytes[i]);
        buffers[i].host = data[i] + t[i].begin;
        buffers[i].type_code = (uint8_t)t[i].type_code;
        buffers[i].type_bits = (uint8_t)t[i].type_bits;
        buffers[i].type_lanes = 1;
        buffers[i].dimensions = t[i].dimensions;
        buffers[i].dims = t[i].dims;
        args[i] = &buffers[i];
        if (t[i].is_output)
            memset(data[i], 0xff, t[i].bytes); /* NaN: what is not written shows */
        else
            read_all(data[i], t[i].bytes, jobs);
    }
    r = call_apart(c.kernel, args);
    if (fwrite(&r, sizeof r, 1, outputs) != 1)
        stop("run_jobs: writing the outputs");
    for (i = 0; i < c.tensors; i++) {
        if (t[i].is_output && fwrite(data[i], 1, t[i].bytes, outputs) != t[i].bytes)
            stop("run_jobs: writing the outputs");
    }
    if (fflush(outputs) != 0) /* nothing for the next call's process to write once more */
        stop("run_jobs: writing the outputs");
    for (i = 0; i < c.tensors; i++)
        munmap(blocks[i], block_bytes[i]);
}

int main(int argc, char **argv) {
    FILE *jobs, *outputs;
    int32_t count, i;
    if (argc != 3)
        return 2;
    jobs = fopen(argv[1], "rb");
    outputs = fopen(argv[2], "wb");
    if (jobs == NULL || outputs == NULL)
        stop("run_jobs");
    read_all(&count, sizeof count, jobs);
    for (i = 0; i < count; i++)
        run(jobs, outputs);
    return fclose(outputs) == 0 ? 0 : 3;
}
