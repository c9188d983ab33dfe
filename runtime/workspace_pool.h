/* Scratch memory that kernels keep between calls, in place of the Halide runtime's malloc: giving strips of
 * hundreds of kilobytes back to the system and faulting them in again takes longer than many layers compute.
 * Plain C without includes of its own: the JIT calls it (orc_linker.cpp), and the runtime of libraries has it
 * linked in as LLVM's code (library/runtime_object.h). */
#pragma once

#include <stddef.h> /* NOLINT(modernize-deprecated-headers): C as well */

#ifdef __cplusplus
extern "C" {
#endif

/* `bytes` aligned for vectors; a kept block if one of them is as large and not wasted on it. Null if there is
 * no memory. Any thread may call it at any time. */
void *convsmith_workspace_malloc(void *user_context, size_t bytes);

/* Keeps large blocks for later calls, frees others. `memory` may be null. */
void convsmith_workspace_free(void *user_context, void *memory);

/* Frees what is kept. Kernels may be running: what they use stays, and is kept when they end. */
void convsmith_workspace_release(void);

#ifdef __cplusplus
}
#endif
