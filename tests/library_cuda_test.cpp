// Libraries of GPU kernels, from C: tensors of the device's in the caller's context and stream, what the
// driver says of failures, programs where there is no driver, two such libraries and Halide's own headers in
// one program. Their ops are in library_ops_test.cpp.
#include "tests/library_support.h"

#include <memory>

namespace convsmith {
namespace {

constexpr const char *kSumKey = "conv_ci8_i6x5_co24_k3_p1_bias";

/// What C programs share: a convolution of 8 to 24 channels whose weights, input and bias are small integers,
/// computed by the library's function for tensors of the host's.
constexpr const char *kProlog = R"(
#include <dlfcn.h>
#include <stdlib.h>

static float x[DEMO_SUM_INPUT_ELEMENTS], y[DEMO_SUM_OUTPUT_ELEMENTS], weights[24 * 8 * 9], bias[24];
static float *packed;
static demo_sum_args args;

static int prepare(void) {
    void *memory = NULL;
    int i;
    for (i = 0; i < DEMO_SUM_INPUT_ELEMENTS; i++)
        x[i] = (float)(i % 5 - 2);
    for (i = 0; i < 24 * 8 * 9; i++)
        weights[i] = (float)(i % 7 - 3);
    for (i = 0; i < 24; i++)
        bias[i] = (float)i;
    if (posix_memalign(&memory, DEMO_FILTER_ALIGNMENT, DEMO_SUM_FILTER_ELEMENTS * sizeof(float)) != 0)
        return 1;
    packed = (float *)memory;
    args.input = x;
    args.filter = packed;
    args.bias = bias;
    args.output = y;
    return demo_sum_pack(weights, packed);
}
)";

/// Functions of CUDA's driver, found as a program without CUDA's headers would.
constexpr const char *kDriver = R"(
static void *find(const char *name) {
    return dlsym(dlopen("libcuda.so.1", RTLD_NOW), name);
}

#define CALL(name, types, arguments)                                                                           \
    do {                                                                                                       \
        union {                                                                                                \
            void *object;                                                                                      \
            int(*function) types;                                                                              \
        } symbol;                                                                                              \
        symbol.object = find(name);                                                                            \
        if (symbol.object == NULL || symbol.function arguments != 0) {                                         \
            printf("%s failed\n", name);                                                                       \
            exit(1);                                                                                           \
        }                                                                                                      \
    } while (0)

static uint64_t upload(const void *host, size_t bytes) {
    uint64_t address = 0;
    CALL("cuMemAlloc_v2", (uint64_t *, size_t), (&address, bytes));
    if (host != NULL)
        CALL("cuMemcpyHtoD_v2", (uint64_t, const void *, size_t), (address, host, bytes));
    return address;
}
)";

class CudaLibrary : public testing::Test {
protected:
    static void SetUpTestSuite() {
        dir_ = std::make_unique<TempDir>();
        build_library({layer("sum", kSumKey)}, library_options("demo", dir_->path(), {"x86-64-linux-cuda"}));
    }
    static void TearDownTestSuite() { dir_.reset(); }

    void SetUp() override {
        if (!has_cuda())
            GTEST_SKIP() << "no CUDA device and no emulator";
    }

    static BuiltLibrary demo() { return {"demo", dir_->path()}; }
    static std::string program(const std::string &text) {
        return std::string("#include \"demo.h\"\n") + kProlog + kDriver + text;
    }

    static std::unique_ptr<TempDir> dir_;
};

std::unique_ptr<TempDir> CudaLibrary::dir_;

TEST_F(CudaLibrary, TensorsOnTheDeviceAreUsedInTheCallersContextAndStream) {
    EXPECT_EQ(run_c(cuda_toolchain(), program(R"(
int main(void) {
    float got[DEMO_SUM_OUTPUT_ELEMENTS], no_sum = 1e9f;
    void *context = NULL, *stream = NULL;
    demo_sum_args there;
    demo_device device;
    int call, code;
    if (prepare() != 0 || (code = demo_sum(&args)) != 0) {
        printf("on the host: %s\n", demo_device_message());
        return 1;
    }
    CALL("cuCtxCreate_v2", (void **, unsigned, int), (&context, 0u, 0));
    CALL("cuStreamCreate", (void **, unsigned), (&stream, 0u));
    there.input = (const float *)(uintptr_t)upload(x, sizeof x);
    there.filter = (const float *)(uintptr_t)upload(packed, DEMO_SUM_FILTER_ELEMENTS * sizeof(float));
    there.bias = (const float *)(uintptr_t)upload(bias, sizeof bias);
    there.output = (float *)(uintptr_t)upload(NULL, sizeof y);
    device.context = context;
    device.stream = stream;
    for (call = 0; call < 2; call++) {
        CALL("cuMemcpyHtoD_v2", (uint64_t, const void *, size_t),
             ((uint64_t)(uintptr_t)there.output, &no_sum, sizeof no_sum));
        code = demo_sum_on_device(&there, &device);
        if (code != 0) {
            printf("on the device: %s: %s\n", demo_error_text(code), demo_device_message());
            return 1;
        }
        CALL("cuStreamSynchronize", (void *), (stream));
        CALL("cuMemcpyDtoH_v2", (void *, uint64_t, size_t), (got, (uint64_t)(uintptr_t)there.output, sizeof got));
        printf("%d %d\n", memcmp(got, y, sizeof y), y[0] == 0);
    }
    return 0;
}
)"),
                    {demo()}),
              "0 0\n0 0\n");
}

TEST_F(CudaLibrary, WhatTheDriverSaysIsTheMessage) {
    if (cuda_driver().is_there())
        GTEST_SKIP() << "the overrun is the emulator's to see";
    const std::string output = run_c(cuda_toolchain(), program(R"(
int main(void) {
    demo_sum_args there;
    int code;
    if (prepare() != 0 || demo_sum(&args) != 0)
        return 1;
    void *context = NULL;
    CALL("cuDevicePrimaryCtxRetain", (void **, int), (&context, 0));
    CALL("cuCtxPushCurrent_v2", (void *), (context));
    there.input = (const float *)(uintptr_t)upload(x, sizeof x / 2);
    there.filter = (const float *)(uintptr_t)upload(packed, DEMO_SUM_FILTER_ELEMENTS * sizeof(float));
    there.bias = (const float *)(uintptr_t)upload(bias, sizeof bias);
    there.output = (float *)(uintptr_t)upload(NULL, sizeof y);
    code = demo_sum_on_device(&there, NULL);
    printf("%s: %s\n", demo_error_text(code), demo_device_message());
    return 0;
}
)"),
                                     {demo()});
    EXPECT_NE(output.find("the device failed"), std::string::npos) << output;
    EXPECT_NE(output.find("CUDA_ERROR_ILLEGAL_ADDRESS"), std::string::npos) << output;
}

TEST_F(CudaLibrary, WithoutADriverProgramsStartAndCallsSayWhatIsMissing) {
    if (cuda_driver().is_there())
        GTEST_SKIP() << "this machine has one";
    EXPECT_EQ(run_c(native_toolchain(), std::string("#include \"demo.h\"\n") + kProlog + R"(
int main(void) {
    int code, call;
    if (prepare() != 0) /* packing is the CPU's */
        return 1;
    for (call = 0; call < 2; call++) {
        code = demo_sum(&args);
        printf("%d %d\n", code == demo_error_device, demo_sum_on_device(&args, NULL) == code);
    }
    printf("%s\n", demo_device_message());
    args.bias = NULL;
    printf("%d\n", demo_sum(&args) == demo_error_bias);
    return 0;
}
)",
                    {demo()}),
              "1 1\n1 1\nthere is no CUDA driver: libcuda.so.1 does not load\n1\n");
}

TEST_F(CudaLibrary, TwoLibrariesAndHalidesHeadersShareAProgram) {
    const TempDir other;
    build_library(
        {layer("twice", "identity_ci4_i3_channel_scale"), layer("again", "identity_ci4_i3_channel_scale")},
        library_options("other", other.path(), {"x86-64-linux-cuda"}));
    Toolchain tools = cuda_toolchain();
    // C++, as a shared library of another file's would be: two files with the same headers.
    const TempDir files;
    write_text(files.path() / "second.cpp", R"(
#include <HalideRuntimeCuda.h>
#include "demo.h"
#include "other.h"
extern "C" int second(const float *x, const float *s, float *y);
extern "C" int second(const float *x, const float *s, float *y) {
    const other_again_args args = {x, s, y};
    return other_again(&args);
}
)");
    const std::string object = (files.path() / "second.o").string();
    output_of({"c++", "-Wall", "-Wextra", "-Werror", "-I" + (dir_->path() / "include").string(),
               "-I" + (other.path() / "include").string(), std::string("-I") + CONVSMITH_HALIDE_INCLUDE, "-c",
               "-o", object, (files.path() / "second.cpp").string()});
    tools.compiler.push_back(object);
    EXPECT_EQ(run_c(tools, R"(#include "demo.h"
#include "other.h"
)" + std::string(kProlog) + R"(
int second(const float *input, const float *scale, float *output);
int main(void) {
    const float in[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, scale[4] = {2, 2, 2, 2};
    float once[12], twice[12];
    other_twice_args first;
    first.input = in; first.scale = scale; first.output = once;
    if (prepare() != 0 || demo_sum(&args) != 0 || other_twice(&first) != 0 || second(once, scale, twice) != 0)
        printf("%s %s\n", demo_device_message(), other_device_message());
    printf("%g %g\n", (double)twice[0], (double)twice[11]);
    return 0;
}
)",
                    {demo(), {"other", other.path()}}),
              "4 48\n");
}

} // namespace
} // namespace convsmith
