// The emulator of CUDA (tests/emulated/ptx) loaded by its path, and a context in it to run hand-written PTX:
// for the tests of the emulator itself.
#pragma once

#include "tests/emulated/ptx/cuda_api.h"
#include "tests/emulated/ptx/emulator.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace convsmith {

/// CUDA's statuses that tests expect.
enum CudaStatus : int {
    kSuccess = 0,
    kInvalidValue = 1,
    kOutOfMemory = 2,
    kInvalidDevice = 101,
    kInvalidContext = 201,
    kNoBinaryForGpu = 209,
    kInvalidPtx = 218,
    kInvalidHandle = 400,
    kNotFound = 500,
    kIllegalAddress = 700,
    kLaunchOutOfResources = 701,
    kIllegalInstruction = 715,
    kMisalignedAddress = 716,
    kLaunchFailed = 719
};

/// A function of the emulator.
template<typename Function>
Function *emulator_function(const char *name) {
    static void *const library = dlopen(CONVSMITH_CUDA_EMULATOR, RTLD_NOW | RTLD_LOCAL);
    void *const function = library ? dlsym(library, name) : nullptr;
    EXPECT_NE(function, nullptr) << dlerror();
    return reinterpret_cast<Function *>(function);
}

struct Shape {
    unsigned x = 1, y = 1, z = 1;
};

/// A test with a context, gone with its memory when the test ends.
class PtxTest : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_EQ(call<decltype(cuInit)>("cuInit", 0U), kSuccess);
        ASSERT_EQ(call<decltype(cuCtxCreate_v2)>("cuCtxCreate_v2", &context_, 0U, 0), kSuccess);
        emulator_function<decltype(convsmith_cuda_emulator_clear)>("convsmith_cuda_emulator_clear")();
    }
    void TearDown() override { call<decltype(cuCtxDestroy_v2)>("cuCtxDestroy_v2", context_); }

    template<typename Function, typename... Args>
    static CUresult call(const char *name, Args... args) {
        return emulator_function<Function>(name)(args...);
    }

    static std::string message() {
        return emulator_function<decltype(convsmith_cuda_emulator_message)>(
            "convsmith_cuda_emulator_message")();
    }

    static ConvsmithCudaCounts counts() {
        ConvsmithCudaCounts counts;
        emulator_function<decltype(convsmith_cuda_emulator_counts)>("convsmith_cuda_emulator_counts")(
            &counts);
        return counts;
    }

    /// A buffer on the device that holds `values`.
    template<typename T>
    static CUdeviceptr upload(const std::vector<T> &values) {
        const CUdeviceptr address = allocate(values.size() * sizeof(T));
        EXPECT_EQ(call<decltype(cuMemcpyHtoD_v2)>("cuMemcpyHtoD_v2", address, values.data(),
                                                  values.size() * sizeof(T)),
                  kSuccess);
        return address;
    }

    /// One that nothing wrote.
    static CUdeviceptr allocate(std::size_t bytes) {
        CUdeviceptr address = 0;
        EXPECT_EQ(call<decltype(cuMemAlloc_v2)>("cuMemAlloc_v2", &address, bytes), kSuccess);
        return address;
    }

    template<typename T>
    static std::vector<T> download(CUdeviceptr address, std::size_t count) {
        std::vector<T> values(count);
        EXPECT_EQ(
            call<decltype(cuMemcpyDtoH_v2)>("cuMemcpyDtoH_v2", values.data(), address, count * sizeof(T)),
            kSuccess);
        return values;
    }

    /// The module of `text`, which goes without its first three directives.
    static CUmodule load(const std::string &text) {
        CUmodule module = nullptr;
        EXPECT_EQ(try_load(text, module), kSuccess) << message();
        return module;
    }
    static CUresult try_load(const std::string &text, CUmodule &module) {
        const std::string whole = ".version 7.0\n.target sm_80\n.address_size 64\n" + text;
        return call<decltype(cuModuleLoadData)>("cuModuleLoadData", &module, whole.c_str());
    }

    /// The only kernel of a module, whose name is `test`.
    static CUfunction kernel(const std::string &text) {
        CUfunction function = nullptr;
        EXPECT_EQ(call<decltype(cuModuleGetFunction)>("cuModuleGetFunction", &function, load(text), "test"),
                  kSuccess);
        return function;
    }

    /// Launches with parameters of the types of `args`.
    template<typename... Args>
    static CUresult launch(CUfunction function, Shape grid, Shape block, unsigned shared_bytes,
                           Args... args) {
        void *parameters[] = {&args..., nullptr};
        return emulator_function<decltype(cuLaunchKernel)>("cuLaunchKernel")(
            function, grid.x, grid.y, grid.z, block.x, block.y, block.z, shared_bytes, nullptr, parameters,
            nullptr);
    }

    /// Launches a kernel that must run, on one block.
    template<typename... Args>
    static void run(const std::string &text, unsigned threads, Args... args) {
        EXPECT_EQ(launch(kernel(text), {}, {threads}, 0, args...), kSuccess) << message();
    }

    /// Launches a kernel that must fail with this status, and a message that has all of `parts`.
    template<typename... Args>
    static void expect_fault(CudaStatus status, const std::vector<std::string> &parts,
                             const std::string &text, Shape grid, Shape block, unsigned shared_bytes,
                             Args... args) {
        EXPECT_EQ(launch(kernel(text), grid, block, shared_bytes, args...), status);
        for (const std::string &part : parts)
            EXPECT_NE(message().find(part), std::string::npos) << "no `" << part << "` in: " << message();
    }

private:
    CUcontext context_ = nullptr;
};

/// The kernel `body` over out[thread], %r1 being the thread; it leaves the value in %r0. `globals` stand
/// before it, `behind` after.
inline std::string per_thread(const std::string &body, const std::string &globals = "",
                              const std::string &behind = "") {
    return globals + R"(
.visible .entry test(.param .u64 out)
{
    .reg .pred %p<4>;
    .reg .b16 %h<4>;
    .reg .b32 %r<8>;
    .reg .f32 %f<8>;
    .reg .b64 %rd<8>; .reg .f64 %fd<4>;
    mov.u32 %r1, %tid.x;
)" + body + R"(
    ld.param.u64 %rd1, [out];
    mul.wide.u32 %rd2, %r1, 4;
    add.s64 %rd1, %rd1, %rd2;
    st.global.u32 [%rd1], %r0;
    ret;
}
)" + behind;
}

} // namespace convsmith
