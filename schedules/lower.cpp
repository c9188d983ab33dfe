// The choke point (lower.h): algorithm + buffer constraints + schedule = module.
#include "schedules/lower.h"

#include "generators/conv_shape.h"
#include "generators/direct.h"
#include "generators/error.h"
#include "generators/halide_compat.h"
#include "generators/pack_filter.h"
#include "schedules/generic/direct.h"
#include "schedules/x86_avx2/direct.h"

namespace convsmith {
namespace {

using Halide::Expr;
using Halide::OutputImageParam;

/// Runs `work`, turning Halide's exceptions into Error: the border that they do not cross.
template<typename Work>
auto at_halide_border(const std::string &what, const Work &work) -> decltype(work()) {
    prepare_halide();
    try {
        return work();
    } catch (const Halide::Error &e) {
        std::string message = e.what();
        while (!message.empty() && message.back() == '\n')
            message.pop_back();
        throw Error(ErrorCode::Compile, what + ": " + message);
    }
}

/// Fixes a buffer as dense in `order`; extents that are 0 stay symbolic.
void constrain_dense(OutputImageParam buffer, const std::vector<int> &extents,
                     const std::vector<int> &order) {
    Expr stride = 1;
    int64_t known_stride = 1;
    for (const int i : order) {
        buffer.dim(i).set_min(0).set_stride(known_stride > 0 ? Expr(static_cast<int>(known_stride)) : stride);
        if (extents[i] > 0)
            buffer.dim(i).set_extent(extents[i]);
        stride = stride * (extents[i] > 0 ? Expr(extents[i]) : buffer.dim(i).extent());
        known_stride *= extents[i];
    }
}

/// Output positions of one image; 0 if a spatial extent is open.
int flattened_extent(const ConvDesc &desc) {
    ConvDesc image = desc;
    image.n = 1;
    return image.is_open() ? 0 : static_cast<int>(spatial_product(out_extents(image), image.rank));
}

void constrain_buffers(DirectConv &conv) {
    const ConvDesc &d = conv.desc;
    std::vector<int> in = {d.ci};
    for (int a = d.rank - 1; a >= 0; a--)
        in.push_back(d.in[a]);
    in.push_back(d.n);
    constrain_dense(conv.input, in, memory_order(d.in_layout, d.rank));

    const std::vector<int> out = {d.co, flattened_extent(d), d.n};
    std::vector<int> weights, weight_order;
    const std::vector<int64_t> packed = packed_filter_shape(d, conv.packing);
    for (size_t i = 0; i < packed.size(); i++) {
        weights.push_back(static_cast<int>(packed[packed.size() - 1 - i]));
        weight_order.push_back(static_cast<int>(i));
    }
    constrain_dense(conv.filter, weights, weight_order);
    conv.filter.set_host_alignment(static_cast<int>(kTensorAlignment));

    if (conv.bias.defined())
        constrain_dense(conv.bias, {d.co}, {0});
    if (conv.residual.defined())
        constrain_dense(conv.residual, out, memory_order(d.out_layout, 1));
    constrain_dense(conv.output.output_buffer(), out, memory_order(d.out_layout, 1));
}

/// Where an algorithm and a schedule of it meet: `Handle` is the algorithm's struct of named parts.
template<typename Handle>
LoweredPipeline scheduled(Handle (*algorithm)(const ConvDesc &, const Packing &),
                          void (*schedule)(Handle &, const Plan &), const ConvDesc &desc, const Plan &plan) {
    Handle handle = algorithm(desc, plan.packing(desc));
    constrain_buffers(handle);
    schedule(handle, plan);
    return {Halide::Pipeline(handle.output), handle.arguments()};
}

} // namespace

Halide::Target kernel_target(const Target &target) {
    Halide::Target t(target.halide);
    t.set_features({Halide::Target::NoRuntime, Halide::Target::NoAsserts, Halide::Target::NoBoundsQuery});
    return without_llvm_loop_opt(t);
}

LoweredPipeline lower(const ConvDesc &desc, const Plan &plan) {
    return at_halide_border(desc.key(), [&] {
#define CONVSMITH_SCHEDULE(variant_, folder_, target_, doc_)                                                 \
    if (plan.variant == #variant_ && plan.schedule == #folder_)                                              \
        return scheduled(variant_##_conv, folder_::schedule_##variant_, desc, plan);
#include "schedules/schedules.inc"
#undef CONVSMITH_SCHEDULE
        throw Error(ErrorCode::BadArgument, "no schedule " + plan.text());
    });
}

Halide::Module lower_module(const ConvDesc &desc, const Plan &plan, const std::string &symbol) {
    LoweredPipeline lowered = lower(desc, plan);
    return at_halide_border(desc.key(), [&] {
        return lowered.pipeline.compile_to_module(lowered.inputs, symbol, kernel_target(plan.target));
    });
}

Halide::Module lower_pack_module(DType type, const Packing &packing, const Target &target,
                                 const std::string &symbol) {
    return at_halide_border(pack_key(type, packing), [&] {
        PackFilter pack = pack_filter(type, packing);
        pack.filter.dim(0).set_stride(Expr());
        pack.packed.output_buffer().dim(0).set_bounds(0, packing.co_block);
        pack.packed.parallel(pack.co_o);
        return pack.packed.compile_to_module({pack.filter}, symbol, kernel_target(target));
    });
}

std::string pack_key(DType type, const Packing &packing) {
    return "pack_" + dtype_name(type) + "_co" + std::to_string(packing.co_block);
}

} // namespace convsmith
