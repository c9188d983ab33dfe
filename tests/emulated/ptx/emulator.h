/* What the stand-in for libcuda.so.1 offers beside CUDA's driver interface: why the last call failed, and
 * what kernels did. Plain C, for programs that dlopen() the library.
 *
 * The stand-in executes PTX, as LLVM's NVPTX back end writes it, on the CPU and checks every access: bounds,
 * alignment, memory that nothing wrote, data races within a launch, barriers that threads miss. A fault fails
 * the call as a device would, with CUDA's status; unlike on a device, the context stays usable and later
 * launches work. */
#ifndef CONVSMITH_TESTS_EMULATED_PTX_EMULATOR_H
#define CONVSMITH_TESTS_EMULATED_PTX_EMULATOR_H

#include <stdint.h> /* NOLINT(modernize-deprecated-headers): a C header */

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* Totals over all launches, failed ones too, since the last clear. An atomic counts as a load and a store. */
struct ConvsmithCudaCounts {
    uint64_t thread_instructions; /* executed, summed over threads; not those whose guard is false */
    uint64_t fma_instructions;    /* of these: fma of any type, and mad of floating-point types */
    uint64_t global_load_bytes;   /* requested by threads, whatever a cache would merge */
    uint64_t global_store_bytes;
    uint64_t shared_load_bytes;
    uint64_t shared_store_bytes;
    uint64_t barriers;            /* passed by whole blocks */
    uint64_t launches;            /* that began to run */
    uint64_t pageable_copy_bytes; /* copied from or to memory of the host's that is not cuMemHostAlloc's */
};

/* Why the last failing call since the last clear failed: what happened, kernel, PTX line and text, block and
 * thread. "" if none failed. Valid until the calling thread asks again. */
const char *convsmith_cuda_emulator_message(void);

/* The totals, those of a launch in progress excluded. */
void convsmith_cuda_emulator_counts(struct ConvsmithCudaCounts *counts);

/* Forgets the message and sets the totals to zero. */
void convsmith_cuda_emulator_clear(void);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif
