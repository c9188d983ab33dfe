/* See workspace_pool.h. The pool lies in a table behind a lock that nobody waits for long: a thread that does
 * not get it does without the pool. */
#include "runtime/workspace_pool.h"

extern void *malloc(size_t bytes);
extern void free(void *memory);

enum {
    kAlignment = 128,       /* what Halide's own malloc gives */
    kLeastKept = 32 * 1024, /* malloc keeps smaller blocks itself */
    kMostKept = 256,        /* blocks: some threads times the few that a kernel holds at a time */
    kWaste = 4,             /* a block is at most so many times as large as what is asked for */
    kTries = 1000           /* for the lock: some microseconds */
};

/* Lies before the memory that it describes. */
typedef struct Header {
    void *allocation; /* what malloc returned */
    size_t bytes;
} Header;

static void *kept[kMostKept];
static int kept_count; /* the first entries of the table are in use */
static char lock;

static int try_lock(void) {
    int i;
    for (i = 0; i < kTries; i++) {
        if (!__atomic_load_n(&lock, __ATOMIC_RELAXED) && !__atomic_test_and_set(&lock, __ATOMIC_ACQUIRE))
            return 1;
    }
    return 0;
}

static void unlock(void) {
    __atomic_clear(&lock, __ATOMIC_RELEASE);
}

static Header *header_of(void *memory) {
    return (Header *)memory - 1;
}

static void *allocate(size_t bytes) {
    const size_t extra = kAlignment + sizeof(Header);
    char *allocation, *memory;
    if (bytes > (size_t)-1 - extra)
        return NULL;
    allocation = (char *)malloc(bytes + extra);
    if (allocation == NULL)
        return NULL;
    memory = allocation + extra;
    memory -= (size_t)memory % kAlignment;
    header_of(memory)->allocation = allocation;
    header_of(memory)->bytes = bytes;
    return memory;
}

static void *take_from_table(int i) {
    void *const memory = kept[i];
    kept[i] = kept[--kept_count];
    return memory;
}

/* The smallest kept block that holds `bytes`, or null; `outgrown` is then the largest that does not, or null:
 * it makes room for the new block, so that kept blocks of one use do not pile up. */
static void *take(size_t bytes, void **outgrown) {
    int i, best = -1, smaller = -1;
    *outgrown = NULL;
    if (!try_lock())
        return NULL;
    for (i = 0; i < kept_count; i++) {
        const size_t size = header_of(kept[i])->bytes;
        if (size >= bytes && size / kWaste <= bytes && (best < 0 || size < header_of(kept[best])->bytes))
            best = i;
        if (size < bytes && size >= bytes / kWaste && (smaller < 0 || size > header_of(kept[smaller])->bytes))
            smaller = i;
    }
    if (best >= 0) {
        void *const memory = take_from_table(best);
        unlock();
        return memory;
    }
    if (smaller >= 0)
        *outgrown = take_from_table(smaller);
    unlock();
    return NULL;
}

void *convsmith_workspace_malloc(void *user_context, size_t bytes) {
    void *memory, *outgrown;
    (void)user_context;
    if (bytes < kLeastKept)
        return allocate(bytes);
    memory = take(bytes, &outgrown);
    if (memory != NULL)
        return memory;
    if (outgrown != NULL)
        free(header_of(outgrown)->allocation);
    memory = allocate(bytes);
    if (memory == NULL) { /* what is kept may be what is missing */
        convsmith_workspace_release();
        memory = allocate(bytes);
    }
    return memory;
}

void convsmith_workspace_free(void *user_context, void *memory) {
    (void)user_context;
    if (memory == NULL)
        return;
    if (header_of(memory)->bytes >= kLeastKept && try_lock()) {
        const int is_kept = kept_count < kMostKept;
        if (is_kept)
            kept[kept_count++] = memory;
        unlock();
        if (is_kept)
            return;
    }
    free(header_of(memory)->allocation);
}

void convsmith_workspace_release(void) {
    for (;;) {
        void *memory = NULL;
        if (!try_lock())
            return;
        if (kept_count > 0)
            memory = take_from_table(kept_count - 1);
        unlock();
        if (memory == NULL)
            return;
        free(header_of(memory)->allocation);
    }
}
