// See layer_class.h.
#include "bench/layer_class.h"

#include "generators/composite.h"
#include "generators/variant.h"

#include <algorithm>

namespace convsmith::bench {

namespace {

/// Convolutions that few libraries have tuned kernels for.
bool is_uncommon(const ConvDesc &desc) {
    if (desc.op == Op::Deconv || desc.op == Op::Deform || is_grouped(desc))
        return true;
    if (desc.op != Op::Conv || is_pointwise(desc)) // whatever its rank, that is a matrix product
        return false;
    bool is_plain = desc.rank == 2 && desc.pad_mode == PadMode::Zeros;
    for (int a = 0; a < desc.rank; a++)
        is_plain = is_plain && desc.dilation[a] == 1 && desc.pad_begin[a] == desc.pad_end[a];
    return !is_plain;
}

/// What Winograd's algorithm was made for.
bool is_square_of_three(const ConvDesc &desc) {
    constexpr int kFewestChannels = 32;
    return desc.op == Op::Conv && desc.groups == 1 && desc.kernel[0] == 3 && desc.kernel[1] == 3 &&
           desc.stride[0] == 1 && desc.stride[1] == 1 && std::min(desc.ci, desc.co) >= kFewestChannels;
}

struct Class {
    std::string name;
    bool (*holds)(const ConvDesc &);
};

/// The first that holds is a layer's class.
const std::vector<Class> &class_table() {
    static const std::vector<Class> table = {
        {"composite", is_composite},
        {"1D, 3D, dilated, transposed, deformable, grouped, asymmetric or non-zero padding", is_uncommon},
        {"depthwise", is_depthwise},
        {"3x3 stride 1, 32 or more channels", is_square_of_three},
        {"other dense", [](const ConvDesc &desc) { return desc.op == Op::Conv; }},
        {"pool", [](const ConvDesc &desc) { return op_info(desc.op).is_pool; }},
        {"other", [](const ConvDesc &) { return true; }},
    };
    return table;
}

} // namespace

const std::vector<std::string> &layer_classes() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all;
        for (const Class &row : class_table())
            all.push_back(row.name);
        return all;
    }();
    return names;
}

const std::string &layer_class(const ConvDesc &desc) {
    const auto &table = class_table();
    return std::find_if(table.begin(), table.end(), [&](const Class &row) { return row.holds(desc); })->name;
}

} // namespace convsmith::bench
