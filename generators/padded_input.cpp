// The padded input (conv_pipeline.h): which axes are padded, what an element of it is, and its rows as they
// are copied to a strip. Before it: the pipeline's buffers; after it: the algorithms.
#include "generators/conv_pipeline.h"
#include "generators/conv_shape.h"
#include "generators/halide_compat.h"
#include "generators/padding.h"
#include "generators/variant.h"

#include <algorithm>

namespace convsmith {

using Halide::Expr;
using Halide::RDom;
using Halide::Var;

namespace {

/// Whether a window of axis `a` can reach beyond the declared padding: ceil mode lets the last one overhang,
/// and so does a last Winograd tile.
bool can_overhang(const ConvPipeline &conv, int a) {
    const ConvDesc &d = conv.desc;
    const bool fills_tiles = !conv.packing.is_transformed() || !transforms_axis(d, a) ||
                             window_out_extent(d, a) % conv.packing.tile == 0;
    return (d.ceil_mode && d.stride[a] > 1) || !fills_tiles;
}

/// Whether an output of a deconv has a tap before the first or after the last cell of its input; outputs of a
/// last incomplete step count as if it was complete.
bool gathers_beyond_input(const ConvDesc &d, int a) {
    const int64_t s = d.stride[a], whole = (window_out_extent(d, a) + s - 1) / s * s;
    const int64_t overhang = effective_kernel(d.kernel[a], d.dilation[a]) - 1 - d.pad_begin[a];
    return overhang >= s || (whole - 1 + d.pad_begin[a]) / s >= d.in[a];
}

/// Where an axis needs it, all axes of a deconv are padded; dilated ones are, as inferred bounds go beyond
/// what is read.
bool is_deconv_padded(const ConvDesc &d) {
    for (int a = 0; a < d.rank; a++) {
        if (d.in[a] == 0 || d.dilation[a] > 1 || gathers_beyond_input(d, a))
            return true;
    }
    return false;
}

bool is_axis_padded(const ConvPipeline &conv, int a) {
    const ConvDesc &d = conv.desc;
    if (d.op == Op::Deconv)
        return is_deconv_padded(d);
    return d.pad_begin[a] != 0 || d.pad_end[a] != 0 || can_overhang(conv, a);
}

/// The padded input at channel `ci` and the coordinates `at`, which count from the start of the padding,
/// innermost first. `is_inside_x`: no padding is read along x. `ignored` is the value of taps that take no
/// part.
Expr padded_value(const ConvPipeline &conv, const Expr &ci, const std::vector<Expr> &at, bool is_inside_x,
                  const Expr &ignored) {
    const ConvDesc &d = conv.desc;
    std::vector<Expr> source = {ci};
    Expr inside, declared; // undefined: always
    const auto both = [](const Expr &a, const Expr &b) { return a.defined() ? a && b : b; };
    for (int i = 0; i < d.rank; i++) {
        const int a = axis_of(d, i);
        if (!is_axis_padded(conv, a)) {
            source.push_back(at[i]);
            continue;
        }
        const Expr extent = input_extent(conv, i);
        const Expr x = d.op == Op::Deconv ? at[i] : at[i] - d.pad_begin[a];
        if (i == 0 && is_inside_x) {
            source.push_back(x);
            continue;
        }
        const PaddedIndex index = padded_index(d.pad_mode, x, extent);
        source.push_back(index.index);
        if (index.inside.defined())
            inside = both(inside, index.inside);
        if (can_overhang(conv, a))
            declared = both(declared, x < extent + d.pad_end[a]);
    }
    source.emplace_back(conv.n);
    Expr value = read_input(conv, source);
    if (is_inside_x)
        value = likely(value); // loops over rows are split into borders and an interior without conditions
    const double outside = d.pad_mode == PadMode::Constant ? d.pad_value : 0;
    if (inside.defined())
        value = select(inside, value,
                       d.pad_mode == PadMode::Ignore ? ignored
                                                     : Halide::Internal::make_const(value.type(), outside));
    if (declared.defined() && d.pad_mode != PadMode::Ignore)
        value = select(declared, value, ignored);
    return value;
}

/// {ci, x, [y, [z,]] n}.
std::vector<Var> padded_args(const ConvPipeline &conv) {
    std::vector<Var> args = {conv.ci};
    args.insert(args.end(), conv.axes.begin(), conv.axes.end());
    args.push_back(conv.n);
    return args;
}

/// Elements of a column that lie side by side in a row of the input.
int column_elements(const ConvDesc &d) {
    return d.in_layout == Layout::ChannelsLast ? d.ci : 1;
}

/// Arguments of `rows` for the element `column` of the row, or, of rows in phases, the column and its phase.
std::vector<Expr> row_args(const ConvPipeline &conv, const std::vector<Expr> &column) {
    std::vector<Expr> args = column;
    args.insert(args.end(), conv.axes.begin() + 1, conv.axes.end());
    if (conv.desc.in_layout == Layout::ChannelsFirst)
        args.emplace_back(conv.ci);
    args.emplace_back(conv.n);
    return args;
}

/// Where `rows` has the element `e`, counted from that of the input's first column.
std::vector<Expr> row_place(const ConvPipeline &conv, const Expr &e) {
    const int phases = row_phases(conv.desc);
    return row_args(conv, phases == 1 ? std::vector<Expr>{e} : std::vector<Expr>{e / phases, e % phases});
}

/// Defines `rows` by updates: the border on either side, then the elements between, which lie in one piece in
/// the input as well. Columns of an incomplete step of phases count as border.
void define_rows(ConvPipeline &conv, const Expr &ignored) {
    const ConvDesc &d = conv.desc;
    const int a = axis_of(d, 0), begin = d.pad_begin[a];
    const int side_by_side = column_elements(d), phases = row_phases(d);
    const int row =
        (window_out_extent(d, a) - 1) * d.stride[a] + effective_kernel(d.kernel[a], d.dilation[a]);
    const int copied = std::clamp(row - begin, 0, d.in[a]) / phases * phases;
    const auto element = [&](const Expr &e, bool is_inside) {
        std::vector<Expr> at = {e / side_by_side + begin};
        at.insert(at.end(), conv.axes.begin() + 1, conv.axes.end());
        const Expr channel = d.in_layout == Layout::ChannelsLast ? e % side_by_side : Expr(conv.ci);
        return padded_value(conv, channel, at, is_inside, ignored);
    };
    std::vector<Var> columns = {conv.row};
    if (phases > 1)
        columns.push_back(conv.phase);
    conv.rows(row_args(conv, {columns.begin(), columns.end()})) = Halide::undef(halide_type(d.in_type));
    if (const int before = begin * side_by_side, border = (row - copied) * side_by_side; border > 0) {
        const RDom r(0, border, "r_border");
        const Expr e = select(r.x < before, r.x, r.x + copied * side_by_side) - before;
        conv.rows(row_place(conv, e)) = element(e, false);
        conv.r_border = r.x;
    }
    if (phases == 1) {
        const RDom r(0, copied * side_by_side, "r_row");
        conv.rows(row_args(conv, {r.x})) = element(r.x, true);
        conv.r_row = r.x;
    } else {
        conv.whole(row_args(conv, {conv.row})) = element(conv.row, true);
        const RDom r(0, copied / phases, 0, phases, "r_row");
        conv.rows(row_args(conv, {r.x, r.y})) = conv.whole(row_args(conv, {r.x * phases + r.y}));
        conv.r_row = r.x;
        conv.r_phase = r.y;
    }
}

} // namespace

int row_phases(const ConvDesc &d) {
    return d.in_layout == Layout::ChannelsFirst ? d.stride[d.rank - 1] : 1;
}

bool can_copy_rows(const ConvPipeline &conv) {
    const ConvDesc &d = conv.desc;
    const int x = d.rank - 1;
    if (d.in[x] == 0 || conv.packing.by_group) // of a group's channels, rows are no piece of memory
        return false;
    if (is_planewise(d))
        return conv.is_padded() || row_phases(d) > 1;
    return d.op == Op::Conv && d.rank > 1 && d.in_layout == Layout::ChannelsLast &&
           (d.pad_begin[x] != 0 || d.pad_end[x] != 0);
}

void define_padded(ConvPipeline &conv, const Expr &ignored) {
    const std::vector<Var> args = padded_args(conv);
    if (!conv.copies_rows) {
        conv.padded(args) = padded_value(conv, conv.ci, {conv.axes.begin(), conv.axes.end()}, false, ignored);
        return;
    }
    define_rows(conv, ignored);
    const Expr x = conv.axes[0] - conv.desc.pad_begin[axis_of(conv.desc, 0)];
    const bool is_channels_last = conv.desc.in_layout == Layout::ChannelsLast;
    conv.padded(args) =
        conv.rows(row_place(conv, is_channels_last ? x * column_elements(conv.desc) + conv.ci : x));
}

void define_padded(ConvPipeline &conv, RDom r, const Expr &ignored) {
    const ConvDesc &d = conv.desc;
    if ((!leaves_out_padding(d) && !conv.masks_columns) || conv.is_inlined) // which leaves no reduction
        return define_padded(conv, ignored);
    const std::vector<Expr> window = window_args(conv, conv.co);
    std::vector<Expr> source = {conv.ci};
    Expr inside_row;
    for (int i = 0; i < d.rank; i++) {
        const int a = axis_of(d, i);
        const Expr extent = input_extent(conv, i);
        Expr x = conv.axes[i];
        if (i == 0 && conv.masks_columns) {
            x = x - d.pad_begin[a];
            inside_row = x >= 0 && x < extent;
        } else if (is_axis_padded(conv, a)) {
            // Likely: loops are split into borders and an interior without the conditions.
            r.where(Halide::likely(window[i + 1] >= d.pad_begin[a]));
            r.where(Halide::likely(window[i + 1] < extent + d.pad_begin[a]));
            x = clamp(x - d.pad_begin[a], 0, extent - 1); // bounds of what is read, where they are inferred
        }
        source.push_back(x);
    }
    source.emplace_back(conv.n);
    const Expr value = read_input(conv, source);
    conv.padded(padded_args(conv)) = conv.masks_columns ? load_where(inside_row, value, ignored) : value;
}

bool ConvPipeline::is_padded() const {
    for (int a = 0; a < desc.rank; a++) {
        if (is_axis_padded(*this, a))
            return true;
    }
    return false;
}

} // namespace convsmith
