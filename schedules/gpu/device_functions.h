// Functions of the C library in algorithms, where a device has others. Before it: the algorithms and their
// schedules; after it: lower.cpp.
#pragma once

#include <Halide.h>

namespace convsmith::gpu {

/// Calls CUDA's device library (libdevice) in all that `output` is computed from, where the algorithm calls
/// the C library, which CUDA kernels lack: erf of f64.
void call_cuda_library(const Halide::Func &output);

} // namespace convsmith::gpu
