// The sizes of a call as C text (see c_sizes.h).
#include "runtime/library/c_sizes.h"

#include "generators/conv_shape.h"
#include "generators/error.h"
#include "generators/signature.h"
#include "runtime/library/c_dims.h"

#include <fmt/format.h>

#include <cstdlib>

namespace convsmith::library {

namespace {

bool is_valid_extent(const ConvDesc &desc, int axis, int extent) {
    ConvDesc probe = desc;
    probe.in[axis] = extent;
    try {
        probe.validate();
        return true;
    } catch (const Error &) {
        return false;
    }
}

/// What makes an open extent invalid: up to the reach of kernel and padding found by asking the validator,
/// which owns the rule. Beyond, only a window that starts in ignored end padding has nothing to summarise.
std::string extent_is_bad(const ConvDesc &desc, int axis, const std::string &name) {
    const int span = effective_kernel(desc.kernel[axis], desc.dilation[axis]);
    const int limit = span + std::abs(desc.pad_begin[axis]) + std::abs(desc.pad_end[axis]) + 1;
    int smallest = 1;
    while (smallest <= limit && !is_valid_extent(desc, axis, smallest))
        smallest++;
    if (smallest > limit)
        throw Error(ErrorCode::Unsupported,
                    fmt::format("{}: no extent of axis {} is valid", desc.key(), axis));
    std::string text = fmt::format("{} < {}", name, smallest);
    if (desc.pad_mode == PadMode::Ignore && !desc.ceil_mode && desc.pad_end[axis] >= span)
        return text + fmt::format(" || (o{0} - 1) * {1} - {2} >= {0}", name, desc.stride[axis],
                                  desc.pad_begin[axis]);
    for (int extent = smallest + 1; extent <= limit; extent++) {
        if (!is_valid_extent(desc, axis, extent))
            text += fmt::format(" || {} == {}", name, extent);
    }
    return text;
}

/// Whether all tensors of a call of open sizes have few enough elements.
std::string elements_checks(const std::string &library, const ConvDesc &desc) {
    std::vector<std::string> conditions;
    const auto add = [&](int64_t channels, const auto &extent_of) {
        std::vector<std::string> extents(kMaxSpatialRank - desc.rank, "1");
        for (const std::string &name : axis_names(desc.rank))
            extents.push_back(extent_of(name));
        conditions.push_back(
            fmt::format("!{}_internal_fits({}, n, {})", library, channels, fmt::join(extents, ", ")));
    };
    const auto channels = [](Layout layout, const std::vector<int64_t> &shape) {
        return layout == Layout::ChannelsLast ? shape.back() : shape[1];
    };
    add(desc.ci, [](const std::string &name) { return name; });
    add(channels(desc.out_layout, output_shape(desc)),
        [&](const std::string &name) { return stored_extent(desc, "o" + name); });
    if (desc.op == Op::Deform)
        add(channels(desc.in_layout, offset_shape(desc)), [](const std::string &name) { return "o" + name; });
    return fmt::format("    if ({})\n        return {}_error_elements;\n",
                       fmt::join(conditions, " ||\n        "), library);
}

} // namespace

std::vector<std::string> open_sizes(const ConvDesc &desc) {
    std::vector<std::string> open;
    if (desc.n == 0)
        open.emplace_back("n");
    const std::vector<std::string> names = axis_names(desc.rank);
    for (int axis = 0; axis < desc.rank; axis++) {
        if (desc.in[axis] == 0)
            open.push_back(names[axis]);
    }
    return open;
}

std::string out_extent(const ConvDesc &desc, int axis, const std::string &in) {
    const int pads = desc.pad_begin[axis] + desc.pad_end[axis];
    const int span = effective_kernel(desc.kernel[axis], desc.dilation[axis]);
    const int stride = desc.stride[axis];
    if (desc.op == Op::Deconv)
        return fmt::format("({} - 1) * {} + {}", in, stride, span - pads + desc.out_pad[axis]);
    if (desc.op == Op::Identity)
        return fmt::format("{} + {}", in, pads);
    if (desc.ceil_mode) {
        const std::string last = fmt::format("({} + {} - {} + {}) / {}", in, pads, span, stride - 1, stride);
        return fmt::format("({0}) + (({0}) * {1} < {2} + {3})", last, stride, in, desc.pad_begin[axis]);
    }
    return fmt::format("({} + {} - {}) / {} + 1", in, pads, span, stride);
}

std::string size_checks(const std::string &library, const ConvDesc &desc) {
    if (!desc.is_open())
        return "";
    const std::vector<std::string> names = axis_names(desc.rank);
    std::string text =
        fmt::format("    const int64_t n = {};\n", desc.n > 0 ? std::to_string(desc.n) : "args->n");
    std::vector<std::string> outs;
    for (int axis = 0; axis < desc.rank; axis++) {
        const std::string &name = names[axis];
        text += fmt::format("    const int64_t {} = {};\n", name,
                            desc.in[axis] > 0 ? std::to_string(desc.in[axis]) : "args->" + name);
        text += fmt::format("    const int64_t o{} = {};\n", name, out_extent(desc, axis, name));
        outs.push_back("o" + name);
    }
    if (desc.n == 0)
        text += fmt::format("    if (n < 1)\n        return {}_error_n;\n", library);
    for (int axis = 0; axis < desc.rank; axis++) {
        if (desc.in[axis] == 0)
            text += fmt::format("    if ({})\n        return {}_error_{};\n",
                                extent_is_bad(desc, axis, names[axis]), library, names[axis]);
    }
    text += elements_checks(library, desc);
    if (flattens_positions(desc))
        text += fmt::format("    const int64_t out = {};\n", fmt::join(outs, " * "));
    return text;
}

} // namespace convsmith::library
