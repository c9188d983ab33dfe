// Max pooling, with the flat index of each maximum on request. Of equal maxima the first in row-major order
// counts.
#include "generators/algorithms.h"
#include "generators/halide_compat.h"
#include "generators/padding.h"

#include <limits>

namespace convsmith {

using Halide::cast;
using Halide::Expr;

namespace {

/// Flat channels-first index of the input element that a tap reads; -1 where the tap takes no part or reads a
/// padding value.
Expr source_index(const ConvPipeline &conv, const std::vector<Expr> &padded_at) {
    const ConvDesc &d = conv.desc;
    const auto wide = [](const Expr &e) { return cast<int64_t>(e); };
    std::vector<Expr> extents, coordinates; // innermost first
    Expr inside = Halide::Internal::const_true();
    for (int i = 0; i < d.rank; i++) {
        const int axis = d.rank - 1 - i;
        const Expr extent = input_extent(conv, i);
        const Expr x = padded_at[i + 1] - d.pad_begin[axis];
        const PaddedIndex index = padded_index(d.pad_mode, x, extent);
        if (index.inside.defined())
            inside = inside && index.inside;
        inside = inside && x < extent + d.pad_end[axis];
        extents.push_back(extent);
        coordinates.push_back(index.index);
    }
    Expr channel_and_batch = wide(conv.n) * d.ci + wide(conv.co), flat = 0;
    flat = Halide::Internal::make_zero(Halide::Int(64));
    const bool column_major = d.indices == Indices::ColumnMajor;
    for (int i = 0; i < d.rank; i++) {
        const int next = column_major ? i : d.rank - 1 - i; // slowest first
        flat = flat * wide(extents[next]) + wide(coordinates[next]);
        channel_and_batch *= wide(extents[next]);
    }
    return select(inside, channel_and_batch + flat, Halide::Internal::make_const(Halide::Int(64), -1));
}

/// Of finite values: kernels are compiled with fast-math, which knows no infinities.
Expr lowest(const Halide::Type &type) {
    if (!type.is_float())
        return type.min();
    return Halide::Internal::make_const(type, type.bits() == 32 ? -double{std::numeric_limits<float>::max()}
                                                                : std::numeric_limits<double>::lowest());
}

} // namespace

ConvPipeline max_pool_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv = begin_pipeline(desc, packing, input);
    const Halide::Type type = halide_type(conv.desc.acc_type);
    define_padded(conv, tap_domain(conv), lowest(halide_type(conv.desc.in_type)));

    const auto args = conv.output_args();
    const std::vector<Expr> window = window_args(conv, conv.co);
    const Expr value = cast(type, conv.padded(window));
    if (conv.desc.indices == Indices::None) {
        conv.acc(args) = lowest(type);
        conv.acc(args) = max(conv.acc(args), value);
        conv.value(args) = conv.acc(args);
    } else {
        const Expr index = source_index(conv, window);
        const Expr none = Halide::Internal::make_const(Halide::Int(64), -1);
        conv.acc(args) = Halide::Tuple(lowest(type), none);
        const Expr best = conv.acc(args)[0], best_index = conv.acc(args)[1];
        const Expr is_better = index >= 0 && (best_index < 0 || value > best);
        conv.acc(args) = Halide::Tuple(select(is_better, value, best), select(is_better, index, best_index));
        conv.value(args) = Halide::Tuple(conv.acc(args)[0], conv.acc(args)[1]);
    }
    define_output(conv);
    return conv;
}

} // namespace convsmith
