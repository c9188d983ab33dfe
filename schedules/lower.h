// The choke point: a problem and a plan become a Halide module. JIT, library writer, tuner and tests differ
// only after it. The only schedules header that shows Halide.
#pragma once

#include "generators/conv_desc.h"
#include "schedules/plan.h"

#include <Halide.h>
#include <string>
#include <vector>

namespace convsmith {

/// A scheduled pipeline and its arguments in call order (tensor_specs order without the output).
struct LoweredPipeline {
    Halide::Pipeline pipeline;
    std::vector<Halide::Argument> inputs;
};

/// Builds the algorithm and applies the plan's schedule, anew at every call.
LoweredPipeline lower(const ConvDesc &desc, const Plan &plan);

/// `lower` compiled to a module with one function `symbol` without the Halide runtime; `symbol`_argv takes
/// the tensors as an array of halide_buffer_t pointers. Throws Error(Compile) with Halide's message.
Halide::Module lower_module(const ConvDesc &desc, const Plan &plan, const std::string &symbol);

/// The kernel that packs weights: buffers filter {co / groups, groups, ci / groups, kx, ky, kz} (any
/// strides, unused axes extent 1) and
/// packed {co_i, ci, kx, ky, kz, co_o}. One kernel serves every problem with this type and block.
Halide::Module lower_pack_module(DType type, const Packing &packing, const Target &target,
                                 const std::string &symbol);
std::string pack_key(DType type,
                     const Packing &packing); ///< e.g. "pack_f32_co16": default symbol and cache key

/// The features every kernel object is compiled with, besides the target's own.
Halide::Target kernel_target(const Target &target);

} // namespace convsmith
