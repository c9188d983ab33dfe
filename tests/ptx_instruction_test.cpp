// What the emulator's instructions compute, by hand-worked results; and what programs are made of beside
// arithmetic: vectors, local and constant memory, loops, shuffles, votes.
#include "tests/ptx_support.h"

#include <cstring>

namespace convsmith {
namespace {

/// One line of PTX from inputs 1 to 3 to output 0: %h (16 bits), %r (32), %rd (64), %f (f32), %fd (f64) hold
/// the same bits of each input; the result is the one whose name the line has, its missing upper bits zero.
struct Case {
    const char *line;
    std::vector<std::uint64_t> inputs;
    std::uint64_t result;
};

/// A kernel that computes line i into out[i] from three inputs at in[3 * i].
std::string kernel_of(const std::vector<Case> &cases) {
    std::string text = R"(
.visible .entry test(.param .u64 in, .param .u64 out)
{
    .reg .pred %p<4>;
    .reg .b16 %h<4>;
    .reg .b32 %r<4>;
    .reg .f32 %f<4>;
    .reg .f64 %fd<4>;
    .reg .b64 %rd<4>;
    .reg .b64 %in, %out;
    ld.param.u64 %in, [in];
    ld.param.u64 %out, [out];
)";
    for (std::size_t i = 0; i < cases.size(); i++) {
        for (int input = 1; input <= 3; input++) {
            const std::string n = std::to_string(input);
            text += "ld.global.u64 %rd" + n + ", [%in+" + std::to_string(24 * i + 8 * (input - 1)) + "];\n";
            text += "mov.b64 %fd" + n + ", %rd" + n + ";\ncvt.u32.u64 %r" + n + ", %rd" + n + ";\n";
            text += "mov.b32 %f" + n + ", %r" + n + ";\ncvt.u16.u64 %h" + n + ", %rd" + n + ";\n";
        }
        const std::string line = cases[i].line;
        text += line + "\n";
        for (const auto &[name, type] :
             {std::pair("%rd0", "u64"), {"%fd0", "f64"}, {"%r0", "u32"}, {"%f0", "f32"}, {"%h0", "u16"}}) {
            if (line.find(name) != std::string::npos)
                text += std::string("st.global.") + type + " [%out+" + std::to_string(8 * i) + "], " + name +
                        ";\n";
        }
    }
    return text + "ret;\n}\n";
}

void append_inputs(const Case &row, std::vector<std::uint64_t> &inputs) {
    for (std::size_t i = 0; i < 3; i++)
        inputs.push_back(i < row.inputs.size() ? row.inputs[i] : 0);
}

class PtxArithmetic : public PtxTest {
protected:
    static void expect(const std::vector<Case> &cases) {
        std::vector<std::uint64_t> inputs;
        for (const Case &row : cases)
            append_inputs(row, inputs);
        const CUdeviceptr in = upload(inputs), out = upload(std::vector<std::uint64_t>(cases.size(), 0));
        run(kernel_of(cases), 1, in, out);
        const std::vector<std::uint64_t> results = download<std::uint64_t>(out, cases.size());
        for (std::size_t i = 0; i < cases.size(); i++)
            EXPECT_EQ(results[i], cases[i].result) << cases[i].line << ": " << std::hex << results[i];
    }
};

constexpr std::uint64_t kMinus7 = 0xffff'ffff'ffff'fff9;
constexpr std::uint32_t kOne = 0x3f80'0000, kNan = 0x7fc0'0000, kInfinity = 0x7f80'0000;

std::uint64_t bits(float value) {
    std::uint32_t result;
    std::memcpy(&result, &value, sizeof result);
    return result;
}

std::uint64_t bits(double value) {
    std::uint64_t result;
    std::memcpy(&result, &value, sizeof result);
    return result;
}

TEST_F(PtxArithmetic, Integers) {
    expect({
        {"add.s32 %r0, %r1, %r2;", {0xffff'ffff, 2}, 1},
        {"sub.s16 %h0, %h1, %h2;", {1, 2}, 0xffff},
        {"mul.lo.s32 %r0, %r1, %r2;", {0x1'0001, 0x1'0001}, 0x2'0001},
        {"mul.lo.u16 %h0, %h1, %h2;", {0xffff, 0xffff}, 1},
        {"mul.hi.u32 %r0, %r1, %r2;", {0xffff'ffff, 2}, 1},
        {"mul.hi.s32 %r0, %r1, %r2;", {0xffff'ffff, 2}, 0xffff'ffff},
        {"mul.hi.u64 %rd0, %rd1, %rd2;", {~0ULL, 2}, 1},
        {"mul.hi.s64 %rd0, %rd1, %rd2;", {~0ULL, 2}, ~0ULL},
        {"mul.wide.s32 %rd0, %r1, %r2;", {kMinus7, 3}, 0xffff'ffff'ffff'ffeb},
        {"mul.wide.u32 %rd0, %r1, %r2;", {0xffff'ffff, 16}, 0xf'ffff'fff0},
        {"mul.wide.s16 %r0, %h1, %h2;", {0x8000, 0x8000}, 0x4000'0000},
        {"mad.lo.s32 %r0, %r1, %r2, %r3;", {kMinus7, 3, 22}, 1},
        {"mad.wide.s32 %rd0, %r1, %r2, %rd3;", {kMinus7, 3, 1ULL << 40}, (1ULL << 40) - 21},
        {"div.s32 %r0, %r1, %r2;", {kMinus7, 2}, 0xffff'fffd},
        {"rem.s32 %r0, %r1, %r2;", {kMinus7, 2}, 0xffff'ffff},
        {"div.u32 %r0, %r1, %r2;", {0xffff'fff9, 2}, 0x7fff'fffc},
        {"div.s32 %r0, %r1, %r2;", {0x8000'0000, 0xffff'ffff}, 0x8000'0000},
        {"rem.s64 %rd0, %rd1, %rd2;", {1ULL << 63, ~0ULL}, 0},
        {"min.s32 %r0, %r1, %r2;", {kMinus7, 3}, 0xffff'fff9},
        {"min.u32 %r0, %r1, %r2;", {kMinus7, 3}, 3},
        {"max.s64 %rd0, %rd1, 5;", {kMinus7}, 5},
        {"abs.s32 %r0, %r1;", {kMinus7}, 7},
        {"neg.s64 %rd0, %rd1;", {7}, kMinus7},
        {"slct.u32.s32 %r0, %r1, %r2, %r3;", {1, 2, 0x8000'0000}, 2},
        {"dp4a.s32.u32 %r0, %r1, %r2, %r3;", {0xff02'0304, 0x0201'0101, 100}, 100 + 9 - 2},
        {"dp2a.lo.s32.s32 %r0, %r1, %r2, %r3;", {0xffff'0005, 0x7f7f'02ff, 50}, 50 - 5 - 2},
        // 64-bit sums, differences and products in halves.
        {"{ .reg .b32 %t; add.cc.u32 %t, %r1, 1; addc.u32 %r0, %r2, %r3; }", {0xffff'ffff, 5, 10}, 16},
        {"{ .reg .b32 %t; sub.cc.u32 %t, %r1, 1; subc.s32 %r0, %r2, %r3; }", {0, 15, 10}, 4},
        {"{ .reg .b32 %t; mad.lo.cc.u32 %t, %r1, %r2, -1; madc.hi.u32 %r0, %r1, %r2, %r3; }",
         {0xffff'ffff, 0xffff'ffff, 3},
         0xffff'fffe + 3ULL + 1 - (1ULL << 32)},
        {"{ .reg .b64 %t; add.cc.s64 %t, %rd1, %rd1; addc.cc.s64 %t, %rd2, 0; addc.s64 %rd0, %rd3, 0; }",
         {1ULL << 63, ~0ULL, 6},
         7},
    });
}

TEST_F(PtxArithmetic, Bits) {
    expect({
        {"and.b32 %r0, %r1, 255;", {0x1234'5678}, 0x78},
        {"or.b64 %rd0, %rd1, %rd2;", {1ULL << 63, 1}, (1ULL << 63) + 1},
        {"xor.b16 %h0, %h1, %h2;", {0xff00, 0x0ff0}, 0xf0f0},
        {"not.b16 %h0, %h1;", {0x00ff}, 0xff00},
        {"shl.b32 %r0, %r1, 4;", {0xf000'000f}, 0xf0},
        {"shl.b32 %r0, %r1, 32;", {0xffff'ffff}, 0},
        {"shr.u32 %r0, %r1, 4;", {0xf000'0000}, 0x0f00'0000},
        {"shr.s32 %r0, %r1, 4;", {0xf000'0000}, 0xff00'0000},
        {"shr.s32 %r0, %r1, 99;", {0xf000'0000}, 0xffff'ffff},
        {"shr.s16 %h0, %h1, 8;", {0x8000}, 0xff80},
        {"bfe.u32 %r0, %r1, 8, 8;", {0x1234'f678}, 0xf6},
        {"bfe.s32 %r0, %r1, 8, 8;", {0x1234'f678}, 0xffff'fff6},
        {"bfe.s32 %r0, %r1, 28, 8;", {0x9000'0000}, 0xffff'fff9},
        {"bfe.u64 %rd0, %rd1, 60, 64;", {0x9ULL << 60}, 9},
        {"bfi.b32 %r0, %r1, %r2, 4, 8;", {0xabcd, 0xffff'ffff}, 0xffff'fcdf},
        {"prmt.b32 %r0, %r1, %r2, 0x9650;", {0x3322'11f0, 0x7766'5544}, 0x0066'55f0},
        {"shf.l.wrap.b32 %r0, %r1, %r2, 8;", {0xaa00'0000, 0x0000'00bb}, 0x0000'bbaa},
        {"shf.r.clamp.b32 %r0, %r1, %r2, 40;", {1, 2}, 2},
        {"popc.b64 %r0, %rd1;", {0xf0f0'0000'0000'0001}, 9},
        {"clz.b32 %r0, %r1;", {0x0000'8000}, 16},
        {"clz.b64 %r0, %rd1;", {0}, 64},
        {"brev.b32 %r0, %r1;", {3}, 0xc000'0000},
        {"mov.b64 %rd0, {%r1, %r2};", {1, 2}, 0x2'0000'0001},
        {"{ .reg .b32 %t; mov.b64 {%t, %r0}, %rd1; }", {0x2'0000'0001}, 2},
        {"mov.b32 %r0, {%h1, %h2};", {1, 2}, 0x2'0001},
    });
}

TEST_F(PtxArithmetic, Floats) {
    const std::uint64_t above_one = kOne + 1; // 1 + 2^-23, whose square is 1 + 2^-22 + 2^-46
    expect({
        {"add.f32 %f0, %f1, %f2;", {bits(1.5F), bits(2.25F)}, bits(3.75F)},
        {"fma.rn.f32 %f0, %f1, %f2, %f3;", {above_one, above_one, bits(-1.0F - 0x1p-22F)}, bits(0x1p-46F)},
        {"{ .reg .f32 %t; mul.rn.f32 %t, %f1, %f2; add.rn.f32 %f0, %t, %f3; }",
         {above_one, above_one, bits(-1.0F - 0x1p-22F)},
         0},
        {"fma.rn.f64 %fd0, %fd1, %fd2, %fd3;", {bits(3.0), bits(5.0), bits(-16.0)}, bits(-1.0)},
        {"div.rn.f32 %f0, %f1, %f2;", {kOne, bits(3.0F)}, 0x3eaa'aaab},
        {"rcp.rn.f64 %fd0, %fd1;", {bits(3.0)}, 0x3fd5'5555'5555'5555},
        {"sqrt.rn.f32 %f0, %f1;", {bits(2.0F)}, 0x3fb5'04f3},
        {"rsqrt.approx.f32 %f0, %f1;", {bits(4.0F)}, bits(0.5F)},
        {"ex2.approx.ftz.f32 %f0, %f1;", {bits(-3.0F)}, bits(0.125F)},
        {"lg2.approx.f32 %f0, %f1;", {bits(8.0F)}, bits(3.0F)},
        {"min.f32 %f0, %f1, %f2;", {kNan, kOne}, kOne},
        {"max.NaN.f32 %f0, %f1, %f2;", {kOne, kNan}, kNan},
        {"max.f32 %f0, %f1, %f2;", {0x8000'0000, 0}, 0},
        {"neg.f32 %f0, %f1;", {kOne}, bits(-1.0F)},
        {"abs.f64 %fd0, %fd1;", {bits(-2.0)}, bits(2.0)},
        {"copysign.f32 %f0, %f1, %f2;", {bits(-1.0F), bits(5.0F)}, bits(-5.0F)},
        {"add.f32 %f0, %f1, %f2;", {1, 1}, 2}, // subnormal
        {"add.ftz.f32 %f0, %f1, %f2;", {1, 0x8000'0001}, 0},
        {"mul.ftz.f32 %f0, %f1, %f2;", {0x8080'0000, bits(0.5F)}, 0x8000'0000},
        {"add.sat.f32 %f0, %f1, %f2;", {bits(0.75F), bits(0.75F)}, kOne},
        {"mul.sat.f32 %f0, %f1, %f2;", {kInfinity, 0}, 0},    // NaN
        {"add.f16 %h0, %h1, %h2;", {0x3c00, 0x1001}, 0x3c01}, // 1 + a little more than half of 2^-10
        {"fma.rn.f16 %h0, %h1, %h2, %h3;", {0x3c01, 0x3c01, 0xbc02}, 0x0010},  // 2^-20
        {"mul.f16x2 %r0, %r1, %r2;", {0x4000'3c00, 0x4200'4500}, 0x4600'4500}, // {1, 2} * {5, 3}
    });
}

TEST_F(PtxArithmetic, Conversions) {
    expect({
        {"cvt.rni.s32.f32 %r0, %f1;", {bits(2.5F)}, 2},
        {"cvt.rzi.s32.f32 %r0, %f1;", {bits(-1.9F)}, 0xffff'ffff},
        {"cvt.rmi.s32.f32 %r0, %f1;", {bits(-1.1F)}, 0xffff'fffe},
        {"cvt.rpi.s64.f64 %rd0, %fd1;", {bits(1.1)}, 2},
        {"cvt.rzi.s32.f32 %r0, %f1;", {bits(1e20F)}, 0x7fff'ffff},
        {"cvt.rzi.u32.f32 %r0, %f1;", {bits(-3.0F)}, 0},
        {"cvt.rzi.u64.f32 %rd0, %f1;", {bits(1e30F)}, ~0ULL},
        {"cvt.rzi.s32.f32 %r0, %f1;", {kNan}, 0},
        {"cvt.rmi.f32.f32 %f0, %f1;", {bits(-0.5F)}, bits(-1.0F)},
        {"cvt.sat.f32.f32 %f0, %f1;", {bits(7.0F)}, kOne},
        {"cvt.sat.f64.f32 %fd0, %f1;", {kNan}, 0},
        {"cvt.rn.ftz.f16.f32 %h0, %f1;", {bits(0x1p-24F)}, 1},
        {"cvt.rn.f32.s32 %f0, %r1;", {16777217}, bits(16777216.0F)},
        {"cvt.rp.f32.s32 %f0, %r1;", {16777217}, bits(16777218.0F)},
        {"cvt.rz.f32.u32 %f0, %r1;", {16777219}, bits(16777218.0F)},
        {"cvt.rn.f32.u64 %f0, %rd1;", {~0ULL}, bits(0x1p64F)},
        {"cvt.rn.f64.s32 %fd0, %r1;", {kMinus7}, bits(-7.0)},
        {"cvt.rn.f32.f64 %f0, %fd1;", {bits(1.0 + 0x1p-24)}, kOne},
        {"cvt.rp.f32.f64 %f0, %fd1;", {bits(1.0 + 0x1p-24)}, kOne + 1},
        {"cvt.rm.f32.f64 %f0, %fd1;", {bits(-1.0 - 0x1p-40)}, bits(-1.0F) + 1},
        {"cvt.f64.f32 %fd0, %f1;", {bits(0.1F)}, bits(static_cast<double>(0.1F))},
        {"cvt.s32.s8 %r0, %r1;", {0x1ff}, 0xffff'ffff},
        {"cvt.u64.u8 %rd0, %h1;", {0x1ff}, 0xff},
        {"cvt.u16.u64 %h0, %rd1;", {0x1'2345}, 0x2345},
        {"cvt.sat.u8.s32 %r0, %r1;", {kMinus7}, 0},
        {"cvt.sat.s8.s32 %r0, %r1;", {300}, 127},
        {"cvt.rn.f16.f32 %h0, %f1;", {bits(65520.0F)}, 0x7c00},
        {"cvt.rz.f16.f32 %h0, %f1;", {bits(65520.0F)}, 0x7bff},
        {"cvt.rn.f16.f32 %h0, %f1;", {bits(65519.0F)}, 0x7bff},
        {"cvt.rn.f16.f32 %h0, %f1;", {bits(1.0F + 0x1p-11F)}, 0x3c00}, // ties go to even
        {"cvt.rn.f16.f32 %h0, %f1;", {bits(1.0F + 3 * 0x1p-11F)}, 0x3c02},
        {"cvt.rn.f16.f32 %h0, %f1;", {bits(-0x1p-24F)}, 0x8001},
        {"cvt.rn.f16.f32 %h0, %f1;", {bits(0x1p-25F)}, 0},
        {"cvt.rn.f16.f32 %h0, %f1;", {bits(0x1p-14F - 0x1p-26F)}, 0x0400}, // up to the smallest normal
        {"cvt.f32.f16 %f0, %h1;", {0x0001}, bits(0x1p-24F)},
        {"cvt.f32.f16 %f0, %h1;", {0xfc00}, bits(-1.0F / 0.0F)},
        {"cvt.rn.f16x2.f32 %r0, %f1, %f2;", {bits(2.0F), kOne}, 0x4000'3c00},
        {"cvt.rn.f16.u16 %h0, %h1;", {2049}, 0x6800},
    });
}

TEST_F(PtxArithmetic, Predicates) {
    expect({
        {"setp.lt.s32 %p1, %r1, %r2; selp.b32 %r0, 5, 6, %p1;", {kMinus7, 3}, 5},
        {"setp.lo.u32 %p1, %r1, %r2; selp.b32 %r0, 5, 6, %p1;", {kMinus7, 3}, 6},
        {"setp.lt.s32 %p1, %r1, 0; setp.gt.and.s32 %p2, %r2, 2, %p1; selp.u32 %r0, 1, 0, %p2;",
         {kMinus7, 3},
         1},
        {"setp.gt.s32 %p1, %r1, 0; setp.gt.and.s32 %p2, %r2, 2, !%p1; selp.u32 %r0, 1, 0, %p2;",
         {kMinus7, 3},
         1},
        {"setp.gt.s32 %p1, %r1, 0; setp.lt.or.s32 %p2, %r2, 2, %p1; selp.u32 %r0, 1, 0, %p2;",
         {kMinus7, 3},
         0},
        {"setp.lt.s32 %p1, %r1, 0; setp.gt.xor.s32 %p2, %r2, 2, %p1; selp.u32 %r0, 1, 0, %p2;",
         {kMinus7, 3},
         0},
        {"setp.eq.s32 %p1|%p2, %r1, %r2; selp.u32 %r0, 1, 0, %p2;", {1, 2}, 1},
        {"setp.lt.f32 %p1, %f1, %f2; selp.u32 %r0, 1, 0, %p1;", {kNan, kOne}, 0},
        {"setp.geu.f32 %p1, %f1, %f2; selp.u32 %r0, 1, 0, %p1;", {kNan, kOne}, 1},
        {"setp.ne.f32 %p1, %f1, %f2; selp.u32 %r0, 1, 0, %p1;", {kNan, kOne}, 0},
        {"setp.neu.f64 %p1, %fd1, %fd2; selp.u32 %r0, 1, 0, %p1;", {bits(1.0), bits(1.0)}, 0},
        {"setp.nan.f32 %p1, %f1, %f2; selp.u32 %r0, 1, 0, %p1;", {kNan, kOne}, 1},
        {"setp.eq.ftz.f32 %p1, %f1, %f2; selp.u32 %r0, 1, 0, %p1;", {1, 0}, 1},
        {"setp.gt.f16 %p1, %h1, %h2; selp.u32 %r0, 1, 0, %p1;", {0xbc00, 0xc000}, 1},
        {"mov.pred %p1, 1; not.pred %p2, %p1; xor.pred %p1, %p1, %p2; selp.u32 %r0, 1, 0, %p1;", {}, 1},
        {"mov.u32 %r0, 3; setp.eq.s32 %p1, %r1, 0; @!%p1 mov.u32 %r0, 4; @%p1 mov.u32 %r0, 5;", {1}, 4},
        {"testp.infinite.f32 %p1, %f1; selp.u32 %r0, 1, 0, %p1;", {kInfinity}, 1},
        {"set.lt.u32.s32 %r0, %r1, 0;", {kMinus7}, 0xffff'ffff},
        {"selp.f64 %fd0, %fd1, %fd2, %p0;", {bits(1.0), bits(1.0)}, bits(1.0)},
    });
}

} // namespace
} // namespace convsmith
