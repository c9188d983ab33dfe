// The parts that all algorithms share (see conv_pipeline.h). Before it: ConvDesc; after it: the algorithms.
#include "generators/conv_pipeline.h"

#include "generators/conv_shape.h"
#include "generators/epilogue_expr.h"
#include "generators/error.h"
#include "generators/halide_compat.h"

namespace convsmith {

using Halide::cast;
using Halide::Expr;
using Halide::Func;
using Halide::ImageParam;
using Halide::RDom;
using Halide::Var;

namespace {

void declare_buffers(ConvPipeline &conv, int number) {
    const ConvDesc &d = conv.desc;
    const int positional = (flattens_positions(d, conv.packing) ? 1 : d.rank) + 2;
    for (const TensorSpec &spec : tensor_specs(d, conv.packing)) {
        const Halide::Type type = halide_type(spec.dtype);
        const std::string name = tensor_name(spec.name, number);
        switch (spec.role) {
        case TensorRole::Input:
            if (!conv.source.defined())
                conv.input = ImageParam(type, d.rank + 2, name);
            break;
        case TensorRole::Filter:
            conv.filter = ImageParam(type, d.rank + 3, name);
            break;
        case TensorRole::Offset:
            conv.offset = ImageParam(type, positional, name);
            break;
        case TensorRole::Mask:
            conv.mask = ImageParam(type, positional, name);
            break;
        case TensorRole::Operand: {
            const OperandShape shape = operand_info(spec.operand).shape;
            const int dims = shape == OperandShape::PerChannel        ? (conv.packing.by_group ? 2 : 1)
                             : shape == OperandShape::PerImageChannel ? 2
                                                                      : positional;
            conv.operands[spec.operand] = ImageParam(type, dims, name);
            break;
        }
        case TensorRole::Output:
        case TensorRole::Indices:
            break;
        }
    }
}

/// Output extents before rearrangement, as expressions of the input buffer where the descriptor leaves them
/// open: the formulas of window_out_extent.
void derive_extents(ConvPipeline &conv) {
    const ConvDesc &d = conv.desc;
    for (int i = 0; i < d.rank; i++) {
        const int a = axis_of(d, i);
        if (d.in[a] > 0) {
            conv.out_extents.emplace_back(static_cast<int>(window_out_extent(d, a)));
            continue;
        }
        const Expr in = input_extent(conv, i);
        const int span = effective_kernel(d.kernel[a], d.dilation[a]);
        const int pads = d.pad_begin[a] + d.pad_end[a];
        if (d.op == Op::Deconv) {
            conv.out_extents.push_back((in - 1) * d.stride[a] + (span - pads + d.out_pad[a]));
        } else if (d.ceil_mode) {
            const Expr last = (in + (pads - span + d.stride[a] - 1)) / d.stride[a];
            conv.out_extents.push_back(select(last * d.stride[a] >= in + d.pad_begin[a], last, last + 1));
        } else {
            conv.out_extents.push_back((in + (pads - span)) / d.stride[a] + 1);
        }
    }
}

/// Index maps of Rearrange: the channel and coordinates (innermost first) of the value stored at `channel`,
/// `x`.
struct StoredAt {
    Expr channel;
    std::vector<Expr> x;
};

StoredAt source_of_stored(const ConvDesc &d, const Expr &channel, const std::vector<Expr> &x) {
    const int b = d.rearrange_factor;
    const int stored = stored_channels(d);
    StoredAt from{channel, x};
    Expr offset = 0; // of a pixel in its block, the innermost axis fastest
    int block = 1;
    switch (d.rearrange) {
    case Rearrange::None:
        return from;
    case Rearrange::Shuffle:
        from.channel = channel % b * (d.co / b) + channel / b;
        return from;
    case Rearrange::DepthToSpace:
    case Rearrange::PixelShuffle:
        for (Expr &coordinate : from.x) {
            offset += coordinate % b * block;
            coordinate = coordinate / b;
            block *= b;
        }
        from.channel =
            d.rearrange == Rearrange::DepthToSpace ? offset * stored + channel : channel * block + offset;
        return from;
    case Rearrange::SpaceToDepth:
        from.channel = channel % d.co;
        offset = channel / d.co;
        for (Expr &coordinate : from.x) {
            coordinate = coordinate * b + offset % b;
            offset = offset / b;
        }
        return from;
    }
    throw Error(ErrorCode::Internal, "unknown rearrangement");
}

template<typename T>
void append(std::vector<Expr> &to, const std::vector<T> &from) {
    to.insert(to.end(), from.begin(), from.end());
}

/// The group of output channel co.
Expr group_of_channel(const ConvPipeline &conv) {
    const ConvDesc &d = conv.desc;
    if (d.groups == 1)
        return 0;
    const Expr group = conv.co / (d.co / d.groups);
    // Lanes beyond co have zero weights, but must not read beyond ci.
    return d.co % conv.packing.co_block != 0 ? Halide::min(group, d.groups - 1) : group;
}

} // namespace

int axis_of(const ConvDesc &desc, int dim) {
    return desc.rank - 1 - dim;
}

Expr read_input(const ConvPipeline &conv, const std::vector<Expr> &at) {
    return conv.source.defined() ? Expr(conv.source(at)) : Expr(conv.input(at));
}

Expr input_extent(const ConvPipeline &conv, int dim) {
    const int closed = conv.desc.in[axis_of(conv.desc, dim)];
    return closed > 0 ? Expr(closed) : conv.input.dim(dim + 1).extent();
}

ConvPipeline begin_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv;
    conv.desc = merge_trivial_axes(desc);
    conv.desc.then.clear();
    conv.desc.branches.clear();
    conv.source = input.source;
    conv.packing = packing;
    conv.rows = Func("rows"), conv.whole = Func("whole"), conv.padded = Func("padded"),
    conv.sampled = Func("sampled"), conv.element = Func("element"), conv.acc = Func("acc");
    conv.value = Func("value"), conv.output = Func("output");
    conv.co = Var("co"), conv.n = Var("n"), conv.ci = Var("ci");
    conv.row = Var("row"), conv.phase = Var("phase"), conv.group = Var("group");
    for (const char *name : {"x", "y", "z"}) {
        if (static_cast<int>(conv.axes.size()) < conv.desc.rank)
            conv.axes.emplace_back(name);
    }
    conv.at = flattens_positions(conv.desc, packing) ? std::vector<Var>{Var("p")} : conv.axes;
    declare_buffers(conv, input.number);
    derive_extents(conv);
    conv.masks_columns = input.masks_columns;
    conv.row_tile = flattens_positions(conv.desc, packing) ? input.row_tile : 0;
    conv.leaves_out_taps = input.leaves_out_taps && conv.row_tile > 0;
    if (input.fills_tiles) {
        conv.last_element = conv.out_extents[0] - 1;
        for (size_t i = 1; i < conv.out_extents.size() && conv.at.size() == 1; i++)
            conv.last_element = (conv.last_element + 1) * conv.out_extents[i] - 1;
    }
    conv.copies_windows = input.copies_windows && conv.row_tile > 1 && conv.desc.rank > 1;
    conv.is_inlined = input.is_inlined;
    conv.copies_rows = input.copies_rows && !conv.masks_columns && can_copy_rows(conv);
    return conv;
}

std::vector<Expr> window_position(const ConvPipeline &conv) {
    if (!flattens_positions(conv.desc, conv.packing))
        return {conv.at.begin(), conv.at.end()};
    std::vector<Expr> coords;
    Expr rest = conv.at[0];
    const bool has_tiles = conv.row_tile > 1 && conv.desc.rank > 1;
    if (has_tiles) { // position of a tile within the row x, with constants between its elements
        const Expr tiles = conv.out_extents[0] / conv.row_tile, tile = rest / conv.row_tile;
        coords.push_back(tile % tiles * conv.row_tile + rest % conv.row_tile);
        rest = tile / tiles;
    }
    for (int i = has_tiles ? 1 : 0; i < conv.desc.rank; i++) {
        const bool outermost = i + 1 == conv.desc.rank;
        coords.push_back(outermost ? rest : rest % conv.out_extents[i]);
        if (!outermost)
            rest = rest / conv.out_extents[i];
    }
    return coords;
}

RDom tap_domain(ConvPipeline &conv) {
    Halide::Region ranges;
    for (int i = 0; i < conv.desc.rank; i++)
        ranges.emplace_back(0, conv.desc.kernel[axis_of(conv.desc, i)]);
    RDom r(ranges, "r");
    for (int i = 0; i < conv.desc.rank; i++)
        conv.r_k.push_back(r[i]);
    return r;
}

RDom channel_and_tap_domain(ConvPipeline &conv) {
    Halide::Region ranges = {{0, conv.desc.ci / conv.desc.groups}};
    for (int i = 0; i < conv.desc.rank; i++)
        ranges.emplace_back(0, conv.desc.kernel[axis_of(conv.desc, i)]);
    RDom r(ranges, "r");
    conv.r_ci = r[0];
    for (int i = 0; i < conv.desc.rank; i++)
        conv.r_k.push_back(r[i + 1]);
    return r;
}

Expr group_begin(const ConvPipeline &conv) {
    const ConvDesc &d = conv.desc;
    return d.groups == 1 ? Expr(0) : conv.group * (d.ci / d.groups);
}

std::vector<Expr> filter_args(const ConvPipeline &conv, const Expr &ci, const std::vector<Expr> &k) {
    const bool is_one_block = conv.packing.co_block >= conv.desc.co;
    std::vector<Expr> args = {is_one_block ? conv.co : conv.co % conv.packing.co_block, ci};
    append(args, k);
    const Expr block = is_one_block ? Expr(0) : conv.co / conv.packing.co_block;
    const int blocks = (conv.desc.co + conv.packing.co_block - 1) / conv.packing.co_block;
    args.push_back(conv.packing.by_group ? conv.n * blocks + block : block);
    return args;
}

std::vector<Expr> window_args(const ConvPipeline &conv, const Expr &channel) {
    const ConvDesc &d = conv.desc;
    const std::vector<Expr> position = window_position(conv);
    std::vector<Expr> args = {channel};
    for (int i = 0; i < d.rank; i++) {
        const int a = axis_of(d, i);
        args.push_back(conv.r_k.empty() ? position[i]
                                        : position[i] * d.stride[a] + conv.r_k[i] * d.dilation[a]);
    }
    args.emplace_back(conv.n);
    return args;
}

Expr window_element(ConvPipeline &conv, const Expr &channel) {
    if (!conv.copies_windows)
        return conv.padded(window_args(conv, channel));
    const ConvDesc &d = conv.desc;
    const Var tile("tile");
    std::vector<Var> args = {conv.ci};
    std::vector<Expr> cell = {conv.ci}, of_window = {channel};
    Expr first = tile; // position of the tile along the axis, in tiles, then in positions
    for (int i = 0; i < d.rank; i++) {
        const int a = axis_of(d, i);
        const Expr count = i == 0 ? conv.out_extents[0] / conv.row_tile : conv.out_extents[i];
        const Expr at = (i + 1 == d.rank ? first : first % count) * (i == 0 ? conv.row_tile : 1);
        first = first / count;
        args.emplace_back("cell_" + conv.axes[i].name());
        cell.push_back(at * d.stride[a] + args.back());
        const Expr within = i == 0 ? conv.at[0] % conv.row_tile * d.stride[a] : Expr(0);
        of_window.push_back(within + conv.r_k[i] * d.dilation[a]);
    }
    args.insert(args.end(), {tile, conv.n});
    cell.emplace_back(conv.n);
    of_window.insert(of_window.end(), {conv.at[0] / conv.row_tile, conv.n});
    conv.windows = Func("windows");
    conv.windows(args) = conv.padded(cell);
    return conv.windows(of_window);
}

void define_output(ConvPipeline &conv) {
    const ConvDesc &d = conv.desc;
    const std::vector<Var> args = conv.output_args();
    std::vector<Expr> from(args.begin(), args.end());
    if (d.rearrange != Rearrange::None) {
        const StoredAt source = source_of_stored(d, conv.co, {conv.at.begin(), conv.at.end()});
        from = {source.channel};
        append(from, source.x);
        from.emplace_back(conv.n);
    }
    const Expr channel = from[0]; // operands per channel belong to the channel computed
    const auto operand = [&](Operand kind) -> Expr {
        const ImageParam &tensor = conv.operands.at(kind);
        switch (operand_info(kind).shape) {
        case OperandShape::PerChannel:
            return conv.packing.by_group ? tensor(channel, conv.n) : tensor(channel);
        case OperandShape::PerImageChannel:
            return tensor(channel, conv.n);
        case OperandShape::Full:
            return tensor(std::vector<Expr>(args.begin(), args.end()));
        }
        throw Error(ErrorCode::Internal, "unknown operand shape");
    };
    const Halide::Type out_type = halide_type(d.out_type);
    const Halide::FuncRef value = conv.value(from);
    if (d.indices == Indices::None)
        conv.output(args) = cast(out_type, apply_epilogue(d.epilogue, value, operand));
    else
        conv.output(args) =
            Halide::Tuple(cast(out_type, apply_epilogue(d.epilogue, value[0], operand)), value[1]);
}

void define_sum(ConvPipeline &conv, const std::vector<Var> &args, const Expr &weight, const Expr &element,
                const Expr &group) {
    const Halide::Type type = halide_type(conv.desc.acc_type);
    std::vector<Var> element_args = {conv.group};
    std::vector<Expr> at = {group.defined() ? group : group_of_channel(conv)};
    Expr of_vars = element;
    const auto add_reduction = [&](const Halide::RVar &r, const char *name) {
        element_args.emplace_back(name);
        at.emplace_back(r);
        of_vars = Halide::Internal::substitute(r.name(), element_args.back(), of_vars);
    };
    if (conv.r_ci)
        add_reduction(*conv.r_ci, "ci");
    for (size_t i = 0; i < conv.r_k.size(); i++)
        add_reduction(conv.r_k[i], ("k" + std::to_string(i)).c_str());
    element_args.insert(element_args.end(), args.begin() + 1, args.end());
    append(at, std::vector<Var>(args.begin() + 1, args.end()));
    if (conv.last_element.defined())
        of_vars =
            Halide::Internal::substitute(args[1].name(), Halide::min(args[1], conv.last_element), of_vars);
    conv.element(element_args) = of_vars;
    conv.acc(args) = Halide::Internal::make_zero(type);
    conv.acc(args) += cast(type, weight) * cast(type, conv.element(at));
}

/// The sum over taps, innermost first, as one expression.
void define_inlined_sum(ConvPipeline &conv, const std::vector<Var> &args, const Expr &weight,
                        const Expr &element) {
    CONVSMITH_CHECK(!conv.r_ci);
    const Halide::Type type = halide_type(conv.desc.acc_type);
    std::vector<Expr> products = {cast(type, weight) * cast(type, element)};
    for (size_t i = 0; i < conv.r_k.size(); i++) {
        std::vector<Expr> of_taps;
        for (int tap = 0; tap < conv.desc.kernel[axis_of(conv.desc, static_cast<int>(i))]; tap++) {
            for (const Expr &product : products)
                of_taps.push_back(Halide::Internal::substitute(conv.r_k[i].name(), tap, product));
        }
        products = of_taps;
    }
    Expr sum = products.front();
    for (size_t i = 1; i < products.size(); i++)
        sum += products[i];
    conv.acc(args) = Halide::Internal::substitute(conv.group.name(), group_of_channel(conv), sum);
}

void define_weighted_sum(ConvPipeline &conv, const Expr &weight, const Expr &element, const Expr &group) {
    const std::vector<Var> args = conv.output_args();
    if (conv.is_inlined)
        define_inlined_sum(conv, args, weight, element);
    else
        define_sum(conv, args, weight, element, group);
    conv.value(args) = conv.acc(args);
    define_output(conv);
}

Expr input_zero(const ConvPipeline &conv) {
    return Halide::Internal::make_zero(halide_type(conv.desc.in_type));
}

std::vector<Halide::Argument> ConvPipeline::arguments() const {
    std::vector<Halide::Argument> args;
    const auto add = [&](const ImageParam &tensor) {
        if (tensor.defined())
            args.emplace_back(tensor);
    };
    // The order of tensor_specs.
    for (const ImageParam &tensor : {input, offset, mask, filter})
        add(tensor);
    for (const OperandInfo &info : operand_table()) {
        if (operands.count(info.operand) != 0)
            add(operands.at(info.operand));
    }
    for (const ConvPipeline &part : parts) {
        const std::vector<Halide::Argument> more = part.arguments();
        args.insert(args.end(), more.begin(), more.end());
    }
    return args;
}

std::vector<Var> ConvPipeline::output_args() const {
    std::vector<Var> args = {co};
    args.insert(args.end(), at.begin(), at.end());
    args.push_back(n);
    return args;
}

} // namespace convsmith
