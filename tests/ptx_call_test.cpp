// Calls of functions in the emulator of CUDA: what they pass and return, threads that part in them, and the
// faults that name them.
#include "tests/ptx_support.h"

namespace convsmith {
namespace {

/// `functions`, and a kernel that computes out[thread] = %r0 by `body`, %r1 being the thread.
std::string calling(const std::string &functions, const std::string &body, const std::string &behind = "") {
    return per_thread(body, functions, behind);
}

/// %`result` = `function`(%`argument`), 32 bits each, as LLVM writes it.
std::string call_of(const std::string &function, const std::string &result, const std::string &argument) {
    return R"(
    { // callseq 0, 0
    .reg .b32 temp_param_reg;
    .param .b32 param0;
    st.param.b32 [param0+0], %)" +
           argument + R"(;
    .param .b32 retval0;
    call.uni (retval0),
    )" + function +
           R"(,
    (
    param0
    );
    ld.param.b32 %)" +
           result + R"(, [retval0+0];
    }
)";
}

/// A function of one number, which is in %r1; it leaves its result in %r0.
std::string function_of(const std::string &name, const std::string &body) {
    return ".func (.param .b32 " + name + "_result) " + name + "(.param .b32 " + name + R"(_x)
{
    .reg .pred %p<4>;
    .reg .b32 %r<8>;
    ld.param.u32 %r1, [)" +
           name + "_x];\n" + body + R"(
    st.param.b32 [)" +
           name + R"(_result+0], %r0;
    ret;
}
)";
}

class PtxCall : public PtxTest {
protected:
    static void expect_each(const std::string &text, unsigned threads, std::uint32_t (*expected)(unsigned)) {
        const CUdeviceptr out = allocate(4 * threads);
        run(text, threads, out);
        const std::vector<std::uint32_t> values = download<std::uint32_t>(out, threads);
        for (unsigned i = 0; i < threads; i++)
            EXPECT_EQ(values[i], expected(i)) << "thread " << i;
    }
    static void expect_fault_of_call(CudaStatus status, const std::vector<std::string> &parts,
                                     const std::string &text, unsigned threads = 1) {
        expect_fault(status, parts, text, {}, {threads}, 0, allocate(4 * threads));
    }
    static void expect_refused(const std::vector<std::string> &parts, const std::string &text) {
        CUmodule module = nullptr;
        EXPECT_EQ(try_load(text, module), kInvalidPtx);
        for (const std::string &part : parts)
            EXPECT_NE(message().find(part), std::string::npos) << "no `" << part << "` in: " << message();
    }
};

const std::string kSquare = function_of("square", "mul.lo.s32 %r0, %r1, %r1; mov.u32 %r1, 0;");

TEST_F(PtxCall, RegistersOfTheFunctionAreItsOwn) {
    expect_each(calling(kSquare, call_of("square", "r2", "r1") + "add.s32 %r0, %r2, %r1;"), 40,
                [](unsigned i) { return i * i + i; });
}

TEST_F(PtxCall, ParametersOfAllTypesAndOffsets) {
    // A structure {u8, s16, v2.u32} and a double; the result is a double.
    const char *const sum = R"(
.visible .func (.param .f64 result) sum(.param .align 8 .b8 structure[16], .param .f64 x)
{
    .reg .b32 %r<6>;
    .reg .f64 %fd<4>;
    ld.param.u8 %r1, [structure];
    ld.param.s16 %r2, [structure+2];
    ld.param.v2.u32 {%r3, %r4}, [structure+8];
    ld.param.f64 %fd1, [x];
    add.s32 %r5, %r1, %r2;
    mad.lo.s32 %r5, %r3, 10, %r5;
    mad.lo.s32 %r5, %r4, 100, %r5;
    cvt.rn.f64.s32 %fd2, %r5;
    fma.rn.f64 %fd3, %fd2, 0d4000000000000000, %fd1;
    st.param.f64 [result], %fd3;
}
)";
    expect_each(calling(sum, R"(
    .param .align 8 .b8 argument[16];
    .param .f64 x;
    .param .f64 y;
    st.param.b8 [argument], 200;
    st.param.b16 [argument+2], -3;
    add.s32 %r2, %r1, 1;
    st.param.v2.b32 [argument+8], {%r1, %r2};
    st.param.f64 [x], 0d4010000000000000;
    call (y), sum, (argument, x);
    ld.param.f64 %fd1, [y];
    cvt.rzi.u32.f64 %r0, %fd1;
)"),
                33, [](unsigned i) { return 2 * (200 - 3 + 10 * i + 100 * (i + 1)) + 4; });
}

TEST_F(PtxCall, NestedCallsOfFunctionsDefinedLater) {
    const std::string declared = ".func (.param .b32 _) square(.param .b32 _);\n"
                                 ".weak .func (.param .b32 r) fourth(.param .b32 x) ;\n";
    const std::string fourth =
        ".weak " + function_of("fourth", call_of("square", "r2", "r1") + call_of("square", "r0", "r2"));
    expect_each(
        calling(declared,
                call_of("fourth", "r2", "r1") + call_of("square", "r3", "r1") + "sub.s32 %r0, %r2, %r3;",
                fourth + kSquare),
        32, [](unsigned i) { return i * i * i * i - i * i; });
}

TEST_F(PtxCall, AFunctionWithoutParameters) {
    const char *const trap = ".func stop() { trap; }\n.func nothing { ret; }\n";
    expect_each(calling(trap, "call nothing; call.uni nothing, (); mov.u32 %r0, 7;"), 2,
                [](unsigned) { return 7U; });
    expect_fault_of_call(kLaunchFailed, {"the kernel traps", "`trap` in function stop called at line 15"},
                         calling(trap, "call stop;"));
}

TEST_F(PtxCall, DivergentThreadsMeetBehindTheCall) {
    // Odd threads call, those above 20 by another way; all of them vote together then.
    const std::string text = calling(kSquare, R"(
    and.b32 %r2, %r1, 1;
    setp.eq.s32 %p1, %r2, 0;
    mov.u32 %r0, 1000;
    @%p1 bra $MEET;
    setp.gt.u32 %p2, %r1, 20;
    @%p2 bra $ABOVE;
)" + call_of("square", "r0", "r1") + R"(
    bra.uni $MEET;
$ABOVE:
    add.s32 %r3, %r1, 1;
)" + call_of("square", "r0", "r3") + R"(
$MEET:
    activemask.b32 %r4;
    setp.ne.s32 %p3, %r4, -1;
    @%p3 mov.u32 %r0, 12345;
)");
    expect_each(text, 64, [](unsigned i) { return i % 2 == 0 ? 1000 : i > 20 ? (i + 1) * (i + 1) : i * i; });
}

TEST_F(PtxCall, ACallUnderAPredicate) {
    const std::string text = calling(kSquare, R"(
    .param .b32 x;
    .param .b32 y;
    st.param.b32 [x], %r1;
    st.param.b32 [y], 5;
    setp.lt.u32 %p1, %r1, 10;
    @!%p1 call (y), square, (x);
    ld.param.b32 %r0, [y];
)");
    expect_each(text, 32, [](unsigned i) { return i < 10 ? 5 : i * i; });
}

TEST_F(PtxCall, ThreadsReturnAtDifferentPoints) {
    // Collatz: the number of steps to 1, at most 20. Both functions have a label $L.
    const std::string steps = R"(
.func (.param .b32 result) steps(.param .b32 x)
{
    .reg .pred %p<4>;
    .reg .b32 %r<8>;
    ld.param.b32 %r1, [x];
    mov.u32 %r2, 0;
    st.param.b32 [result], 0;
    setp.eq.s32 %p1, %r1, 0;
    @%p1 ret;
$L:
    st.param.b32 [result], %r2;
    setp.eq.s32 %p1, %r1, 1;
    @%p1 bra $DONE;
    setp.eq.s32 %p1, %r2, 20;
    @%p1 ret.uni;
    and.b32 %r3, %r1, 1;
    setp.eq.s32 %p2, %r3, 1;
    @!%p2 shr.u32 %r1, %r1, 1;
    @%p2 mad.lo.s32 %r1, %r1, 3, 1;
    add.s32 %r2, %r2, 1;
    bra.uni $L;
$DONE:
    ret;
}
)";
    const std::string body = call_of("steps", "r0", "r1") + R"(
    activemask.b32 %r4;
    setp.eq.s32 %p1, %r4, -1;
    @%p1 bra $L;
    mov.u32 %r0, 12345;
$L:
)" + call_of("steps", "r2", "r1") +
                             "mad.lo.s32 %r0, %r0, 100, %r2;";
    expect_each(calling(steps, body), 32, [](unsigned i) {
        unsigned n = 0;
        for (unsigned x = i; x > 1 && n < 20; n++)
            x = x % 2 == 0 ? x / 2 : 3 * x + 1;
        return 101 * n;
    });
}

TEST_F(PtxCall, ExitEndsTheThread) {
    const std::string text =
        calling(function_of("leave", "setp.gt.u32 %p1, %r1, 3; @%p1 exit; mov.u32 %r0, 9;"),
                call_of("leave", "r0", "r1"));
    const CUdeviceptr out = upload(std::vector<std::uint32_t>(8, 1));
    run(text, 8, out);
    EXPECT_EQ(download<std::uint32_t>(out, 8), std::vector<std::uint32_t>({9, 9, 9, 9, 1, 1, 1, 1}));
}

TEST_F(PtxCall, MemoryOfAFunction) {
    // Every call has its own local array; the shared one is the same for all.
    const std::string turn = function_of("turn", R"(
    .shared .align 4 .b8 tile[128];
    .local .align 4 .b8 depot[8];
    st.local.u32 [depot+4], %r1;
    mul.lo.s32 %r2, %r1, 4;
    setp.lt.u32 %p1, %r1, 32;
    @%p1 st.shared.u32 [%r2], %r1;
    bar.sync 0;
    xor.b32 %r2, %r2, 12;
    and.b32 %r2, %r2, 127;
    ld.shared.u32 %r0, [%r2];
    ld.local.u32 %r3, [depot+4];
    mad.lo.s32 %r0, %r3, 100, %r0;
)");
    const std::string body = R"(
    .local .align 8 .b8 depot[16];
    st.local.u32 [depot+4], 1;
)" + call_of("turn", "r2", "r1") +
                             R"(
    add.s32 %r3, %r1, 32;
)" + call_of("turn", "r4", "r3") +
                             R"(
    ld.local.u32 %r5, [depot+4];
    mad.lo.s32 %r0, %r2, 10000, %r4;
    add.s32 %r0, %r0, %r5;
)";
    expect_each(calling(turn, body), 32,
                [](unsigned i) { return (100 * i + (i ^ 3)) * 10000 + 100 * (i + 32) + (i ^ 3) + 1; });
}

TEST_F(PtxCall, FaultsNameTheFunctionAndItsCaller) {
    const std::string inner = function_of("inner", "st.shared.u32 [%r1+64], 0; mov.u32 %r0, 0;");
    const std::string outer = function_of("outer", call_of("inner", "r0", "r1"));
    expect_fault_of_call(kIllegalAddress,
                         {"shared write of 4 bytes at 0x40",
                          "kernel test, PTX line 9 `st.shared.u32 [%r1+64], 0` in function inner called at "
                          "line 24 in function outer called at line 50, block (0,0,0), thread (0,0,0)"},
                         calling(inner + outer, call_of("outer", "r0", "r1")));
}

TEST_F(PtxCall, NothingIsLeftOfAnEarlierCall) {
    // The second time round the loop the function neither writes `written` nor, of itself, what it reads.
    const auto text = [](const std::string &written, const std::string &read) {
        return calling(R"(
.func (.param .b32 result) once(.param .b32 x)
{
    .reg .pred %p<2>;
    .reg .b32 %r<4>;
    .local .align 4 .b8 depot[4];
    ld.param.b32 %r1, [x];
    setp.eq.s32 %p1, %r1, 0;
    @%p1 )" + written + R"(;
    )" + read + R"(
    ret;
}
)",
                       "mov.u32 %r2, 0;\n$LOOP:" + call_of("once", "r0", "r2") + R"(
    add.s32 %r2, %r2, 1;
    setp.lt.u32 %p1, %r2, COUNT;
    @%p1 bra $LOOP;
)");
    };
    const auto times = [](std::string whole, const char *count) {
        return whole.replace(whole.find("COUNT"), 5, count);
    };
    const std::string result = text("st.param.b32 [result], %r1", "");
    expect_each(times(result, "1"), 2, [](unsigned) { return 0U; });
    expect_fault_of_call(
        kLaunchFailed,
        {"parameter read of 4 bytes", "which nothing has written", "`ld.param.b32 %r0, [retval0+0]`, block"},
        times(result, "2"));
    const std::string local =
        text("st.local.u32 [depot], 6", "ld.local.u32 %r2, [depot]; st.param.b32 [result], %r2;");
    expect_each(times(local, "1"), 2, [](unsigned) { return 6U; });
    expect_fault_of_call(kLaunchFailed,
                         {"local read of 4 bytes", "which nothing has written", "in function once"},
                         times(local, "2"));
}

TEST_F(PtxCall, ArgumentsMustBeWritten) {
    expect_fault_of_call(kLaunchFailed,
                         {"parameter read of 4 bytes", "which nothing has written",
                          "`ld.param.u32 %r1, [square_x]` in function square"},
                         calling(kSquare, ".param .b32 x; .param .b32 y; call (y), square, (x);"));
}

TEST_F(PtxCall, WrongCallsAreNoPtx) {
    const auto text = [](const std::string &call) {
        return calling(".extern .func (.param .b32 r) sinh(.param .b32 x);\n" + kSquare,
                       ".param .b32 x; .param .b32 y; .param .b64 wide;\n" + call + "\n");
    };
    expect_refused(
        {"kernel test, PTX line 24 `call (y), sinh, (x)`", "the module does not define function `sinh`"},
        text("call (y), sinh, (x);"));
    expect_refused({"the module does not define function `cube`"}, text("call (y), cube, (x);"));
    expect_refused({"the call has 2 arguments, the function 1"}, text("call (y), square, (x, x);"));
    expect_refused({"the call has 0 results, the function 1"}, text("call square, (x);"));
    expect_refused({"`wide` has 8 bytes, `square_x` 4"}, text("call (y), square, (wide);"));
    expect_refused({"`y` cannot be a result and something else"}, text("call (y), square, (y);"));
    expect_refused({"`y` has only 4 bytes", "`st.param.b32 [y+2], %r1`"}, text("st.param.b32 [y+2], %r1;"));
    expect_refused({"function `square` is defined twice"}, kSquare + kSquare);
    // A function knows no names of its caller.
    expect_refused(
        {"PTX line 9 `mov.u32 %r0, %mine`: unknown name `%mine`"},
        calling(function_of("use", "mov.u32 %r0, %mine;"), ".reg .b32 %mine;" + call_of("use", "r0", "r1")));
}

TEST_F(PtxCall, CallsThatAreNotExecutedFailWhereTheyAreReached) {
    const std::string again =
        function_of("again", "setp.eq.s32 %p1, %r1, 0; @%p1 ret;" + call_of("again", "r0", "r1"));
    expect_fault_of_call(kIllegalInstruction,
                         {"does not execute recursive calls", "in function again called at line"},
                         calling(again, "add.s32 %r2, %r1, 1;" + call_of("again", "r0", "r2")));
    const auto text = [](const std::string &call) {
        return calling(".func (.reg .b32 %r) in_register(.reg .b32 %x) { ret; }\n" + kSquare,
                       "prototype_0 : .callprototype (.param .b32 _) _ (.param .b32 _);\n"
                       ".param .b32 x; .param .b32 y; setp.gt.u32 %p1, %r1, 5; mov.u32 %r0, 3;\n@%p1 " +
                           call + "\n");
    };
    for (const auto &[call, reason] :
         {std::pair("call (%r0), in_register, (%r1);", "passes only .param variables to functions"),
          std::pair("call (%r0), square, (%r1);", "passes only .param variables to functions"),
          std::pair("call (y), %rd1, (x), prototype_0;", "does not execute calls by address"),
          std::pair("call (y), vprintf, (x);", "lacks the functions that a driver brings")}) {
        expect_each(text(call), 6, [](unsigned) { return 3U; });
        expect_fault_of_call(kIllegalInstruction, {reason, "kernel test, PTX line ", "thread (6,0,0)"},
                             text(call), 7);
    }
}

} // namespace
} // namespace convsmith
