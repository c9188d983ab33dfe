// See own_plan.h.
#include "bench/peers/own_plan.h"

#include "generators/conv_shape.h"
#include "generators/error.h"
#include "runtime/kernel.h"

#include <cstring>
#include <memory>

namespace convsmith::bench {

namespace {

/// A kernel with the tensors of its calls.
struct OwnCall {
    std::shared_ptr<const Kernel> kernel;
    PackedFilter filter;
    Tensor output;
    std::function<void()> call = nullptr;
};

Tensor copy_of(const Tensor &tensor) {
    Tensor copy(tensor.dtype(), tensor.shape());
    std::memcpy(copy.data(), tensor.data(), copy.bytes());
    return copy;
}

PeerResult prepare(Jit &jit, const ConvDesc &desc, const OracleTensors &tensors, const PlanChoice &choice) {
    const auto own = std::make_shared<OwnCall>();
    own->kernel = jit.kernel(desc, choice);
    own->output = Tensor(desc.out_type, output_shape(desc));
    NamedTensors filters, call;
    for (const TensorSpec &spec : tensor_specs(desc, Packing())) {
        NamedTensors &group = spec.role == TensorRole::Filter ? filters : call;
        group[spec.name] = spec.role == TensorRole::Output ? own->output.view() : tensors.get(spec.name);
    }
    own->filter = own->kernel->pack(filters);
    own->call = own->kernel->bind(call, own->filter);
    return PreparedPeer{[own] { own->call(); },
                        [own] {
                            own->call();
                            return copy_of(own->output); // which `call` goes on writing
                        },
                        choice.plan.text(), nullptr, choice.plan.relative_error()};
}

} // namespace

Peer make_own_plan_peer(const std::string &name, const PlanRequest &request, const Target &target) {
    const auto jit = std::make_shared<Jit>();
    return {name, "", [=](const ConvDesc &desc, const OracleTensors &tensors, int /*threads*/) -> PeerResult {
                try {
                    return prepare(*jit, desc, tensors, make_plan(desc, target, request));
                } catch (const Error &error) {
                    return NotPrepared{error.what()};
                }
            }};
}

} // namespace convsmith::bench
