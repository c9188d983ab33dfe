// What programs of the emulator are made of beside arithmetic, by hand-worked results: loops, vectors, local
// and constant memory, shuffles, votes, atomics.
#include "tests/ptx_support.h"

namespace convsmith {
namespace {

class PtxProgram : public PtxTest {
protected:
    static std::vector<std::uint32_t> results(const std::string &text, unsigned threads) {
        const CUdeviceptr out = allocate(4 * threads);
        run(text, threads, out);
        return download<std::uint32_t>(out, threads);
    }
    static void expect_each(const std::string &text, unsigned threads, std::uint32_t (*expected)(unsigned)) {
        const std::vector<std::uint32_t> values = results(text, threads);
        for (unsigned i = 0; i < threads; i++)
            EXPECT_EQ(values[i], expected(i)) << "thread " << i;
    }
};

TEST_F(PtxProgram, LoopsOfDifferentLengthsMeetAgain) {
    // The sum of the numbers up to the thread's, then a vote that all lanes must reach together.
    const std::string text = per_thread(R"(
    mov.u32 %r0, 0;
    mov.u32 %r2, 0;
$LOOP:
    add.s32 %r0, %r0, %r2;
    add.s32 %r2, %r2, 1;
    setp.le.u32 %p1, %r2, %r1;
    @%p1 bra $LOOP;
    activemask.b32 %r3;
    setp.ne.s32 %p2, %r3, -1;
    @%p2 mov.u32 %r0, 12345;
)");
    expect_each(text, 64, [](unsigned i) { return i * (i + 1) / 2; });
}

TEST_F(PtxProgram, SharedAndLocalVectors) {
    expect_each(per_thread(R"(
    .shared .align 16 .b8 tile[1024];
    .local .align 16 .b8 depot[32];
    .reg .b64 %SP, %SPL;
    mov.u64 %SPL, depot;
    cvta.local.u64 %SP, %SPL;
    mul.wide.u32 %rd3, %r1, 16;
    mov.u64 %rd4, tile;
    add.s64 %rd4, %rd4, %rd3;
    add.s32 %r2, %r1, 1;
    st.shared.v4.u32 [%rd4], {%r1, %r2, 7, %r1};
    ld.shared.v2.u32 {%r3, %r4}, [%rd4];
    st.local.v2.u32 [%SPL+16], {%r4, %r3};
    ld.u32 %r5, [%SP+16];
    ld.local.u32 %r6, [%SPL+20];
    cvta.shared.u64 %rd5, %rd4;
    ld.u32 %r7, [%rd5+8];
    mad.lo.s32 %r0, %r5, 100, %r6;
    mad.lo.s32 %r0, %r0, 100, %r7;
)"),
                64, [](unsigned i) { return ((i + 1) * 100 + i) * 100 + 7; });
}

TEST_F(PtxProgram, NarrowLoadsExtendByTheirType) {
    expect_each(per_thread(R"(
    .shared .align 4 .b8 tile[8];
    st.shared.u32 [tile], 0x80ff7f01;
    ld.shared.s8 %r2, [tile+3];
    ld.shared.u8 %h1, [tile+2];
    ld.shared.s16 %rd3, [tile+2];
    cvt.u32.u16 %r3, %h1;
    cvt.u32.u64 %r4, %rd3;
    add.s32 %r0, %r2, %r3;
    add.s32 %r0, %r0, %r4;
)"),
                1, [](unsigned) { return 0xffff'ff80U + 0xff + 0xffff'80ffU; });
}

TEST_F(PtxProgram, ModuleVariablesHaveTheirValues) {
    const char *const globals = ".const .align 4 .u32 table[4] = {10, 20, 30, 40};\n"
                                ".global .align 2 .u16 shorts[3] = {1, 2};\n";
    expect_each(per_thread(R"(
    mul.wide.u32 %rd3, %r1, 4;
    mov.u64 %rd4, table;
    add.s64 %rd4, %rd4, %rd3;
    ld.const.u32 %r0, [%rd4];
    ld.global.u16 %h1, [shorts+2];
    ld.global.u16 %h2, [shorts+4];
    cvt.u32.u16 %r2, %h1;
    cvt.u32.u16 %r3, %h2;
    add.s32 %r0, %r0, %r2;
    add.s32 %r0, %r0, %r3;
)",
                           globals),
                4, [](unsigned i) { return 10 * (i + 1) + 2; });
    expect_fault(
        kIllegalAddress, {"constant memory"},
        ".const .u32 c;\n.entry test() { .reg .b64 %rd; mov.u64 %rd, c; st.global.u32 [%rd], 1; ret; }", {},
        {1}, 0);
}

TEST_F(PtxProgram, ShufflesMoveValuesBetweenLanes) {
    expect_each(per_thread("shfl.sync.idx.b32 %r0, %r1, 5, 31, -1;"), 32, [](unsigned) { return 5U; });
    expect_each(per_thread("shfl.sync.down.b32 %r0|%p1, %r1, 4, 31, -1; @!%p1 mov.u32 %r0, 99;"), 32,
                [](unsigned i) { return i + 4 < 32 ? i + 4 : 99; });
    expect_each(per_thread("shfl.sync.up.b32 %r0, %r1, 1, 0, -1;"), 64,
                [](unsigned i) { return i % 32 == 0 ? i : i - 1; });
    expect_each(per_thread("shfl.sync.bfly.b32 %r0, %r1, 3, 31, -1;"), 32, [](unsigned i) { return i ^ 3; });
    // Segments of 8 lanes: bounds 0x1800 | 7 keep the upper two bits of the lane.
    expect_each(per_thread("shfl.sync.idx.b32 %r0, %r1, 2, 0x181f, -1;"), 32,
                [](unsigned i) { return i / 8 * 8 + 2; });
    // The warp's other lanes do not exist.
    expect_each(per_thread("shfl.sync.bfly.b32 %r0, %r1, 1, 31, -1;"), 8, [](unsigned i) { return i ^ 1; });
    expect_fault(kLaunchFailed, {"reads lane 8 of its warp, which does not take part", "thread (4,0,0)"},
                 per_thread("shfl.sync.down.b32 %r0, %r1, 4, 31, -1;"), {}, {8}, 0, allocate(32));
}

TEST_F(PtxProgram, LanesWaitForEachOtherAtShuffles) {
    // Both halves of the warp come to the shuffle by different ways.
    const std::string text = per_thread(R"(
    setp.lt.u32 %p1, %r1, 16;
    mov.u32 %r2, %r1;
    @%p1 bra $LOW;
    add.s32 %r2, %r2, 100;
    JUMP
$LOW:
    shfl.sync.bfly.b32 %r0, %r2, 16, 31, -1;
)");
    std::string correct = text, stuck = text;
    correct.replace(correct.find("JUMP"), 4, "bra.uni $LOW;");
    expect_each(correct, 32, [](unsigned i) { return i < 16 ? i + 116 : i - 16; });
    stuck.replace(stuck.find("JUMP"), 4, "bar.sync 0;");
    expect_fault(kLaunchFailed, {"waits for lanes of its warp that never come here", "thread (0,0,0)"}, stuck,
                 {}, {32}, 0, allocate(128));
}

TEST_F(PtxProgram, VotesCountLanes) {
    expect_each(per_thread("setp.lt.u32 %p1, %r1, 3; vote.sync.ballot.b32 %r0, %p1, -1;"), 32,
                [](unsigned) { return 7U; });
    expect_each(
        per_thread("setp.lt.u32 %p1, %r1, 3; vote.sync.any.pred %p2, %p1, -1; selp.u32 %r0, 1, 0, %p2;"), 64,
        [](unsigned i) { return i < 32 ? 1U : 0U; });
    expect_each(
        per_thread("setp.lt.u32 %p1, %r1, 3; vote.sync.all.pred %p2, !%p1, -1; selp.u32 %r0, 1, 0, %p2;"), 64,
        [](unsigned i) { return i < 32 ? 0U : 1U; });
}

TEST_F(PtxProgram, AWarpBarrierOrdersItsWarp) {
    const auto text = [](const char *barrier) {
        return per_thread(std::string(R"(
    .shared .align 4 .b8 tile[128];
    shl.b32 %r2, %r1, 2;
    st.shared.u32 [%r2], %r1;
)") + barrier + R"(
    xor.b32 %r2, %r2, 4;
    ld.shared.u32 %r0, [%r2];
)");
    };
    expect_each(text("bar.warp.sync -1;"), 32, [](unsigned i) { return i ^ 1; });
    expect_fault(kLaunchFailed, {"races"}, text(""), {}, {32}, 0, allocate(128));
}

TEST_F(PtxProgram, AtomicsReturnWhatWasThere) {
    const CUdeviceptr data = upload<std::uint32_t>({10, 0x3fc0'0000, 5, 0xffff'ffff});
    run(R"(
.visible .entry test(.param .u64 data)
{
    .reg .b32 %r<4>;
    .reg .f32 %f<2>;
    .reg .b64 %rd<2>;
    ld.param.u64 %rd1, [data];
    atom.global.cas.b32 %r1, [%rd1], 10, 77;
    atom.global.add.f32 %f1, [%rd1+4], 0f40200000;
    atom.global.max.s32 %r2, [%rd1+8], -3;
    atom.global.inc.u32 %r3, [%rd1+12], 9;
    add.s32 %r1, %r1, %r2;
    st.global.u32 [%rd1+8], %r1;
    ret;
}
)",
        1, data);
    EXPECT_EQ(download<std::uint32_t>(data, 4), std::vector<std::uint32_t>({77, 0x4080'0000, 15, 0}));
}

} // namespace
} // namespace convsmith
