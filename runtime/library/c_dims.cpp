// Buffer dimensions as C expressions (see c_dims.h).
#include "runtime/library/c_dims.h"

#include "generators/conv_shape.h"
#include "generators/error.h"

#include <fmt/format.h>

namespace convsmith::library {

namespace {

/// Axes that the kernel sees as one (merge_trivial_axes): every group is a range of the descriptor's axes.
std::vector<std::vector<int>> merged_axes(const ConvDesc &desc) {
    std::vector<std::vector<int>> groups;
    ConvDesc prefix = desc;
    for (int axis = 0; axis < desc.rank; axis++) {
        prefix.rank = axis + 1;
        if (merge_trivial_axes(prefix).rank > static_cast<int>(groups.size()))
            groups.emplace_back();
        groups.back().push_back(axis);
    }
    CONVSMITH_CHECK(static_cast<int>(groups.size()) == merge_trivial_axes(desc).rank);
    return groups;
}

std::string product_of(const std::vector<std::string> &factors) {
    return fmt::format(factors.size() > 1 ? "({})" : "{}", fmt::join(factors, " * "));
}

} // namespace

void CDims::make_dense(const std::vector<int> &order) {
    strides.resize(extents.size());
    std::string stride = "1";
    for (const int i : order) {
        strides[i] = stride;
        stride = stride == "1" ? extents[i] : stride + " * " + extents[i];
    }
}

std::string CDims::initializer() const {
    std::vector<std::string> parts;
    for (size_t i = 0; i < extents.size(); i++) {
        parts.push_back(extents[i]);
        parts.push_back(strides[i]);
    }
    return fmt::format("{{{}}}", fmt::join(parts, ", "));
}

CDims fixed_dims(const BufferDims &dims) {
    CDims fixed;
    for (int i = 0; i < dims.count; i++) {
        fixed.extents.push_back(std::to_string(dims.dims[i].extent));
        fixed.strides.push_back(std::to_string(dims.dims[i].stride));
    }
    return fixed;
}

std::vector<std::string> axis_names(int rank) {
    std::vector<std::string> names;
    for (int axis = 0; axis < rank; axis++)
        names.emplace_back(1, axis_name(axis, rank));
    return names;
}

CDims input_dims(const ConvDesc &desc) {
    const std::vector<std::string> names = axis_names(desc.rank);
    const std::vector<std::vector<int>> groups = merged_axes(desc);
    CDims dims;
    dims.extents.push_back(std::to_string(desc.ci));
    for (auto group = groups.rbegin(); group != groups.rend(); ++group) {
        std::vector<std::string> factors;
        for (const int axis : *group)
            factors.push_back(names[axis]);
        dims.extents.push_back(product_of(factors));
    }
    dims.extents.emplace_back("n");
    dims.make_dense(memory_order(desc.in_layout, static_cast<int>(groups.size())));
    return dims;
}

std::string stored_extent(const ConvDesc &desc, const std::string &out) {
    switch (desc.rearrange) {
    case Rearrange::DepthToSpace:
    case Rearrange::PixelShuffle:
        return fmt::format("({} * {})", out, desc.rearrange_factor);
    case Rearrange::SpaceToDepth:
        return fmt::format("({} / {})", out, desc.rearrange_factor);
    case Rearrange::None:
    case Rearrange::Shuffle:
        return out;
    }
    throw Error(ErrorCode::Internal, "unknown rearrangement");
}

CDims positional_dims(const ConvDesc &desc, Layout layout, int64_t channels, int64_t seen, bool is_stored) {
    const std::vector<std::string> names = axis_names(desc.rank);
    std::vector<std::string> extents; // innermost first
    for (const std::vector<int> &group : merged_axes(desc)) {
        std::vector<std::string> factors;
        for (const int axis : group)
            factors.push_back(is_stored ? stored_extent(desc, "o" + names[axis]) : "o" + names[axis]);
        extents.insert(extents.begin(), product_of(factors));
    }
    if (flattens_positions(desc))
        extents = {"out"};
    CDims dims;
    dims.extents = {std::to_string(channels)};
    dims.extents.insert(dims.extents.end(), extents.begin(), extents.end());
    dims.extents.emplace_back("n");
    dims.make_dense(memory_order(layout, static_cast<int>(extents.size())));
    dims.extents[0] = std::to_string(seen);
    return dims;
}

std::string packed_taps(const ConvDesc &desc, int axis, const CPacking &packing) {
    const int kernel = desc.kernel[axis];
    if (packing.tile.empty() || !transforms_axis(desc, axis))
        return std::to_string(kernel);
    return fmt::format("({} + {})", packing.tile, kernel - 1);
}

namespace {

std::string packed_blocks(const ConvDesc &desc, const CPacking &packing) {
    const int groups = packing.by_group ? desc.groups : 1;
    const std::string blocks = fmt::format("(({0} + {1} - 1) / {1})", desc.co / groups, packing.block);
    return groups > 1 ? fmt::format("({} * {})", groups, blocks) : blocks;
}

} // namespace

std::string packed_channels(const ConvDesc &desc, const CPacking &packing) {
    return fmt::format("({} * {})", packed_blocks(desc, packing), packing.block);
}

CDims packed_dims(const ConvDesc &desc, const CPacking &packing, int axes) {
    CDims dims;
    dims.extents = {packing.block, std::to_string(desc.ci / desc.groups)};
    for (int i = 0; i < axes; i++)
        dims.extents.push_back(i < desc.rank ? packed_taps(desc, desc.rank - 1 - i, packing) : "1");
    dims.extents.push_back(packed_blocks(desc, packing));
    std::vector<int> order;
    for (size_t i = 0; i < dims.extents.size(); i++)
        order.push_back(static_cast<int>(i));
    dims.make_dense(order);
    return dims;
}

CDims plain_filter_dims(const ConvDesc &desc) {
    CDims dims;
    dims.extents = {std::to_string(desc.co / desc.groups), std::to_string(desc.groups),
                    std::to_string(desc.ci / desc.groups)};
    for (int i = 0; i < kMaxSpatialRank; i++)
        dims.extents.push_back(std::to_string(i < desc.rank ? desc.kernel[desc.rank - 1 - i] : 1));
    if (desc.op == Op::Deconv)
        dims.make_dense({3, 4, 5, 0, 2, 1});
    else
        dims.make_dense({3, 4, 5, 2, 0, 1});
    return dims;
}

} // namespace convsmith::library
