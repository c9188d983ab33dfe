// What the tests of the JIT share: options, problems run and judged, errors as text. Used by jit_test.cpp and
// kernel_run_test.cpp.
#pragma once

#include "runtime/kernel.h"
#include "runtime/oracle.h"
#include "runtime/temp_dir.h"
#include "tests/error_of.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace convsmith {

using Clock = std::chrono::steady_clock;

/// Small problems that several tests use.
inline constexpr const char *kTinyKey = "conv_ci3_i5x6_co4_k3x3_p1_bias_relu";
inline constexpr const char *kResidualKey = "conv_ci8_i6x7_co8_k3x3_p1_bias_residual";

/// True under a sanitizer, where times mean nothing.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif

inline JitOptions no_disk() {
    JitOptions options;
    options.cache_dir = "-";
    return options;
}

inline JitOptions disk(const TempDir &dir) {
    JitOptions options;
    options.cache_dir = dir.string();
    return options;
}

inline double milliseconds_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

inline NamedTensors tensors_of(const Problem &problem, const Tensor &output) {
    return problem.call(output.view());
}

inline Tensor run(const Kernel &kernel, const Problem &problem) {
    Tensor output(problem.desc.out_type, output_shape(problem.desc));
    kernel.run(tensors_of(problem, output), kernel.pack(problem.filters()));
    return output;
}

/// Runs `kernel` on small integers, where every right kernel gives the oracle's bits.
inline void expect_exact(const Kernel &kernel, const ConvDesc &closed, uint64_t seed) {
    const Problem problem = make_problem(closed, Fill::SmallIntegers, seed);
    const Tensor output = run(kernel, problem);
    JudgeOptions options;
    options.exact = true;
    const Judgement judgement = judge(problem.desc, problem.view(), output.view(), options);
    EXPECT_TRUE(judgement.ok()) << closed.key() << " seed " << seed << ": " << judgement.first_wrong;
}

} // namespace convsmith
