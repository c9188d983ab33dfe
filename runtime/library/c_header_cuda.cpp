// The C header's part for libraries of GPU kernels (see c_header.h): the calls of CUDA that the Halide
// runtime does not make by itself. Device memory, contexts and streams are the caller's; what the driver says
// becomes a code and a message. Nothing here needs CUDA's headers or libraries, at build time or to start a
// program.
#include "runtime/library/c_header.h"
#include "runtime/library/text_template.h"

namespace convsmith::library {

std::string cuda_includes() {
    return "#include <pthread.h>\n#include <stdbool.h>\n#include <stdio.h>\n#include <string.h>\n";
}

std::string cuda_support(const Blanks &blanks) {
    return fill_in(
        R"text(/* Where a call runs: a CUcontext and a CUstream of it. Null context: the primary context of the first device,
 * which CUDA's runtime uses too. Null stream: the context's default stream. */
typedef struct @name@_device {
    void *context;
    void *stream;
} @name@_device;

/* More of the Halide runtime. */
struct halide_buffer_t;
void *halide_load_library(const char *name);
void *halide_get_library_symbol(void *library, const char *name);
int halide_copy_to_host(void *user_context, struct halide_buffer_t *buffer);
int halide_device_free(void *user_context, struct halide_buffer_t *buffer);
int halide_cuda_wrap_device_ptr(void *user_context, struct halide_buffer_t *buffer, uint64_t address);
int halide_cuda_detach_device_ptr(void *user_context, struct halide_buffer_t *buffer);
int halide_reuse_device_allocations(void *user_context, bool reuse);
void (*halide_set_error_handler(void (*handler)(void *, const char *)))(void *, const char *);
int (*halide_set_cuda_acquire_context(int (*handler)(void *, void **, bool)))(void *, void **, bool);
int (*halide_set_cuda_get_stream(int (*handler)(void *, void *, void **)))(void *, void *, void **);

/* What the library knows of the process, once however many files include this header. */
#define @NAME@_INTERNAL_ONCE __attribute__((weak))
@NAME@_INTERNAL_ONCE pthread_once_t @name@_internal_once = PTHREAD_ONCE_INIT;
@NAME@_INTERNAL_ONCE void *@name@_internal_primary_context = NULL;
@NAME@_INTERNAL_ONCE void (*@name@_internal_next_error)(void *, const char *) = NULL;
@NAME@_INTERNAL_ONCE int (*@name@_internal_next_context)(void *, void **, bool) = NULL;
@NAME@_INTERNAL_ONCE int (*@name@_internal_next_stream)(void *, void *, void **) = NULL;
@NAME@_INTERNAL_ONCE char @name@_internal_missing[200] = "";
@NAME@_INTERNAL_ONCE __thread const @name@_device *@name@_internal_current = NULL; /* of the call in progress */
@NAME@_INTERNAL_ONCE __thread char @name@_internal_message[1000] = "";

/* What the driver said when a call on this thread last returned @name@_error_device, in its words. */
static inline const char *@name@_device_message(void) { return @name@_internal_message; }

/* Handlers: ours for calls of this library, those there were for all others. */
static inline void @name@_internal_on_error(void *user_context, const char *message) {
    const size_t length = strlen(@name@_internal_message);
    if (@name@_internal_current != NULL)
        strncat(@name@_internal_message, message, sizeof @name@_internal_message - 1 - length);
    else
        @name@_internal_next_error(user_context, message);
}

static inline int @name@_internal_on_context(void *user_context, void **context, bool create) {
    if (@name@_internal_current == NULL)
        return @name@_internal_next_context(user_context, context, create);
    *context = @name@_internal_current->context;
    if (*context == NULL)
        *context = @name@_internal_primary_context;
    return 0;
}

static inline int @name@_internal_on_stream(void *user_context, void *context, void **stream) {
    if (@name@_internal_current == NULL)
        return @name@_internal_next_stream(user_context, context, stream);
    *stream = @name@_internal_current->stream;
    return 0;
}

/* Runs once in a process, before the first kernel. */
static inline void @name@_internal_start(void) {
    union { /* C forbids casts of objects to functions */
        void *object;
        int (*init)(unsigned flags);
        int (*retain)(void **context, int device);
    } symbol;
    void *driver = halide_load_library("libcuda.so.1");
    int code;
    if (driver == NULL) {
        snprintf(@name@_internal_missing, sizeof @name@_internal_missing,
                 "there is no CUDA driver: libcuda.so.1 does not load");
        return;
    }
    symbol.object = halide_get_library_symbol(driver, "cuInit");
    code = symbol.object == NULL ? 999 : symbol.init(0);
    if (code == 0) {
        symbol.object = halide_get_library_symbol(driver, "cuDevicePrimaryCtxRetain");
        code = symbol.object == NULL ? 999 : symbol.retain(&@name@_internal_primary_context, 0);
    }
    if (code != 0) {
        snprintf(@name@_internal_missing, sizeof @name@_internal_missing,
                 "CUDA's first device does not start: CUDA error %d", code);
        return;
    }
    @name@_internal_next_error = halide_set_error_handler(@name@_internal_on_error);
    @name@_internal_next_context = halide_set_cuda_acquire_context(@name@_internal_on_context);
    @name@_internal_next_stream = halide_set_cuda_get_stream(@name@_internal_on_stream);
    halide_reuse_device_allocations(NULL, true); /* freeing waits for the device otherwise */
}

/* Calls a kernel with tensors of the host's, which are copied to the device and back, or, where `device` is
 * given, of the device's. Bit i of `written` says that the kernel writes tensor i. */
static inline int @name@_internal_launch(int (*kernel)(void **), @name@_internal_tensor *const *tensors, int count,
                                         uint64_t written, const @name@_device *device) {
    const @name@_device primary = {NULL, NULL};
    void *arguments[@most@];
    int i, wrapped = 0, code = 0;
    @name@_internal_message[0] = '\0';
    pthread_once(&@name@_internal_once, @name@_internal_start);
    if (@name@_internal_primary_context == NULL) {
        memcpy(@name@_internal_message, @name@_internal_missing, sizeof @name@_internal_missing);
        return @name@_error_device;
    }
    @name@_internal_current = device != NULL ? device : &primary;
    for (i = 0; i < count && code == 0; i++) {
        @name@_buffer *const buffer = &tensors[i]->buffer;
        arguments[i] = buffer;
        if (device != NULL) {
            const uint64_t address = (uint64_t)(uintptr_t)buffer->host;
            buffer->host = NULL;
            code = halide_cuda_wrap_device_ptr(NULL, (struct halide_buffer_t *)(void *)buffer, address);
            wrapped += code == 0;
            buffer->flags = 2; /* the device's contents count */
        } else if ((written >> i & 1) == 0) {
            buffer->flags = 1; /* the host's contents count */
        }
    }
    if (code == 0)
        code = kernel(arguments);
    for (i = 0; i < count && device == NULL && code == 0; i++) {
        if ((written >> i & 1) != 0)
            code = halide_copy_to_host(NULL, (struct halide_buffer_t *)arguments[i]);
    }
    for (i = 0; i < (device != NULL ? wrapped : count); i++) {
        struct halide_buffer_t *const buffer = (struct halide_buffer_t *)(void *)&tensors[i]->buffer;
        if (device != NULL)
            halide_cuda_detach_device_ptr(NULL, buffer);
        else if (tensors[i]->buffer.device != 0)
            halide_device_free(NULL, buffer);
    }
    @name@_internal_current = NULL;
    return code == 0 ? 0 : @name@_error_device;
}

)text",
        blanks);
}

std::string cuda_functions(const Blanks &blanks) {
    return fill_in(R"(static inline int @name@_@id@(const @name@_@id@_args *args) {
    return @name@_internal_call_@id@(args, NULL);
}

static inline int @name@_@id@_on_device(const @name@_@id@_args *args, const @name@_device *device) {
    const @name@_device primary = {NULL, NULL};
    return @name@_internal_call_@id@(args, device != NULL ? device : &primary);
}

)",
                   blanks);
}

} // namespace convsmith::library
