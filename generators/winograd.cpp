// Winograd convolution: tiles of the input and the filter are transformed so that an element-wise product,
// summed over input channels, holds the outputs of a whole tile; F(4x4,3x3) needs 36 multiplications where
// direct.cpp needs 144. Transforms are separable and written axis by axis; an axis with one tap is left as it
// is, and the taps along a third axis are summed as they are. The filter comes transformed (pack_filter.cpp).
#include "generators/algorithms.h"
#include "generators/conv_shape.h"
#include "generators/halide_compat.h"
#include "generators/winograd_transform.h"

namespace convsmith {

using Halide::Expr;
using Halide::Func;
using Halide::Var;

namespace {

/// sum_j row[j] * element(j), without what is zero and factors of one.
template<typename Element>
Expr linear_combination(const std::vector<double> &row, const Element &element) {
    Expr sum;
    for (size_t j = 0; j < row.size(); j++) {
        if (row[j] == 0)
            continue;
        const Expr x = element(static_cast<int>(j));
        const auto factor = static_cast<float>(row[j]);
        if (!sum.defined())
            sum = factor == 1 ? x : x * factor;
        else if (factor == 1 || factor == -1)
            sum = factor == 1 ? sum + x : sum - x;
        else
            sum += x * factor;
    }
    return sum;
}

/// Row `index` of matrix * (element(0), element(1), ...).
template<typename Element>
Expr transformed(const WinogradTransform::Matrix &matrix, const Expr &index, const Element &element) {
    std::vector<Expr> rows;
    for (const std::vector<double> &row : matrix)
        rows.push_back(linear_combination(row, element));
    return rows.size() == 1 ? rows[0] : Halide::mux(index, rows);
}

std::vector<Expr> with(std::vector<Expr> args, size_t i, const Expr &value) {
    args[i] = value;
    return args;
}

/// {channel, t, a..., n}
std::vector<Var> tile_args(const ConvPipeline &conv, const Var &channel) {
    std::vector<Var> args = {channel, conv.winograd->t};
    args.insert(args.end(), conv.winograd->a.begin(), conv.winograd->a.end());
    args.push_back(conv.n);
    return args;
}

void define_parts(ConvPipeline &conv, std::vector<WinogradTransform> &transforms) {
    WinogradParts parts;
    parts.t = Var("t");
    parts.products = Func("products");
    for (int i = 0; i < conv.desc.rank; i++) {
        const int a = conv.desc.rank - 1 - i;
        const int kernel = conv.desc.kernel[a];
        const bool is_transformed = transforms_axis(conv.desc, a);
        if (!is_transformed && kernel > 1)
            parts.direct = static_cast<size_t>(i);
        transforms.push_back(is_transformed ? winograd_transform(conv.packing.tile, kernel)
                                            : winograd_transform(1, 1));
        parts.a.emplace_back("a" + conv.axes[i].name());
        parts.tile.push_back(transforms.back().tile);
        parts.size.push_back(transforms.back().size());
        const auto extent = static_cast<int>(window_out_extent(conv.desc, a));
        parts.tiles.push_back(parts.direct ? 1 : (extent + parts.tile.back() - 1) / parts.tile.back());
    }
    conv.winograd = parts;
}

/// bt applied along each axis of the tile's input, innermost axis first.
void define_input_transform(ConvPipeline &conv, const std::vector<WinogradTransform> &transforms) {
    WinogradParts &w = *conv.winograd;
    const std::vector<Var> args = tile_args(conv, conv.ci);
    const std::vector<Expr> at(args.begin(), args.end());
    std::vector<Expr> first = {conv.ci}; // of the tile's input
    Expr tile = w.t;
    for (size_t i = 0; i < transforms.size(); i++) {
        const bool is_outermost = i + 1 == transforms.size();
        first.push_back((is_outermost ? tile : tile % w.tiles[i]) * w.tile[i]);
        tile = tile / w.tiles[i];
    }
    first.emplace_back(conv.n);
    for (size_t i = 0; i < transforms.size(); i++) {
        if (transforms[i].size() == 1)
            continue;
        const bool is_first = w.input.empty();
        const auto element = [&](int j) -> Expr {
            const std::vector<Expr> args_of = with(at, i + 2, j);
            if (!is_first)
                return w.input.back()(args_of);
            std::vector<Expr> cell = first;
            for (size_t k = 0; k < transforms.size(); k++)
                cell[k + 1] = k == w.direct ? args_of[k + 2] : cell[k + 1] + args_of[k + 2];
            return conv.padded(cell);
        };
        Func stage("input_" + w.a[i].name());
        stage(args) = transformed(transforms[i].bt, w.a[i], element);
        w.input.push_back(stage);
    }
}

/// at applied along each axis of the products, innermost axis first; then an output is an element of its
/// tile.
void define_output_transform(ConvPipeline &conv, const std::vector<WinogradTransform> &transforms) {
    WinogradParts &w = *conv.winograd;
    const std::vector<Var> args = tile_args(conv, conv.co);
    const std::vector<Expr> at(args.begin(), args.end());
    Func previous = w.products;
    for (size_t i = 0; i < transforms.size(); i++) {
        if (transforms[i].size() == 1)
            continue;
        Func stage("output_" + w.a[i].name());
        stage(args) = transformed(transforms[i].at, w.a[i],
                                  [&](int j) -> Expr { return previous(with(at, i + 2, j)); });
        w.output.push_back(stage);
        previous = stage;
    }
    std::vector<Expr> source = {conv.co, 0};
    int tiles = 1;
    for (size_t i = 0; i < transforms.size(); i++) {
        if (i == w.direct) {
            source.emplace_back(conv.at[i]);
            continue;
        }
        source[1] += conv.at[i] / w.tile[i] * tiles;
        source.push_back(conv.at[i] % w.tile[i]);
        tiles *= w.tiles[i];
    }
    source.emplace_back(conv.n);
    conv.value(conv.output_args()) = previous(source);
}

} // namespace

ConvPipeline winograd_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &input) {
    ConvPipeline conv = begin_pipeline(desc, packing, input);
    define_padded(conv, input_zero(conv)); // a small value beyond the padding: the transforms spread it
    std::vector<WinogradTransform> transforms;
    define_parts(conv, transforms);
    define_input_transform(conv, transforms);

    WinogradParts &w = *conv.winograd;
    const int direct_taps = w.direct ? conv.desc.kernel[0] : 1;
    Halide::RDom r(0, conv.desc.ci / conv.desc.groups, 0, direct_taps, "r");
    conv.r_ci = r[0];
    const std::vector<Var> args = tile_args(conv, conv.co);
    std::vector<Expr> at = with({args.begin(), args.end()}, 0, group_begin(conv) + *conv.r_ci);
    std::vector<Expr> elements(w.a.begin(), w.a.end());
    if (w.direct) {
        conv.r_k = {r[1]};
        elements[*w.direct] = r[1];
        at[*w.direct + 2] += r[1];
        if (leaves_out_slices(conv.desc)) {
            const Expr slice = w.a[*w.direct] + r[1];
            r.where(slice >= conv.desc.pad_begin[0] && slice < conv.desc.pad_begin[0] + conv.desc.in[0]);
        }
    }
    if (conv.last_element.defined()) {
        int tiles = 1;
        for (const int along : w.tiles)
            tiles *= along;
        conv.last_element = tiles - 1;
    }
    define_sum(conv, args, conv.filter(filter_args(conv, *conv.r_ci, elements)), w.input.back()(at));
    w.products(args) = conv.acc(args);

    define_output_transform(conv, transforms);
    define_output(conv);
    return conv;
}

} // namespace convsmith
