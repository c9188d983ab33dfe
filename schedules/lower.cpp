// The choke point (lower.h): algorithm + buffer constraints + schedule = module.
#include "schedules/lower.h"

#include "generators/algorithms.h"
#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "generators/halide_compat.h"
#include "generators/pack_filter.h"
#include "schedules/cpu/chain.h"
#include "schedules/cpu/channelwise.h"
#include "schedules/cpu/deformable.h"
#include "schedules/cpu/direct.h"
#include "schedules/cpu/joined.h"
#include "schedules/cpu/planewise.h"
#include "schedules/cpu/transposed.h"
#include "schedules/cpu/winograd.h"
#include "schedules/generic/composite.h"
#include "schedules/generic/window.h"
#include "schedules/generic/winograd.h"
#include "schedules/gpu/chain.h"
#include "schedules/gpu/channelwise.h"
#include "schedules/gpu/composite.h"
#include "schedules/gpu/device_functions.h"
#include "schedules/gpu/direct.h"
#include "schedules/gpu/window.h"
#include "schedules/gpu/winograd.h"

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

/// Fixes the strides of a buffer as dense in `order`; extents that are 0 stay symbolic.
void constrain_strides(OutputImageParam buffer, const std::vector<int> &extents,
                       const std::vector<int> &order) {
    Expr stride = 1;
    int64_t known_stride = 1;
    for (const int i : order) {
        buffer.dim(i).set_stride(known_stride > 0 ? Expr(static_cast<int>(known_stride)) : stride);
        stride = stride * (extents[i] > 0 ? Expr(extents[i]) : buffer.dim(i).extent());
        known_stride *= extents[i];
    }
}

/// Fixes the whole shape of a dense buffer.
void constrain_dense(OutputImageParam buffer, const std::vector<int> &extents,
                     const std::vector<int> &order) {
    constrain_strides(buffer, extents, order);
    for (size_t i = 0; i < extents.size(); i++) {
        buffer.dim(static_cast<int>(i)).set_min(0);
        if (extents[i] > 0)
            buffer.dim(static_cast<int>(i)).set_extent(extents[i]);
    }
}

/// Extents {channels, p..., n} at `spatial`, which are outermost first; 0 where open.
std::vector<int> positional_extents(const ConvDesc &d, const Packing &packing, int channels,
                                    const Spatial &spatial) {
    std::vector<int> extents = {channels};
    if (flattens_positions(d, packing)) {
        extents.push_back(static_cast<int>(spatial_product(spatial, d.rank)));
    } else {
        for (int a = d.rank - 1; a >= 0; a--)
            extents.push_back(spatial[a]);
    }
    extents.push_back(d.n);
    return extents;
}

/// Fixes a buffer that may be a channel range of a larger tensor of `channels`.
void constrain_positional(OutputImageParam buffer, Layout layout, const std::vector<int> &extents,
                          int channels, bool by_group) {
    const std::vector<int> order = memory_order(layout, static_cast<int>(extents.size()) - 2, by_group);
    std::vector<int> whole = extents;
    whole[0] = channels;
    constrain_dense(buffer, whole, order);
    buffer.dim(0).set_extent(extents[0]);
}

void constrain_filter(ConvPipeline &conv) {
    std::vector<int> weights, weight_order;
    const std::vector<int64_t> packed = packed_filter_shape(conv.desc, conv.packing);
    for (size_t i = 0; i < packed.size(); i++) {
        weights.push_back(static_cast<int>(packed[packed.size() - 1 - i]));
        weight_order.push_back(static_cast<int>(i));
    }
    constrain_dense(conv.filter, weights, weight_order);
    conv.filter.set_host_alignment(static_cast<int>(kTensorAlignment));
}

/// What an op reads beside its input.
void constrain_op(ConvPipeline &conv) {
    const ConvDesc &d = conv.desc;
    if (conv.filter.defined())
        constrain_filter(conv);
    const auto moved = [&](Halide::ImageParam &tensor, const std::vector<int64_t> &shape) {
        const auto channels = static_cast<int>(d.in_layout == Layout::ChannelsLast ? shape.back() : shape[1]);
        constrain_positional(tensor, d.in_layout,
                             positional_extents(d, conv.packing, channels, out_extents(d)), channels,
                             conv.packing.by_group);
    };
    if (conv.offset.defined())
        moved(conv.offset, offset_shape(d));
    if (conv.mask.defined())
        moved(conv.mask, mask_shape(d));
    const int stored = stored_channels(d);
    for (auto &[operand, tensor] : conv.operands) {
        switch (operand_info(operand).shape) {
        case OperandShape::PerChannel:
            if (conv.packing.by_group)
                constrain_dense(tensor, {d.co, d.n}, {0, 1});
            else
                constrain_dense(tensor, {d.co}, {0});
            break;
        case OperandShape::PerImageChannel:
            constrain_dense(tensor, {d.co, d.n}, {0, 1});
            break;
        case OperandShape::Full:
            constrain_positional(tensor, d.out_layout,
                                 positional_extents(d, conv.packing, stored, stored_extents(d)), stored,
                                 conv.packing.by_group);
            break;
        }
    }
}

void constrain_buffers(ConvPipeline &conv) {
    const ConvDesc &d = conv.desc;
    std::vector<int> in = {d.ci};
    for (int a = d.rank - 1; a >= 0; a--)
        in.push_back(d.in[a]);
    in.push_back(d.n);
    constrain_dense(conv.input, in, memory_order(d.in_layout, d.rank, conv.packing.by_group));
    constrain_op(conv);
    for (ConvPipeline &part : conv.parts)
        constrain_op(part);

    const ConvDesc &last = last_op(d);
    const int stored = stored_channels(last);
    const std::vector<int> out = positional_extents(last, conv.packing, stored, stored_extents(last));
    constrain_positional(conv.output.output_buffers()[0], last.out_layout, out,
                         last.co_total != 0 ? last.co_total : stored, conv.packing.by_group);
    if (d.indices != Indices::None) // Halide gives it the extents of the first
        constrain_strides(conv.output.output_buffers()[1], out,
                          memory_order(d.out_layout, static_cast<int>(out.size()) - 2));
}

using Algorithm = ConvPipeline (*)(const ConvDesc &, const Packing &, const OpInput &);

void add_passes(Halide::Pipeline &pipeline, const ConvPipeline &conv) {
    for (const std::shared_ptr<Halide::Internal::IRMutator> &pass : conv.passes)
        pipeline.add_custom_lowering_pass(pass.get(), [pass] {});
}

/// Where an algorithm and a schedule of it meet.
LoweredPipeline scheduled(Algorithm algorithm, void (*schedule)(ConvPipeline &, const Plan &),
                          const ConvDesc &desc, const Plan &plan) {
    const ConvDesc problem = kernel_problem(desc);
    OpInput input;
    input.copies_rows = plan.copies_rows(desc);
    input.masks_columns = plan.masks_columns(desc);
    input.row_tile = plan.row_tile(desc);
    input.leaves_out_taps = plan.leaves_out_taps(desc);
    input.fills_tiles = plan.fills_tiles(desc);
    input.copies_windows = plan.copies_windows(desc);
    input.inlines_ops = plan.inlines_ops(desc);
    ConvPipeline conv = algorithm(problem, plan.packing(desc), input);
    constrain_buffers(conv);
    schedule(conv, plan);
    if (gpu_api(plan.target) == GpuApi::Cuda)
        gpu::call_cuda_library(conv.output);
    Halide::Pipeline pipeline(conv.output);
    add_passes(pipeline, conv);
    for (const ConvPipeline &part : conv.parts)
        add_passes(pipeline, part);
    return {pipeline, conv.arguments()};
}

Algorithm algorithm_of(const Plan &plan) {
#define CONVSMITH_VARIANT(name_, ...)                                                                        \
    if (plan.variant == #name_)                                                                              \
        return name_##_pipeline;
#include "generators/variants.inc"
#undef CONVSMITH_VARIANT
    throw Error(ErrorCode::BadArgument, "no variant '" + plan.variant + "'");
}

} // namespace

Halide::Target kernel_target(const Target &target) {
    Halide::Target t(target.compiled());
    t.set_features({Halide::Target::NoRuntime, Halide::Target::NoBoundsQuery});
    if (!is_gpu(target)) // what drivers say goes through Halide's assertions
        t.set_feature(Halide::Target::NoAsserts);
    return without_llvm_loop_opt(t);
}

LoweredPipeline lower(const ConvDesc &desc, const Plan &plan) {
    return at_halide_border(desc.key(), [&] {
        const size_t chosen = schedule_table()[schedule_row(desc, plan)].registered;
        size_t row = 0;
#define CONVSMITH_SCHEDULE(variants_, folder_, name_, targets_, doc_)                                        \
    if (chosen == row++)                                                                                     \
        return scheduled(algorithm_of(plan), folder_::schedule_##name_, desc, plan);
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
        if (packing.is_transformed()) {
            pack.g.compute_root();
            pack.wide.compute_at(pack.packed, pack.co_i);
        }
        return pack.packed.compile_to_module({pack.filter}, symbol, kernel_target(target));
    });
}

std::string pack_key(DType type, const Packing &packing) {
    return "pack_" + dtype_name(type) + "_" + packing_name(packing);
}

} // namespace convsmith
