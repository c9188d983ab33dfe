// What GPU schedules share: how elements of a Func are dealt to threads. Before it: conv_pipeline.h; after
// it: the schedules of this folder.
#pragma once

#include "generators/conv_pipeline.h"
#include "schedules/gpu/dense_plan.h"

#include <vector>

namespace convsmith::gpu {

/// The variables of an output in the order of its memory, innermost first.
std::vector<Halide::Var> memory_order_of(const ConvPipeline &conv);

/// Computes the pure stage of `func` in blocks of kBlockThreads threads, `dims` (innermost first) dealt out
/// one element to a thread, so that neighbouring threads take neighbouring elements. Returns the loop over
/// the threads of a block: what is computed there is a thread's own.
Halide::Var deal_to_threads(Halide::Func func, const std::vector<Halide::Var> &dims);

} // namespace convsmith::gpu
