// Target classes: what schedules need to know of a machine, as data. A Target is one row of the table with
// the exact Halide target string it compiles for.
#pragma once

#include "generators/dtype.h"

#include <string>
#include <string_view>
#include <vector>

namespace convsmith {

/// How compiled code for a target can be executed here.
enum class RunnerKind {
    Native, ///< in this process, on a GPU for a GPU's target
    QemuAarch64,
    BochsAvx512,
    CudaEmulator,  ///< CUDA's PTX on the CPU (gpu_driver.h)
    OpenClProgram, ///< a program of its own: OpenCL's implementations bring compilers that clash with ours
    None
};

/// What drives a device beside the CPU.
enum class GpuApi { None, Cuda, OpenCl };

/// A machine class and the string Halide compiles it with. Numbers are per core.
struct Target {
    std::string name; ///< class: x86_64, x86_avx2, x86_avx512, arm_neon, ...
    /// Target string, e.g. "x86-64-linux-avx-avx2-f16c-fma-sse41": Halide's, and what names a CPU to tune
    /// for.
    std::string halide;
    int vector_bytes = 16;
    int vector_registers = 16;
    int l1_bytes = 32 * 1024;
    int l2_bytes = 256 * 1024;
    bool multiplies_by_lane = false; ///< a multiply-add takes a factor from a lane of a vector
    std::string llvm_features;       ///< what LLVM is told of the CPUs beside their instructions, "+a,+b"

    /// "x86-64-linux": architecture, bits and system without features; names a platform's files.
    std::string platform() const;

    /// The string that Halide compiles for: without what only says which numbers to take ("cortex_a55").
    std::string compiled() const;

    bool operator==(const Target &o) const { return halide == o.halide; }
};

/// The classes, in table order (rows of targets.inc).
const std::vector<Target> &target_table();

/// Accepts "host", a class name of the table, or a Halide target string: arch-bits-os or "host", then
/// features. Features that a named one brings along are added (avx2: avx, f16c, fma, sse41, as on every CPU
/// of the x86-64-v3 level), all in alphabetical order; the class is the last row of the table whose needs are
/// met. Throws Error(BadArgument) with the known names for anything else.
Target parse_target(std::string_view text);

/// The best class this process can execute.
Target host_target();

/// True if this process can execute code for `target`: of a CUDA target, the CPU and a driver with a device
/// (gpu_driver.h); of an OpenCL target never.
bool runs_natively(const Target &target);

/// The runner that fits: Native if this machine has every feature, an emulator if one is installed, else
/// None.
RunnerKind runner_for(const Target &target);

/// The program that boots an emulated machine with AVX-512 and runs a program there (tests/emulated/run.sh):
/// $XDG_CACHE_HOME/convsmith/bochs/run, else ~/.cache/convsmith/bochs/run. Empty if it is not installed.
std::string avx512_emulator();

/// True if that machine has every feature of the target.
bool avx512_emulator_runs(const Target &target);

/// What kernels of the target call: a target string with both features is of its class's.
GpuApi gpu_api(const Target &target);

/// True if kernels of the target run on a device beside the CPU.
bool is_gpu(const Target &target);

/// The target that the CPU's part of a GPU target is compiled for; others as they are.
Target cpu_part(const Target &target);

/// Elements of a type in a vector register.
int vector_lanes(const Target &target, DType type);

} // namespace convsmith
