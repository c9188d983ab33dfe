// GPU kernels judged without a GPU: what a plan launches, its PTX, and what NVIDIA's assembler, if it is
// installed, says of registers and spills. Before it: lower.h; after it: bench/cuda_table.cpp and tests.
#pragma once

#include "generators/conv_desc.h"
#include "schedules/plan.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace convsmith::autotune {

/// A launch of one kernel.
struct GpuLaunch {
    std::string kernel;
    std::array<int64_t, 3> blocks = {1, 1, 1}, threads = {1, 1, 1};
    int64_t shared_bytes = 0;

    int64_t block_threads() const { return threads[0] * threads[1] * threads[2]; }
};

/// What a CUDA plan of a closed descriptor does.
struct GpuCode {
    std::string ptx;
    std::vector<GpuLaunch> launches; ///< in order
};

/// Compiles. Throws Error(Compile), Error(BadArgument) for a plan that is not for CUDA.
GpuCode gpu_code(const ConvDesc &desc, const Plan &plan);

/// What the assembler made of one kernel.
struct AssembledKernel {
    std::string kernel;
    int registers = 0;   ///< of a thread
    int spill_bytes = 0; ///< stored and loaded
    int stack_bytes = 0; ///< of a thread: spills and arrays
};

/// NVIDIA's assembler: "ptxas" on PATH, else where the CUDA toolkit is installed by default; empty if there
/// is none.
std::string ptxas();

/// Assembles for an architecture such as "sm_80". Throws Error(Compile) with the assembler's words.
std::vector<AssembledKernel> assemble(const std::string &ptx, const std::string &architecture);

/// The part of a multiprocessor's warps that blocks of a launch fill, by registers, shared memory, threads
/// and blocks it has (CUDA C++ Programming Guide, table of technical specifications). Throws
/// Error(BadArgument) for an architecture it does not know.
double occupancy(const GpuLaunch &launch, int registers, const std::string &architecture);

} // namespace convsmith::autotune
