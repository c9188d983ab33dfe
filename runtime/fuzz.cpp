// Generator of random problems (see fuzz.h). Every choice lists its values; repeats are weights.
#include "runtime/fuzz.h"

#include "generators/composite.h"
#include "generators/error.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace convsmith {

namespace {

constexpr int64_t kMaxWork = 2'000'000;

/// On both sides of the vector widths 4, 8, 16 and the register tiles made of them.
constexpr int kChannels[] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65};
constexpr int kExtents[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 23, 28, 31, 33};
constexpr int kShortExtents[] = {1, 2, 3, 4, 5, 6, 7, 9};

/// The smallest extent of axis `a` that its window and padding mode allow.
int smallest_extent(const ConvDesc &desc, int a) {
    if (desc.op == Op::Deconv) {
        ConvDesc probe = desc;
        for (probe.in[a] = 1; window_out_extent(probe, a) < 1;)
            ++probe.in[a];
        return probe.in[a];
    }
    const int crops =
        std::max({0, -desc.pad_begin[a] + 1, -desc.pad_end[a] + 1, 1 - desc.pad_begin[a] - desc.pad_end[a]});
    const int span = effective_kernel(desc.kernel[a], desc.dilation[a]);
    const int fits = desc.op == Op::Identity            ? crops
                     : desc.pad_mode == PadMode::Ignore ? span
                                                        : effective_kernel(desc.kernel[a], desc.dilation[a]) -
                                                              desc.pad_begin[a] - desc.pad_end[a];
    const int pad = std::max(desc.pad_begin[a], desc.pad_end[a]);
    int reachable = 1;
    if (desc.pad_mode == PadMode::Reflect && pad > 0) {
        reachable = pad + 1;
    } else if (desc.pad_mode == PadMode::Circular || desc.pad_mode == PadMode::Symmetric) {
        reachable = pad;
    }
    return std::max({1, fits, reachable});
}

void draw_op(Random &random, ConvDesc &desc) {
    const Op ops[] = {Op::Conv,    Op::Conv,    Op::Conv,    Op::Conv,    Op::Deconv, Op::Deconv,  Op::Deform,
                      Op::MaxPool, Op::MaxPool, Op::AvgPool, Op::AvgPool, Op::LpPool, Op::Identity};
    desc.op = random.pick(ops);
    if (op_info(desc.op).is_pool) {
        desc.pad_mode = PadMode::Ignore;
        desc.ceil_mode = random.one_in(3);
    }
    const int norms[] = {1, 2, 2, 3, 4};
    const Indices indices[] = {Indices::None, Indices::None, Indices::RowMajor, Indices::ColumnMajor};
    desc.norm = desc.op == Op::LpPool ? random.pick(norms) : desc.norm;
    desc.indices = desc.op == Op::MaxPool ? random.pick(indices) : desc.indices;
    desc.masked = desc.op == Op::Deform && random.one_in(2);
}

void draw_integer_types(Random &random, ConvDesc &desc) {
    const DType small[] = {DType::I8, DType::U8, DType::I16, DType::U16};
    const DType any[] = {DType::I8, DType::U8, DType::I16, DType::I32, DType::I64};
    const bool is_average = desc.op == Op::AvgPool;
    desc.in_type = is_average ? random.pick(small) : random.pick(any);
    desc.weight_type = desc.out_type = desc.in_type;
    desc.acc_type = is_average ? DType::I32 : desc.in_type;
}

void draw_types(Random &random, ConvDesc &desc) {
    const int kind = random.between(0, 7);
    if (kind == 0) {
        desc.acc_type = DType::F64;
    } else if (kind <= 2) {
        desc.in_type = desc.weight_type = desc.acc_type = desc.out_type = DType::F64;
    }
    const Layout layouts[] = {Layout::ChannelsLast, Layout::ChannelsLast, Layout::ChannelsFirst};
    desc.in_layout = random.pick(layouts);
    desc.out_layout = random.pick(layouts);
}

void draw_channels(Random &random, ConvDesc &desc) {
    const int batches[] = {1, 1, 1, 2, 3};
    desc.n = random.pick(batches);
    if (!op_info(desc.op).has_filter) {
        desc.ci = desc.co = random.pick(kChannels);
        return;
    }
    switch (random.between(0, 4)) {
    case 0: { // depthwise, with channel multiplier
        const int multipliers[] = {1, 1, 1, 2, 3};
        desc.groups = desc.ci = random.pick(kChannels);
        desc.co = desc.ci * random.pick(multipliers);
        return;
    }
    case 1: { // grouped
        const int groups[] = {2, 3, 4, 8};
        const int per_group[] = {1, 2, 3, 4, 7, 8, 9, 16};
        desc.groups = random.pick(groups);
        desc.ci = desc.groups * random.pick(per_group);
        desc.co = desc.groups * random.pick(per_group);
        return;
    }
    default:
        desc.ci = random.pick(kChannels);
        desc.co = random.pick(kChannels);
    }
}

/// Groups of channels that share offsets.
void draw_offset_groups(Random &random, ConvDesc &desc) {
    const int groups[] = {1, 1, 2, 3, 4};
    const int drawn = random.pick(groups);
    if (desc.op == Op::Deform && desc.ci % drawn == 0) {
        desc.offset_groups = drawn;
    }
}

void draw_pad_mode(Random &random, ConvDesc &desc) {
    const bool has_modes = desc.op != Op::Deconv && desc.op != Op::Deform;
    if (!has_modes || (op_info(desc.op).is_pool && random.one_in(2))) {
        return;
    }
    const PadMode modes[] = {PadMode::Zeros,   PadMode::Zeros,     PadMode::Zeros,    PadMode::Constant,
                             PadMode::Reflect, PadMode::Replicate, PadMode::Circular, PadMode::Symmetric};
    desc.pad_mode = random.pick(modes);
    if (desc.pad_mode == PadMode::Constant) {
        const double values[] = {1, -1.5, 3, 0.25};
        desc.pad_value = random.pick(values);
    }
}

void draw_axis(Random &random, ConvDesc &desc, int a) {
    const int kernels[] = {1, 1, 2, 3, 3, 3, 4, 5, 7};
    const int strides[] = {1, 1, 1, 2, 3, 4};
    const int dilations[] = {1, 1, 1, 2, 3};
    if (desc.op != Op::Identity) {
        desc.kernel[a] = random.pick(kernels);
        desc.stride[a] = random.pick(strides);
        desc.dilation[a] = random.pick(dilations);
    }
    if (desc.op == Op::Deconv && random.one_in(2)) {
        desc.out_pad[a] = random.between(0, desc.stride[a]);
    }
    desc.in[a] = desc.rank == 3 ? random.pick(kShortExtents) : random.pick(kExtents);
    const int span = effective_kernel(desc.kernel[a], desc.dilation[a]);
    switch (random.between(0, 5)) {
    case 0: // none
        break;
    case 1: // beyond the kernel
        desc.pad_begin[a] = span + random.between(0, 2);
        desc.pad_end[a] = random.between(0, span);
        break;
    case 2: // one side
        (random.one_in(2) ? desc.pad_begin : desc.pad_end)[a] = random.between(0, span);
        break;
    default: // "same"
        desc.pad_begin[a] = (span - 1) / 2;
        desc.pad_end[a] = span - 1 - desc.pad_begin[a];
    }
    if (desc.op == Op::Identity && random.one_in(2)) {
        desc.pad_begin[a] = random.between(-2, 3);
        desc.pad_end[a] = random.between(-2, 3);
    }
    const int reach = desc.pad_mode == PadMode::Reflect ? desc.in[a] - 1 : desc.in[a];
    if (desc.pad_mode == PadMode::Reflect || desc.pad_mode == PadMode::Circular ||
        desc.pad_mode == PadMode::Symmetric) {
        desc.pad_begin[a] = std::min(desc.pad_begin[a], reach);
        desc.pad_end[a] = std::min(desc.pad_end[a], reach);
    }
    desc.in[a] = std::max(desc.in[a], smallest_extent(desc, a));
}

EpilogueStage draw_activation(Random &random) {
    std::vector<EpilogueInfo> rows = epilogue_table();
    rows.erase(std::remove_if(rows.begin(), rows.end(),
                              [](const EpilogueInfo &row) { return row.operand != Operand::None; }),
               rows.end());
    EpilogueStage stage = epilogue_stage(rows[random.below(static_cast<int64_t>(rows.size()))].name);
    const double factors[] = {1, 1, 0.5, 2};
    for (double &param : stage.params) {
        param *= random.pick(factors);
    }
    return stage;
}

void draw_epilogue(Random &random, ConvDesc &desc) {
    if (is_integer(desc.acc_type)) {
        const char *const integral[] = {"relu", "relu6", "clamp"};
        if (random.one_in(2)) {
            desc.epilogue.push_back(epilogue_stage(random.pick(integral)));
        }
        return;
    }
    if (random.one_in(2)) {
        desc.epilogue.push_back(epilogue_stage("bias"));
    }
    for (const char *stage : {"residual", "channel_scale", "gate", "prelu"}) {
        if (random.one_in(stage == std::string("residual") ? 4 : 8)) {
            desc.epilogue.push_back(epilogue_stage(stage));
        }
    }
    if (!random.one_in(3)) {
        // Mostly last, as networks have it; sometimes before or between the additions.
        const auto size = static_cast<int64_t>(desc.epilogue.size());
        const int64_t at = random.one_in(4) ? random.below(size + 1) : size;
        desc.epilogue.insert(desc.epilogue.begin() + at, draw_activation(random));
    }
}

/// An index map or a channel range for the store, if one fits.
void draw_store(Random &random, ConvDesc &desc) {
    if (desc.indices != Indices::None || !random.one_in(4)) {
        return;
    }
    const ConvDesc plain = desc;
    if (random.one_in(3)) {
        desc.co_begin = random.between(0, 9);
        desc.co_total = desc.co_begin + desc.co + random.between(0, 9);
    } else {
        const Rearrange maps[] = {Rearrange::Shuffle, Rearrange::DepthToSpace, Rearrange::PixelShuffle,
                                  Rearrange::SpaceToDepth};
        desc.rearrange = random.pick(maps);
        desc.rearrange_factor = random.between(2, 4);
        const bool needs_multiple = desc.rearrange != Rearrange::SpaceToDepth && desc.rank <= 2;
        if (needs_multiple && desc.op == Op::Conv && desc.groups == 1) {
            desc.co *= desc.rearrange_factor *
                       (desc.rearrange == Rearrange::Shuffle || desc.rank == 1 ? 1 : desc.rearrange_factor);
        }
    }
    try {
        desc.validate();
    } catch (const Error &) {
        desc = plain;
    }
}

void open_some_extents(Random &random, ConvDesc &desc) {
    if (!random.one_in(6)) {
        return;
    }
    if (random.one_in(2)) {
        desc.n = 0;
    }
    for (int a = 0; a < desc.rank; ++a) {
        if (random.one_in(2)) {
            desc.in[a] = 0;
        }
    }
}

/// Multiply-accumulates, or taps read where there are none.
int64_t largest_work(const ConvDesc &closed) {
    const int64_t taps = spatial_product(closed.kernel, closed.rank) * closed.co *
                         spatial_product(out_extents(closed), closed.rank);
    return std::max(mac_count(closed), taps);
}

/// An op to follow one of these channels: pointwise, depthwise, dense, transposed or pooling.
ConvDesc draw_follower(Random &random, const ConvDesc &first, int channels) {
    ConvDesc next;
    next.rank = first.rank;
    const Op ops[] = {Op::Conv, Op::Conv, Op::Conv, Op::Conv, Op::Deconv, Op::MaxPool, Op::AvgPool};
    next.op = random.pick(ops);
    const bool is_pool = op_info(next.op).is_pool;
    const bool is_depthwise = next.op == Op::Conv && random.one_in(3);
    next.groups = is_depthwise ? channels : 1;
    next.co = is_depthwise ? channels : random.pick(kChannels);
    next.pad_mode = is_pool ? PadMode::Ignore : random.one_in(6) ? PadMode::Replicate : PadMode::Zeros;
    const int kernels[] = {1, 1, 2, 3, 3, 5};
    for (int a = 0; a < next.rank; ++a) {
        next.kernel[a] = random.pick(kernels);
        next.stride[a] = random.between(1, 2);
        next.pad_begin[a] = random.between(0, next.kernel[a] / 2);
        next.pad_end[a] = random.between(0, next.kernel[a] / 2);
    }
    if (next.op == Op::Deconv) {
        next.pad_mode = PadMode::Zeros;
    }
    draw_epilogue(random, next);
    if (random.one_in(5)) {
        next.rearrange = random.one_in(2) ? Rearrange::Shuffle : Rearrange::PixelShuffle;
        next.rearrange_factor = 2;
        next.co = is_pool || is_depthwise ? next.co : 4 * next.co;
    }
    return next;
}

/// `desc` with one or two ops behind it, if that makes a chain; else `desc`.
ConvDesc with_followers(Random &random, const ConvDesc &desc) {
    std::vector<ConvDesc> ops = {desc};
    for (int count = random.between(1, 2); count > 0; --count) {
        ConvDesc so_far = ops.front();
        so_far.then.assign(ops.begin() + 1, ops.end());
        link_ops(so_far);
        ops.push_back(draw_follower(random, desc, stored_channels(last_op(so_far))));
    }
    try {
        return chain(ops);
    } catch (const Error &) {
        return desc;
    }
}

/// A convolution or pool on the input of `desc` whose output extents depend on `stride` alone.
ConvDesc draw_branch_op(Random &random, const ConvDesc &desc, int stride) {
    ConvDesc op = desc;
    const Op ops[] = {Op::Conv, Op::Conv, Op::Conv, Op::MaxPool, Op::AvgPool};
    op.op = random.pick(ops);
    const bool is_pool = op_info(op.op).is_pool;
    op.co = is_pool ? op.ci : random.pick(kChannels);
    op.pad_mode = is_pool ? PadMode::Ignore : random.one_in(6) ? PadMode::Replicate : PadMode::Zeros;
    const int kernels[] = {1, 1, 3, 3, 5};
    for (int a = 0; a < op.rank; ++a) {
        op.kernel[a] = random.pick(kernels);
        op.stride[a] = stride;
        op.pad_begin[a] = op.pad_end[a] = op.kernel[a] / 2;
    }
    draw_epilogue(random, op);
    return op;
}

/// Two or three branches side by side, some of two ops.
ConvDesc draw_concat(Random &random, const ConvDesc &input) {
    const int stride = random.between(1, 2);
    std::vector<ConvDesc> branches;
    for (int count = random.between(2, 3); count > 0; --count) {
        ConvDesc last = draw_branch_op(random, input, stride);
        if (!random.one_in(3)) {
            branches.push_back(last);
            continue;
        }
        const ConvDesc first = draw_branch_op(random, input, 1);
        if (op_info(last.op).is_pool) {
            last.co = first.co;
        }
        branches.push_back(chain({first, last}));
    }
    return concat(branches);
}

/// Squeeze-and-excitation, sometimes with a convolution of the scaled input behind it.
ConvDesc draw_excite(Random &random, const ConvDesc &input) {
    ConvDesc squeeze = input;
    squeeze.op = random.one_in(4) ? Op::MaxPool : Op::AvgPool;
    squeeze.pad_mode = PadMode::Ignore;
    squeeze.kernel = input.in;
    ConvDesc reduce = input, expand = input;
    reduce.co = random.pick(kChannels);
    expand.co = input.ci;
    reduce.epilogue = {epilogue_stage("bias"), epilogue_stage("relu")};
    expand.epilogue = {epilogue_stage("sigmoid")};
    const ConvDesc desc = excite(chain({squeeze, reduce, expand}));
    return random.one_in(2) ? desc : chain({desc, draw_follower(random, desc, desc.ci)});
}

/// A composite with branches on an input like that of `desc`; `desc` if there is none.
ConvDesc with_branches(Random &random, const ConvDesc &desc) {
    ConvDesc input;
    input.rank = desc.rank;
    input.n = desc.n;
    input.ci = input.co = desc.ci;
    input.in = desc.in;
    input.in_type = desc.in_type, input.weight_type = desc.weight_type;
    input.acc_type = desc.acc_type, input.out_type = desc.out_type;
    input.in_layout = desc.in_layout, input.out_layout = desc.out_layout;
    try {
        return random.one_in(2) ? draw_concat(random, input) : draw_excite(random, input);
    } catch (const Error &) {
        return desc; // such as open extents, or integers
    }
}

std::optional<ConvDesc> draw_desc(Random &random) {
    ConvDesc desc;
    const int ranks[] = {1, 2, 2, 2, 3};
    desc.rank = random.pick(ranks);
    draw_op(random, desc);
    const bool has_integers = desc.op == Op::MaxPool || desc.op == Op::AvgPool || desc.op == Op::Identity;
    draw_types(random, desc);
    if (has_integers && random.one_in(4)) {
        draw_integer_types(random, desc);
    }
    draw_channels(random, desc);
    draw_offset_groups(random, desc);
    draw_pad_mode(random, desc);
    for (int a = 0; a < desc.rank; ++a) {
        draw_axis(random, desc, a);
    }
    if (is_integer(desc.in_type) && desc.pad_mode == PadMode::Constant) {
        desc.pad_value = std::trunc(desc.pad_value);
    }
    draw_epilogue(random, desc);
    draw_store(random, desc);
    if (desc.rearrange != Rearrange::SpaceToDepth) {
        open_some_extents(random, desc);
    }
    if (random.one_in(4)) {
        desc = with_followers(random, desc);
    } else if (random.one_in(8)) {
        desc = with_branches(random, desc);
    }
    try {
        desc.validate();
        for (const Sizes &sizes : sizes_to_check(desc, 0)) {
            if (largest_work(with_sizes(desc, sizes)) > kMaxWork) {
                return std::nullopt;
            }
        }
    } catch (const Error &) {
        return std::nullopt; // choices that exclude each other
    }
    return desc;
}

} // namespace

ConvDesc random_desc(Random &random) {
    while (true) {
        if (std::optional<ConvDesc> desc = draw_desc(random)) {
            return *std::move(desc);
        }
    }
}

std::vector<Sizes> sizes_to_check(const ConvDesc &desc, uint64_t seed) {
    if (!desc.is_open()) {
        return {resolve_sizes(desc)};
    }
    Random random(seed);
    std::vector<Sizes> all;
    for (const int growth : {0, 3, 17}) {
        Sizes sizes;
        sizes.n = desc.n != 0 ? desc.n : 1 + growth % 4;
        for (int a = 0; a < desc.rank; ++a) {
            const int smallest = smallest_extent(desc, a);
            sizes.in[a] = desc.in[a] != 0 ? desc.in[a] : smallest + random.between(growth / 2, growth);
        }
        all.push_back(sizes);
    }
    return all;
}

} // namespace convsmith
