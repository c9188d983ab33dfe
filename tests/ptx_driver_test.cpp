// The emulator's driver: entries check their arguments as CUDA does, copies of rows go where they should,
// handles end with their context.
#include "tests/ptx_support.h"

#include <cstring>
#include <thread>

namespace convsmith {
namespace {

using PtxDriver = PtxTest;

constexpr const char *kEmpty = ".visible .entry test() { ret; }";

template<typename Function>
std::string status_string(const char *entry, int status) {
    const char *text = nullptr;
    emulator_function<Function>(entry)(status, &text);
    return text ? text : "none";
}

TEST_F(PtxDriver, NamesStatusesAsCudaDoes) {
    const auto name = [](int status) {
        return status_string<decltype(cuGetErrorName)>("cuGetErrorName", status);
    };
    EXPECT_EQ(name(kSuccess), "CUDA_SUCCESS");
    EXPECT_EQ(name(kIllegalAddress), "CUDA_ERROR_ILLEGAL_ADDRESS");
    EXPECT_EQ(name(kLaunchFailed), "CUDA_ERROR_LAUNCH_FAILED");
    EXPECT_EQ(name(12345), "none");
    EXPECT_EQ(status_string<decltype(cuGetErrorString)>("cuGetErrorString", kIllegalAddress),
              "an illegal memory access was encountered");
}

TEST_F(PtxDriver, DescribesItsDevice) {
    int count = 0, major = 0, minor = 0, version = 0;
    EXPECT_EQ(call<decltype(cuDeviceGetCount)>("cuDeviceGetCount", &count), kSuccess);
    EXPECT_EQ(count, 1);
    EXPECT_EQ(call<decltype(cuDeviceGetAttribute)>("cuDeviceGetAttribute", &major, 75, 0), kSuccess);
    EXPECT_EQ(call<decltype(cuDeviceGetAttribute)>("cuDeviceGetAttribute", &minor, 76, 0), kSuccess);
    EXPECT_EQ(10 * major + minor, 80);
    EXPECT_EQ(call<decltype(cuDeviceGetAttribute)>("cuDeviceGetAttribute", &minor, 100000, 0), kInvalidValue);
    EXPECT_EQ(call<decltype(cuDeviceGetAttribute)>("cuDeviceGetAttribute", &minor, 76, 1), kInvalidDevice);
    char name[64];
    EXPECT_EQ(call<decltype(cuDeviceGetName)>("cuDeviceGetName", name, 64, 0), kSuccess);
    EXPECT_STREQ(name, "convsmith PTX emulator");
    EXPECT_EQ(call<decltype(cuDriverGetVersion)>("cuDriverGetVersion", &version), kSuccess);
    EXPECT_GE(version, 11000);
}

TEST_F(PtxDriver, AThreadWithoutAContextIsRefused) {
    CUresult allocation = kSuccess, current = kInvalidContext;
    std::thread([&] {
        CUdeviceptr address = 0;
        allocation = call<decltype(cuMemAlloc_v2)>("cuMemAlloc_v2", &address, std::size_t{4});
        CUcontext context = nullptr;
        current = call<decltype(cuCtxGetCurrent)>("cuCtxGetCurrent", &context);
        EXPECT_EQ(context, nullptr);
    }).join();
    EXPECT_EQ(allocation, kInvalidContext);
    EXPECT_EQ(current, kSuccess);
    EXPECT_EQ(message(), "cuMemAlloc_v2: the calling thread has no current context");
}

TEST_F(PtxDriver, HandlesEndWithTheirContext) {
    CUcontext context = nullptr, current = nullptr;
    ASSERT_EQ(call<decltype(cuCtxCreate_v2)>("cuCtxCreate_v2", &context, 0U, 0), kSuccess);
    const CUdeviceptr memory = allocate(16);
    CUfunction function = kernel(kEmpty);
    EXPECT_EQ(launch(function, {}, {1}, 0), kSuccess);
    ASSERT_EQ(call<decltype(cuCtxDestroy_v2)>("cuCtxDestroy_v2", context), kSuccess);
    ASSERT_EQ(call<decltype(cuCtxGetCurrent)>("cuCtxGetCurrent", &current), kSuccess);
    EXPECT_NE(current, context);
    EXPECT_NE(current, nullptr) << "the test's own";
    EXPECT_EQ(launch(function, {}, {1}, 0), kInvalidHandle);
    EXPECT_EQ(call<decltype(cuMemFree_v2)>("cuMemFree_v2", memory), kInvalidValue);
    EXPECT_EQ(call<decltype(cuCtxDestroy_v2)>("cuCtxDestroy_v2", context), kInvalidContext);
    EXPECT_EQ(call<decltype(cuCtxPushCurrent_v2)>("cuCtxPushCurrent_v2", context), kInvalidContext);
}

TEST_F(PtxDriver, PrimaryContextLivesWhileItIsRetained) {
    CUcontext first = nullptr, second = nullptr;
    ASSERT_EQ(call<decltype(cuDevicePrimaryCtxRetain)>("cuDevicePrimaryCtxRetain", &first, 0), kSuccess);
    ASSERT_EQ(call<decltype(cuDevicePrimaryCtxRetain)>("cuDevicePrimaryCtxRetain", &second, 0), kSuccess);
    EXPECT_EQ(first, second);
    const auto release = [] {
        return call<decltype(cuDevicePrimaryCtxRelease_v2)>("cuDevicePrimaryCtxRelease_v2", 0);
    };
    EXPECT_EQ(release(), kSuccess);
    EXPECT_EQ(call<decltype(cuCtxPushCurrent_v2)>("cuCtxPushCurrent_v2", first), kSuccess);
    EXPECT_EQ(call<decltype(cuCtxPopCurrent_v2)>("cuCtxPopCurrent_v2", &second), kSuccess);
    EXPECT_EQ(first, second);
    EXPECT_EQ(release(), kSuccess);
    EXPECT_EQ(release(), kInvalidContext);
}

TEST_F(PtxDriver, ModulesAnswerOnlyForWhatTheyHave) {
    CUmodule module =
        load(".visible .global .align 4 .u32 table[3] = {7, 8, 9};\n.visible .entry test() { ret; }");
    CUfunction function = nullptr, again = nullptr;
    const auto find = [&](const char *name, CUfunction *out) {
        return call<decltype(cuModuleGetFunction)>("cuModuleGetFunction", out, module, name);
    };
    EXPECT_EQ(find("other", &function), kNotFound);
    EXPECT_EQ(find("test", nullptr), kInvalidValue);
    EXPECT_EQ(find("test", &function), kSuccess);
    EXPECT_EQ(find("test", &again), kSuccess);
    EXPECT_EQ(function, again);
    CUdeviceptr address = 0;
    std::size_t bytes = 0;
    ASSERT_EQ(call<decltype(cuModuleGetGlobal_v2)>("cuModuleGetGlobal_v2", &address, &bytes, module, "table"),
              kSuccess);
    EXPECT_EQ(bytes, 12U);
    EXPECT_EQ(download<unsigned>(address, 3), std::vector<unsigned>({7, 8, 9}));
    ASSERT_EQ(call<decltype(cuModuleUnload)>("cuModuleUnload", module), kSuccess);
    EXPECT_EQ(call<decltype(cuModuleUnload)>("cuModuleUnload", module), kInvalidHandle);
    EXPECT_EQ(launch(function, {}, {1}, 0), kInvalidHandle);
}

TEST_F(PtxDriver, RefusesTextThatIsNoPtx) {
    CUmodule module = nullptr;
    const std::pair<const char *, const char *> cases[] = {
        {".entry test() { add.s32 %r1, %r1, 1; }", "line 4 `add.s32 %r1, %r1, 1`: unknown register `%r1`"},
        {".entry test() { .reg .b64 %r1; add.s32 %r1, %r1, 1; }", "`%r1` is not of the instruction's width"},
        {".entry test() {\n bra $NOWHERE; }", "PTX line 5: there is no label `$NOWHERE`"},
        {".entry test() { ret }", "an operand cannot begin with `}`"},
        {".entry test() { ret;", "unexpected end"},
        {"int main() {}", "PTX line 4: unknown directive `int`"},
    };
    for (const auto &[text, expected] : cases) {
        EXPECT_EQ(try_load(text, module), kInvalidPtx);
        EXPECT_NE(message().find(expected), std::string::npos) << message();
    }
    EXPECT_EQ(call<decltype(cuModuleLoadData)>("cuModuleLoadData", &module, ".version 8.0\n.target sm_90\n"),
              kNoBinaryForGpu);
}

TEST_F(PtxDriver, CopiesStayWithinAllocations) {
    const CUdeviceptr from = upload<int>({1, 2, 3, 4}), to = allocate(16);
    int values[8] = {};
    const auto to_host = [&](CUdeviceptr address, std::size_t bytes) {
        return call<decltype(cuMemcpyDtoH_v2)>("cuMemcpyDtoH_v2", values, address, bytes);
    };
    EXPECT_EQ(call<decltype(cuMemcpyDtoD_v2)>("cuMemcpyDtoD_v2", to, from, std::size_t{16}), kSuccess);
    EXPECT_EQ(download<int>(to, 4), std::vector<int>({1, 2, 3, 4}));
    EXPECT_EQ(to_host(to, 17), kInvalidValue);
    EXPECT_NE(message().find("runs over the end of the 16 bytes"), std::string::npos) << message();
    EXPECT_EQ(to_host(to + 16, 1), kInvalidValue);
    EXPECT_EQ(to_host(to, 0), kSuccess);
    EXPECT_EQ(call<decltype(cuMemcpyHtoD_v2)>("cuMemcpyHtoD_v2", to, static_cast<const void *>(nullptr),
                                              std::size_t{4}),
              kInvalidValue);
    ASSERT_EQ(call<decltype(cuMemFree_v2)>("cuMemFree_v2", to), kSuccess);
    EXPECT_EQ(call<decltype(cuMemFree_v2)>("cuMemFree_v2", to), kInvalidValue);
    EXPECT_EQ(call<decltype(cuMemFree_v2)>("cuMemFree_v2", from + 4), kInvalidValue);
    EXPECT_EQ(to_host(to, 4), kInvalidValue);
    CUdeviceptr huge = 0;
    EXPECT_EQ(call<decltype(cuMemAlloc_v2)>("cuMemAlloc_v2", &huge, std::size_t{1} << 40), kOutOfMemory);
    EXPECT_EQ(call<decltype(cuMemAlloc_v2)>("cuMemAlloc_v2", &huge, std::size_t{0}), kInvalidValue);
}

TEST_F(PtxDriver, CopiesBoxes) {
    // The 2x2x2 box at (1, 1, 0) of 4 x 3 x 2 bytes, to (0, 1, 0) of rows of 3 bytes in planes of 4 rows.
    std::vector<std::uint8_t> source(24);
    for (std::size_t i = 0; i < source.size(); i++)
        source[i] = static_cast<std::uint8_t>(i);
    const CUdeviceptr to = upload(std::vector<std::uint8_t>(24, 99));
    CUDA_MEMCPY3D copy = {};
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = source.data();
    copy.srcXInBytes = copy.srcY = 1;
    copy.srcPitch = 4;
    copy.srcHeight = 3;
    copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.dstDevice = to;
    copy.dstY = 1;
    copy.dstPitch = 3;
    copy.dstHeight = 4;
    copy.WidthInBytes = copy.Height = copy.Depth = 2;
    const auto run_copy = [&] { return call<decltype(cuMemcpy3D_v2)>("cuMemcpy3D_v2", &copy); };
    ASSERT_EQ(run_copy(), kSuccess) << message();
    const std::vector<std::uint8_t> copied = download<std::uint8_t>(to, 24);
    EXPECT_EQ(copied, std::vector<std::uint8_t>({99, 99, 99, 5,  6,  99, 9,  10, 99, 99, 99, 99,
                                                 99, 99, 99, 17, 18, 99, 21, 22, 99, 99, 99, 99}));
    copy.srcPitch = 2;
    EXPECT_EQ(run_copy(), kInvalidValue);
    copy.srcPitch = 4;
    copy.dstZ = 1;
    EXPECT_EQ(run_copy(), kInvalidValue) << "beyond the allocation";
}

TEST_F(PtxDriver, MemoryOfTheHostAndOfThePointer) {
    void *host = nullptr;
    ASSERT_EQ(call<decltype(cuMemAllocHost_v2)>("cuMemAllocHost_v2", &host, std::size_t{16}), kSuccess);
    std::memset(host, 1, 16);
    EXPECT_EQ(call<decltype(cuMemFreeHost)>("cuMemFreeHost", host), kSuccess);
    EXPECT_EQ(call<decltype(cuMemFreeHost)>("cuMemFreeHost", host), kInvalidValue);
    const CUdeviceptr memory = allocate(100);
    std::size_t bytes = 0, free_bytes = 0, total_bytes = 0;
    constexpr int range_size = 12;
    EXPECT_EQ(call<decltype(cuPointerGetAttribute)>("cuPointerGetAttribute", &bytes, range_size, memory + 99),
              kSuccess);
    EXPECT_EQ(bytes, 100U);
    EXPECT_EQ(
        call<decltype(cuPointerGetAttribute)>("cuPointerGetAttribute", &bytes, range_size, memory + 100),
        kInvalidValue);
    EXPECT_EQ(call<decltype(cuMemGetInfo_v2)>("cuMemGetInfo_v2", &free_bytes, &total_bytes), kSuccess);
    EXPECT_LE(free_bytes + 100, total_bytes);
}

TEST_F(PtxDriver, StreamsAndEventsAreCheckedHandles) {
    CUstream stream = nullptr;
    CUevent start = nullptr, end = nullptr;
    ASSERT_EQ(call<decltype(cuStreamCreate)>("cuStreamCreate", &stream, 0U), kSuccess);
    ASSERT_EQ(call<decltype(cuEventCreate)>("cuEventCreate", &start, 0U), kSuccess);
    ASSERT_EQ(call<decltype(cuEventCreate)>("cuEventCreate", &end, 0U), kSuccess);
    float milliseconds = -1;
    const auto elapsed = [&] {
        return call<decltype(cuEventElapsedTime)>("cuEventElapsedTime", &milliseconds, start, end);
    };
    EXPECT_EQ(call<decltype(cuEventRecord)>("cuEventRecord", start, stream), kSuccess);
    EXPECT_EQ(elapsed(), kInvalidHandle) << "the end is not recorded";
    EXPECT_EQ(call<decltype(cuEventRecord)>("cuEventRecord", end, stream), kSuccess);
    EXPECT_EQ(call<decltype(cuEventSynchronize)>("cuEventSynchronize", end), kSuccess);
    EXPECT_EQ(elapsed(), kSuccess);
    EXPECT_GE(milliseconds, 0);
    EXPECT_EQ(call<decltype(cuStreamSynchronize)>("cuStreamSynchronize", stream), kSuccess);
    EXPECT_EQ(call<decltype(cuStreamDestroy_v2)>("cuStreamDestroy_v2", stream), kSuccess);
    EXPECT_EQ(call<decltype(cuStreamQuery)>("cuStreamQuery", stream), kInvalidHandle);
    EXPECT_EQ(call<decltype(cuEventDestroy_v2)>("cuEventDestroy_v2", end), kSuccess);
    EXPECT_EQ(elapsed(), kInvalidHandle);
}

} // namespace
} // namespace convsmith
