// What a plan costs on a GPU that is not at hand: cycles of its launches by the planner's static model
// (schedules/gpu/roofline.h), for ranking only. Before it: gpu_code.h, which compiles; after it:
// static_cost.h, and effects.h, which ranks what is not yet compiled.
#pragma once

#include "generators/conv_desc.h"
#include "schedules/gpu/roofline.h"
#include "schedules/plan.h"

#include <string>

namespace convsmith::autotune {

/// The row of devices.inc of that name, of an empty one the first. Throws Error(BadArgument) listing all.
const gpu::Device &gpu_device(const std::string &name);

/// Cycles by arithmetic alone, nothing compiled; of a fallback, which no model describes, those of a kernel
/// at a twentieth of peak.
double estimated_gpu_cycles(const ConvDesc &desc, const Plan &plan, const gpu::Device &device);

/// Compiles; takes the registers that NVIDIA's assembler gives the kernel, where one is installed, and counts
/// launches. Throws Error(Unsupported) for a fallback, Error(Compile) if the assembler has to spill.
double modelled_gpu_cycles(const ConvDesc &desc, const Plan &plan, const gpu::Device &device);

} // namespace convsmith::autotune
