/* A host application for a library that `convsmith build` wrote: runs every layer on inputs read from files,
 * writes the outputs, and times each layer. Plain C99, no framework: the header and the two static libraries
 * are all. host DIR [ROUNDS]      reads DIR/<layer>.input and .more, writes DIR/<layer>.output and, with
 * ROUNDS > 0, DIR/times.txt. layers.inc has one line LAYER(id, ID, elements of .more, members...) per layer:
 * .more holds the tensors beside the input, members say where; scripts/demo.sh makes both. */
#define _POSIX_C_SOURCE 199309L
#include "ocr_det.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct layer {
    const char *id;
    size_t input_elements, more_elements, output_elements;
    int (*run)(const float *input, const float *more, float *output);
} layer;

#define LAYER(id, ID, elements, ...)                                                                         \
    static int run_##id(const float *input, const float *more, float *output) {                              \
        const ocr_det_##id##_args args = {.input = input, __VA_ARGS__};                                      \
        (void)more;                                                                                          \
        return ocr_det_##id(&args);                                                                          \
    }
#include "layers.inc"
#undef LAYER

static const layer layers[] = {
#define LAYER(id, ID, elements, ...)                                                                         \
    {#id, OCR_DET_##ID##_INPUT_ELEMENTS, elements, OCR_DET_##ID##_OUTPUT_ELEMENTS, run_##id},
#include "layers.inc"
#undef LAYER
};

static void fail(const char *what, const char *which) {
    fprintf(stderr, "host: %s: %s\n", which, what);
    exit(1);
}

/* Reads or writes all `elements` floats of DIR/<id>.<kind>. */
static void transfer(const char *directory, const char *id, const char *kind, float *data, size_t elements) {
    const int writes = kind[0] == 'o';
    char path[4096];
    FILE *file;
    size_t done;
    snprintf(path, sizeof path, "%s/%s.%s", directory, id, kind);
    file = fopen(path, writes ? "wb" : "rb");
    if (!file)
        fail("cannot open", path);
    done = writes ? fwrite(data, sizeof(float), elements, file) : fread(data, sizeof(float), elements, file);
    if (fclose(file) != 0 || done != elements)
        fail("is not complete", path);
}

static void check(int code, const char *id) {
    if (code != 0)
        fail(ocr_det_error_text(code), id);
}

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median over rounds of a call's microseconds; a round repeats the call for at least 2 ms. */
static double time_layer(const layer *l, const float *input, const float *more, float *output, int rounds) {
    double *times = malloc((size_t)rounds * sizeof *times);
    double start = now_us(), median;
    int calls = 0, round, i;
    if (!times)
        fail("out of memory", l->id);
    while (calls == 0 || now_us() - start < 2000) {
        check(l->run(input, more, output), l->id);
        calls++;
    }
    for (round = 0; round < rounds; round++) {
        start = now_us();
        for (i = 0; i < calls; i++)
            l->run(input, more, output);
        times[round] = (now_us() - start) / calls;
    }
    qsort(times, (size_t)rounds, sizeof *times, ascending);
    median = times[rounds / 2];
    free(times);
    return median;
}

static void run_layer(const layer *l, const char *directory, int rounds, FILE *times) {
    float *input = malloc(l->input_elements * sizeof *input);
    float *more = malloc((l->more_elements + 1) * sizeof *more);
    float *output = malloc(l->output_elements * sizeof *output);
    if (!input || !more || !output)
        fail("out of memory", l->id);
    transfer(directory, l->id, "input", input, l->input_elements);
    transfer(directory, l->id, "more", more, l->more_elements);
    check(l->run(input, more, output), l->id);
    transfer(directory, l->id, "output", output, l->output_elements);
    if (times)
        fprintf(times, "%s %.3f\n", l->id, time_layer(l, input, more, output, rounds));
    free(input);
    free(more);
    free(output);
}

int main(int argc, char **argv) {
    const int rounds = argc > 2 ? atoi(argv[2]) : 0;
    char path[4096];
    FILE *times = NULL;
    size_t i;
    if (argc < 2)
        fail("usage: host DIR [ROUNDS]", "arguments");
    ocr_det_set_num_threads(1);
    if (rounds > 0) {
        snprintf(path, sizeof path, "%s/times.txt", argv[1]);
        times = fopen(path, "w");
        if (!times)
            fail("cannot write", path);
    }
    for (i = 0; i < sizeof layers / sizeof layers[0]; i++)
        run_layer(&layers[i], argv[1], rounds, times);
    if (times && fclose(times) != 0)
        fail("cannot write", path);
    printf("%zu layers on %s\n", i, OCR_DET_PLATFORM);
    return 0;
}
