// See threads.h.
#include "schedules/gpu/threads.h"

namespace convsmith::gpu {

using Halide::Var;

std::vector<Var> memory_order_of(const ConvPipeline &conv) {
    const std::vector<Var> args = conv.output_args();
    std::vector<Var> ordered;
    for (const int dim : memory_order(conv.desc.out_layout, static_cast<int>(conv.at.size())))
        ordered.push_back(args[dim]);
    return ordered;
}

Var deal_to_threads(Halide::Func func, const std::vector<Var> &dims) {
    Var all = dims.front();
    for (size_t i = 1; i < dims.size(); i++) {
        const Var fused(func.name() + "_" + std::to_string(i));
        func.fuse(all, dims[i], fused);
        all = fused;
    }
    const Var block(func.name() + "_block"), thread(func.name() + "_thread");
    func.gpu_tile(all, block, thread, kBlockThreads, Halide::TailStrategy::GuardWithIf);
    return thread;
}

} // namespace convsmith::gpu
