// See device_functions.h.
#include "schedules/gpu/device_functions.h"

namespace convsmith::gpu {

namespace {

using Halide::Internal::Call;

class CudaNames : public Halide::Internal::IRMutator {
    using IRMutator::visit;

    Halide::Expr visit(const Call *call) override {
        const Halide::Expr mutated = IRMutator::visit(call);
        const auto *const same = mutated.as<Call>();
        if (same == nullptr || same->call_type != Call::PureExtern || same->name != "erf")
            return mutated;
        return Call::make(same->type, "__nv_erf", same->args, Call::PureExtern);
    }
};

} // namespace

void call_cuda_library(const Halide::Func &output) {
    CudaNames names;
    for (auto &[name, function] : Halide::Internal::build_environment({output.function()}))
        function.mutate(&names);
}

} // namespace convsmith::gpu
