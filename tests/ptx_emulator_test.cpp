// The emulator of CUDA: each kind of wrong access fails the launch with CUDA's status and a message that
// names the place, and its correct twin passes. What instructions compute: ptx_instruction_test.cpp; the
// driver: ptx_driver_test.cpp.
#include "tests/ptx_support.h"

namespace convsmith {
namespace {

/// out[i] = a[i] + b[i] for i < n; the thread's number is in %r1, 4 times it in %rd4.
constexpr const char *kVectorAdd = R"(
.visible .entry test(.param .u64 a, .param .u64 b, .param .u64 out, .param .u32 n)
{
    .reg .pred %p<2>;
    .reg .b32 %r<6>;
    .reg .f32 %f<4>;
    .reg .b64 %rd<12>;
    ld.param.u64 %rd1, [a];
    ld.param.u64 %rd2, [b];
    ld.param.u64 %rd3, [out];
    ld.param.u32 %r5, [n];
    mov.u32 %r2, %ctaid.x;
    mov.u32 %r3, %ntid.x;
    mov.u32 %r4, %tid.x;
    mad.lo.s32 %r1, %r2, %r3, %r4;
    setp.ge.s32 %p1, %r1, %r5;
    @%p1 bra $DONE;
    mul.wide.s32 %rd4, %r1, 4;
    add.s64 %rd5, %rd1, %rd4;
    add.s64 %rd6, %rd2, %rd4;
    add.s64 %rd7, %rd3, %rd4;
    ld.global.nc.f32 %f1, [%rd5];
    ld.global.nc.f32 %f2, [%rd6];
    add.rn.f32 %f3, %f1, %f2;
    st.global.f32 [%rd7], %f3;
$DONE:
    ret;
}
)";

/// Reverses 64 numbers through shared memory: thread t writes [t] and reads [63 - t] behind `between`.
std::string reversal(const std::string &between) {
    return R"(
.visible .entry test(.param .u64 out)
{
    .reg .b32 %r<8>;
    .reg .b64 %rd<6>;
    .shared .align 4 .b8 tile[256];
    ld.param.u64 %rd1, [out];
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd2, %r1, 4;
    mov.u64 %rd3, tile;
    add.s64 %rd4, %rd3, %rd2;
    st.shared.u32 [%rd4], %r1;
)" + between +
           R"(
    sub.s64 %rd5, %rd3, %rd2;
    ld.shared.u32 %r2, [%rd5+252];
    add.s64 %rd1, %rd1, %rd2;
    st.global.u32 [%rd1], %r2;
    ret;
}
)";
}

using PtxEmulator = PtxTest;

TEST_F(PtxEmulator, AddsVectors) {
    const CUdeviceptr a = upload<float>({1, 2, 3, 4, 5}), b = upload<float>({10, 20, 30, 40, 50});
    const CUdeviceptr out = upload<float>({-1, -1, -1, -1, -1});
    ASSERT_EQ(launch(kernel(kVectorAdd), {2}, {3}, 0, a, b, out, 4), kSuccess) << message();
    EXPECT_EQ(download<float>(out, 5), std::vector<float>({11, 22, 33, 44, -1}));
    EXPECT_EQ(message(), "");
}

TEST_F(PtxEmulator, CountsWhatThreadsDo) {
    const CUdeviceptr a = upload<float>({1, 2, 3, 4}), out = allocate(16);
    ASSERT_EQ(launch(kernel(kVectorAdd), {2}, {3}, 0, a, a, out, 4), kSuccess) << message();
    const ConvsmithCudaCounts adds = counts();
    // 4 threads execute 18 instructions and no branch, 2 threads 10 of the first, the branch and the last.
    EXPECT_EQ(adds.thread_instructions, 4U * 18 + 2 * 11);
    EXPECT_EQ(adds.global_load_bytes, 4U * 8);
    EXPECT_EQ(adds.global_store_bytes, 4U * 4);
    emulator_function<decltype(convsmith_cuda_emulator_clear)>("convsmith_cuda_emulator_clear")();
    run(reversal("bar.sync 0;"), 64, allocate(256));
    const ConvsmithCudaCounts reverses = counts();
    EXPECT_EQ(reverses.shared_load_bytes, 256U);
    EXPECT_EQ(reverses.shared_store_bytes, 256U);
    EXPECT_EQ(reverses.barriers, 1U);
    EXPECT_EQ(reverses.launches, 1U);
    EXPECT_EQ(reverses.fma_instructions, 0U);
}

TEST_F(PtxEmulator, BarrierOrdersSharedMemory) {
    const CUdeviceptr out = allocate(256);
    run(reversal("bar.sync 0;"), 64, out);
    const std::vector<unsigned> reversed = download<unsigned>(out, 64);
    for (unsigned i = 0; i < 64; i++)
        EXPECT_EQ(reversed[i], 63 - i);
}

TEST_F(PtxEmulator, FindsRaceInSharedMemoryWithinAWarp) {
    expect_fault(
        kLaunchFailed,
        {"shared read of 4 bytes at 0x7c races with the access by thread (31,0,0) of block (0,0,0)",
         "`st.shared.u32 [%rd4], %r1`", "kernel test", "`ld.shared.u32 %r2, [%rd5+124]`",
         "block (0,0,0), thread (0,0,0)"},
        [] {
            std::string text = reversal("");
            return text.replace(text.find("+252"), 4, "+124");
        }(),
        {}, {32}, 0, allocate(128));
}

TEST_F(PtxEmulator, FindsRaceInSharedMemoryBetweenWarps) {
    // The second warp writes what the first one has read in the same interval between barriers.
    const std::string text = R"(
.visible .entry test()
{
    .reg .pred %p<2>;
    .reg .b32 %r<4>;
    .shared .align 4 .b8 tile[256];
    mov.u32 %r1, %tid.x;
    shl.b32 %r2, %r1, 2;
    st.shared.u32 [%r2], %r1;
    bar.sync 0;
    ld.shared.u32 %r3, [0];
    setp.ne.s32 %p1, %r1, 40;
    @%p1 bra $SKIP;
    BARRIER
    st.shared.u32 [0], %r1;
$SKIP:
    ret;
}
)";
    std::string racy = text, correct = text;
    racy.replace(racy.find("BARRIER"), 7, "");
    expect_fault(
        kLaunchFailed,
        {"shared write of 4 bytes at 0x0 races with the accesses by several threads, among them thread (",
         "PTX line 18 `st.shared.u32 [0], %r1`", "thread (40,0,0)"},
        racy, {}, {64}, 0);
    correct.replace(correct.find("BARRIER"), 7, "");
    correct.insert(correct.find("    setp"), "    bar.sync 0;\n");
    run(correct, 64);
}

TEST_F(PtxEmulator, WritesOfTheSameValueRace) {
    const std::string text = R"(
.visible .entry test(.param .u64 out)
{
    .reg .b32 %r<2>;
    .reg .b64 %rd<2>;
    ld.param.u64 %rd1, [out];
    mov.u32 %r1, 7;
    st.global.u32 [%rd1], %r1;
    ret;
}
)";
    const CUdeviceptr out = allocate(4);
    run(text, 1, out);
    expect_fault(kLaunchFailed,
                 {"global write of 4 bytes", "races with the access by thread (0,0,0)", "thread (1,0,0)"},
                 text, {}, {2}, 0, out);
    // Across blocks no barrier helps, and the message names both blocks.
    expect_fault(kLaunchFailed,
                 {"races with the access by thread (0,0,0) of block (0,0,0)", "block (1,0,0), thread"}, text,
                 {2}, {1}, 0, out);
    EXPECT_EQ(launch(kernel(text), {}, {1}, 0, out), kSuccess) << "launches are ordered";
}

TEST_F(PtxEmulator, FindsRaceInGlobalMemoryBetweenBlocks) {
    // Every block reads its neighbour's element behind its own write.
    const std::string text = R"(
.visible .entry test(.param .u64 data, .param .u32 neighbour)
{
    .reg .b32 %r<4>;
    .reg .b64 %rd<4>;
    ld.param.u64 %rd1, [data];
    ld.param.u32 %r3, [neighbour];
    mov.u32 %r1, %ctaid.x;
    mul.wide.u32 %rd2, %r1, 4;
    add.s64 %rd2, %rd1, %rd2;
    st.global.u32 [%rd2], %r1;
    xor.b32 %r1, %r1, %r3;
    mul.wide.u32 %rd3, %r1, 4;
    add.s64 %rd3, %rd1, %rd3;
    ld.global.u32 %r2, [%rd3];
    ret;
}
)";
    const CUdeviceptr data = upload<unsigned>({0, 0});
    EXPECT_EQ(launch(kernel(text), {2}, {1}, 0, data, 0), kSuccess) << message();
    expect_fault(kLaunchFailed, {"global write of 4 bytes", "races", "of block (0,0,0)", "block (1,0,0)"},
                 text, {2}, {1}, 0, data, 1);
}

TEST_F(PtxEmulator, BytesOfAWordDoNotRace) {
    const CUdeviceptr out = upload<unsigned>({0x7f7f7f7f});
    run(R"(
.visible .entry test(.param .u64 out)
{
    .reg .b32 %r<2>;
    .reg .b64 %rd<4>;
    ld.param.u64 %rd1, [out];
    ld.global.u32 %r1, [%rd1];
    bar.sync 0;
    mov.u32 %r1, %tid.x;
    cvt.u64.u32 %rd2, %r1;
    add.s64 %rd3, %rd1, %rd2;
    st.global.u8 [%rd3], %r1;
    ret;
}
)",
        4, out);
    EXPECT_EQ(download<unsigned>(out, 1)[0], 0x03020100U);
}

TEST_F(PtxEmulator, AtomicsDoNotRaceAmongThemselves) {
    const auto text = [](const char *access) {
        return std::string(R"(
.visible .entry test(.param .u64 sum)
{
    .reg .b32 %r<3>;
    .reg .b64 %rd<2>;
    ld.param.u64 %rd1, [sum];
    mov.u32 %r1, %tid.x;
    atom.global.add.u32 %r2, [%rd1], %r1;
    red.global.add.u32 [%rd1], 1;
)") + access + "\n    ret;\n}\n";
    };
    const CUdeviceptr sum = upload<unsigned>({5});
    EXPECT_EQ(launch(kernel(text("")), {3}, {64}, 0, sum), kSuccess) << message();
    EXPECT_EQ(download<unsigned>(sum, 1)[0], 5U + 3 * (63 * 64 / 2 + 64));
    expect_fault(kLaunchFailed, {"global read of 4 bytes", "races", "`red.global.add.u32 [%rd1], 1`"},
                 text("ld.global.u32 %r1, [%rd1];"), {}, {2}, 0, sum);
}

TEST_F(PtxEmulator, ReadOnlyLoadsMayNotSeeTheLaunchsOwnWrites) {
    const CUdeviceptr data = upload<unsigned>({1});
    const std::string text = R"(
.visible .entry test(.param .u64 data)
{
    .reg .b32 %r<2>;
    .reg .b64 %rd<2>;
    ld.param.u64 %rd1, [data];
    st.global.u32 [%rd1], 1;
    ld.global.nc.u32 %r1, [%rd1];
    ret;
}
)";
    expect_fault(kLaunchFailed,
                 {"read-only cache", "`st.global.u32 [%rd1], 1`", "`ld.global.nc.u32 %r1, [%rd1]`"}, text, {},
                 {1}, 0, data);
}

TEST_F(PtxEmulator, FindsOverrunOfGlobalMemory) {
    const CUdeviceptr a = upload<float>({1, 2, 3, 4}), b = upload<float>({1, 2, 3, 4, 5, 6, 7, 8}),
                      out = allocate(32);
    expect_fault(kIllegalAddress,
                 {"cuLaunchKernel: global read of 4 bytes", "0 bytes past the end of the 16 bytes",
                  "kernel test", "PTX line 25 `ld.global.nc.f32 %f1, [%rd5]`",
                  "block (1,0,0), thread (1,0,0)"},
                 kVectorAdd, {2}, {3}, 0, a, b, out, 5);
    expect_fault(kIllegalAddress, {"global write of 4 bytes", "`st.global.f32 [%rd7], %f3`"}, kVectorAdd, {},
                 {8}, 0, b, b, a, 8);
    expect_fault(kIllegalAddress, {"which is 16 bytes before the 16 bytes"}, kVectorAdd, {}, {8}, 0, a - 16,
                 b, out, 8);
    ASSERT_EQ(call<decltype(cuMemFree_v2)>("cuMemFree_v2", a), kSuccess);
    expect_fault(kIllegalAddress, {"in freed memory (16 bytes"}, kVectorAdd, {}, {1}, 0, a, b, out, 1);
    EXPECT_EQ(launch(kernel(kVectorAdd), {}, {8}, 0, b, b, out, 8), kSuccess) << "later launches work";
}

TEST_F(PtxEmulator, FindsOverrunOfSharedMemory) {
    std::string text = reversal("bar.sync 0;");
    text.replace(text.find("+252"), 4, "+256");
    expect_fault(
        kIllegalAddress,
        {"shared read of 4 bytes at 0x100, outside the block's 256 bytes of shared memory", "thread (0,0,0)"},
        text, {}, {64}, 0, allocate(256));
    // Dynamic shared memory counts; the address is right then, but nobody has written there.
    expect_fault(kLaunchFailed, {"which nothing in this block has written yet"}, text, {}, {64}, 16,
                 allocate(256));
}

TEST_F(PtxEmulator, FindsMisalignedVectorLoad) {
    const std::string text = R"(
.visible .entry test(.param .u64 data)
{
    .reg .f32 %f<4>;
    .reg .b64 %rd<2>;
    ld.param.u64 %rd1, [data];
    ld.global.v4.f32 {%f0, %f1, %f2, %f3}, [%rd1+8];
    ret;
}
)";
    const CUdeviceptr data = upload<float>({1, 2, 3, 4, 5, 6, 7, 8});
    expect_fault(kMisalignedAddress,
                 {"global read of 16 bytes at", "which is no multiple of 16",
                  "`ld.global.v4.f32 {%f0, %f1, %f2, %f3}, [%rd1+8]`"},
                 text, {}, {1}, 0, data);
    run(text, 1, data + 8);
}

TEST_F(PtxEmulator, FindsReadsOfWhatNothingWrote) {
    const CUdeviceptr a = upload<float>({1, 2}), b = allocate(8), out = allocate(8);
    expect_fault(kLaunchFailed,
                 {"global read of 4 bytes", "which nothing has written", "`ld.global.nc.f32 %f2, [%rd6]`"},
                 kVectorAdd, {}, {2}, 0, a, b, out, 2);
    ASSERT_EQ(call<decltype(cuMemsetD32_v2)>("cuMemsetD32_v2", b, 0x40400000U, std::size_t{2}), kSuccess);
    run(kVectorAdd, 2, a, b, out, 2);
    EXPECT_EQ(download<float>(out, 2), std::vector<float>({4, 5}));
    // Shared memory of another block is not this block's.
    const std::string text = R"(
.visible .entry test()
{
    .reg .pred %p<2>;
    .reg .b32 %r<3>;
    .shared .align 4 .b8 tile[4];
    mov.u32 %r1, %ctaid.x;
    setp.ne.s32 %p1, %r1, 0;
    @!%p1 st.shared.u32 [tile], %r1;
    ld.shared.u32 %r2, [tile];
    ret;
}
)";
    EXPECT_EQ(launch(kernel(text), {1}, {1}, 0), kSuccess) << message();
    expect_fault(
        kLaunchFailed,
        {"shared read of 4 bytes at 0x0, which nothing in this block has written yet", "block (1,0,0)"}, text,
        {2}, {1}, 0);
}

/// Threads below `limit` wait at a barrier in one place; the others do what `others` says.
std::string partial_barrier(int limit, const std::string &others) {
    return R"(
.visible .entry test()
{
    .reg .pred %p<2>;
    .reg .b32 %r<3>;
    mov.u32 %r1, %tid.x;
    setp.ge.s32 %p1, %r1, )" +
           std::to_string(limit) + R"(;
    @%p1 bra $OTHERS;
    bar.sync 0;
    bra.uni $END;
$OTHERS:
    )" + others +
           R"(
$END:
    ret;
}
)";
}

TEST_F(PtxEmulator, FindsBarriersThatThreadsMiss) {
    expect_fault(kLaunchFailed,
                 {"waits at a barrier that thread (20,0,0) of its block never reaches",
                  "PTX line 12 `bar.sync 0`", "thread (0,0,0)"},
                 partial_barrier(20, ""), {}, {64}, 0);
    expect_fault(kLaunchFailed,
                 {"waits at one barrier while thread (0,0,0) waits at another, PTX line 12 `bar.sync 0`",
                  "PTX line 15 `bar.sync 0`", "thread (40,0,0)"},
                 partial_barrier(40, "bar.sync 0;"), {}, {64}, 0);
    run(partial_barrier(64, "bar.sync 0;"), 64);
}

TEST_F(PtxEmulator, UnknownInstructionsFailWhereTheyAreReached) {
    const std::string text = R"(
.visible .entry test(.param .u32 go)
{
    .reg .pred %p<2>;
    .reg .b32 %r<3>;
    ld.param.u32 %r1, [go];
    setp.eq.s32 %p1, %r1, 0;
    @%p1 ret;
    frobnicate.sync.u32 %r1, %r2;
    ret;
}
)";
    EXPECT_EQ(launch(kernel(text), {}, {1}, 0, 0), kSuccess) << message();
    expect_fault(kIllegalInstruction,
                 {"does not know this instruction", "PTX line 12 `frobnicate.sync.u32 %r1, %r2`"}, text, {},
                 {1}, 0, 1);
    expect_fault(kIllegalInstruction, {"`@!%p1 add.rz.f32 %f0, %f0, %f0`"},
                 ".entry test() { .reg .pred %p<2>; .reg .f32 %f0; mov.pred %p1, 0;\n"
                 "@!%p1 add.rz.f32 %f0, %f0, %f0;\n}",
                 {}, {1}, 0);
}

TEST_F(PtxEmulator, RefusesLaunchesThatADeviceRefuses) {
    const std::string text = ".entry test() .maxntid 64, 1, 1 { .shared .align 4 .b8 tile[40000]; ret; }";
    expect_fault(kInvalidValue, {"kernel test: 2048 threads along one side of a block, at most 1024"}, text,
                 {}, {2048}, 0);
    expect_fault(kInvalidValue, {"kernel test: 1056 threads in a block, at most 1024"}, text, {}, {33, 32},
                 0);
    expect_fault(kLaunchOutOfResources, {"65 threads in a block of a kernel that allows, at most 64"}, text,
                 {}, {65}, 0);
    expect_fault(kInvalidValue, {"no blocks along one side of the grid, (1,0,1)"}, text, {1, 0}, {1}, 0);
    expect_fault(kInvalidValue, {"kernel test: 50000 bytes of shared memory, at most 49152"}, text, {}, {1},
                 10000);
    CUfunction function = kernel(text);
    const int max_dynamic_shared = 8;
    ASSERT_EQ(call<decltype(cuFuncSetAttribute)>("cuFuncSetAttribute", function, max_dynamic_shared, 10000),
              kSuccess);
    EXPECT_EQ(launch(function, {}, {1}, 10000), kSuccess) << message();
    EXPECT_EQ(call<decltype(cuFuncSetAttribute)>("cuFuncSetAttribute", function, max_dynamic_shared, 150000),
              kInvalidValue);
}

} // namespace
} // namespace convsmith
