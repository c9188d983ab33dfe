/* Loaded into Bochs beside its own code: corrects KSHIFTLW and KSHIFTRW, which in Bochs up to 3.0 give 0 for
 * a shift by 15 of a mask of 16 bits (they compare `count < 15` instead of 16). LLVM uses such shifts to test
 * single lanes, so that compiled checks of arguments fail and masks go wrong. The compare is corrected in
 * memory, once the bytes there are found to be that compare; a Bochs without the mistake stays as it is. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEARCHED 32 /* bytes from a function's start in which it compares its count */

/* The immediate operand of `cmp register, 14` in the first bytes of `code`; NULL if there is none. */
static uint8_t *find_compare(uint8_t *code) {
    int i;
    for (i = 0; i + 2 < SEARCHED; i++) {
        const int is_32_bits = code[i] == 0x83 && code[i + 1] >= 0xf8; /* cmp r32, imm8 */
        const int is_8_bits = code[i] == 0x3c;                         /* cmp al, imm8 */
        uint8_t *immediate = code + i + (is_32_bits ? 2 : 1);
        if ((is_32_bits || is_8_bits) && *immediate == 14)
            return immediate;
    }
    return NULL;
}

static void correct(const char *function) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uint8_t *code = dlsym(RTLD_DEFAULT, function);
    uint8_t *immediate = code == NULL ? NULL : find_compare(code);
    void *start;
    if (immediate == NULL) {
        fprintf(stderr, "kshift: %s: %s\n", function,
                code == NULL ? "not in this program" : "no mistake found");
        return;
    }
    start = (void *)((uintptr_t)immediate / page * page);
    if (mprotect(start, page, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) {
        perror("kshift: mprotect");
        return;
    }
    *immediate = 15;
    mprotect(start, page, PROT_READ | PROT_EXEC);
}

__attribute__((constructor)) static void correct_both(void) {
    correct("_ZN8BX_CPU_C18KSHIFTLW_KGwKEwIbREP15bxInstruction_c");
    correct("_ZN8BX_CPU_C18KSHIFTRW_KGwKEwIbREP15bxInstruction_c");
}
